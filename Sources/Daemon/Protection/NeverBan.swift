// What the daemons share: the addresses that no host can make the cluster ban; asked by the publisher and again by each subscriber.

import Wire

/// What must not be banned (design: "Never ban these"), and why.
///
/// A ban is refused when it has an address in common with something protected, so a prefix that covers a protected address is
/// refused too. One question costs two binary searches, however many addresses are protected.
public struct NeverBan: Sendable, Equatable {
    /// Why something is protected. The raw value is the rule's name in logs, answers and STATE.
    public enum Rule: String, CaseIterable, Sendable {
        case loopback, unspecified, multicast, broadcast
        case linkLocal = "link-local"
        case ignoreip
        case ownAddress = "own-address"
        case gateway, publisher, peer
        case rootLogin = "root-login"
        case prefixTooWide = "prefix-too-wide"
    }

    /// Why an address may not be banned.
    public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        public let rule: Rule
        /// What matched: `ignoreip has 192.0.2.0/24`.
        public let text: String

        public var description: String { text }
    }

    private struct Protected: Equatable {
        let address: Address
        let rule: Rule
        /// The name whose address it is.
        let name: Hostname?
    }

    private var items: [Rule: [IgnoreRule]] = [:]
    private var resolved: [Hostname: [Address]] = [:]
    private var minPrefix4: Int
    private var minPrefix6: Int
    /// Sorted; none contains another.
    private var protected: [Protected] = []

    /// Protects what is never banned anywhere, and what `ignoreip` says.
    ///
    /// - Parameters:
    ///   - minPrefix4: the shortest IPv4 prefix that may be banned, in bits.
    ///   - minPrefix6: the same for IPv6.
    public init(ignoreip: [IgnoreRule] = [], minPrefix4: Int = PrefixLimits.ipv4Default, minPrefix6: Int = PrefixLimits.ipv6Default) {
        self.minPrefix4 = minPrefix4
        self.minPrefix6 = minPrefix6
        items[.ignoreip] = ignoreip
        rebuild()
    }

    /// Takes over another `ignoreip` and other limits on reload; everything else that is protected stays.
    public mutating func reconfigure(ignoreip: [IgnoreRule], minPrefix4: Int, minPrefix6: Int) {
        self.minPrefix4 = minPrefix4
        self.minPrefix6 = minPrefix6
        protect(ignoreip, as: .ignoreip)
    }

    /// Protects these, and no longer what was protected by this rule before. Names protect nothing until they are resolved.
    public mutating func protect(_ items: [IgnoreRule], as rule: Rule) {
        guard self.items[rule] != items else { return }
        self.items[rule] = items
        let names = names
        resolved = resolved.filter { names.contains($0.key) }
        rebuild()
    }

    /// Protects these addresses, and no longer those that were protected by this rule before.
    public mutating func protect(_ addresses: some Sequence<Address>, as rule: Rule) {
        protect(addresses.map { IgnoreRule.address($0) }, as: rule)
    }

    /// All names that are to be resolved.
    public var names: Set<Hostname> {
        var names: Set<Hostname> = []
        for case .name(let name) in items.values.joined() { names.insert(name) }
        return names
    }

    /// Takes over what a name resolved to. Nothing keeps the last known addresses: a name server that is down must not open the door.
    public mutating func resolve(_ name: Hostname, to addresses: [Address]) {
        guard !addresses.isEmpty, resolved[name] != addresses else { return }
        resolved[name] = addresses
        rebuild()
    }

    /// Why this address or prefix may not be banned; `nil` when it may.
    ///
    /// What stands for IPv4 addresses behind a translator (NAT64) is banned as little as these are.
    public func refusal(for address: Address) -> Refusal? {
        if let refusal = refusal(ofItself: address) { return refusal }
        guard let ipv4 = address.translatedIPv4, let refusal = refusal(ofItself: ipv4) else { return nil }
        return Refusal(rule: refusal.rule, text: "\(address) stands for \(ipv4): \(refusal.text)")
    }

    private func refusal(ofItself address: Address) -> Refusal? {
        let (limit, key) = address.family == .ipv4 ? (minPrefix4, "minprefix4") : (minPrefix6, "minprefix6")
        if address.prefixLength < limit {
            return Refusal(rule: .prefixTooWide, text: "the prefix is wider than \(key) = \(limit)")
        }
        // The first that is behind the address in order; what contains the address is right before that, and what it contains begins there.
        var low = 0
        var high = protected.count
        while low < high {
            let middle = (low + high) / 2
            if protected[middle].address <= address { low = middle + 1 } else { high = middle }
        }
        for candidate in protected[max(0, low - 1)..<min(protected.count, low + 1)] where candidate.address.overlaps(address) {
            return Refusal(rule: candidate.rule, text: text(candidate))
        }
        return nil
    }

    private func text(_ match: Protected) -> String {
        let what = match.name.map { "\(match.address) (\($0))" } ?? match.address.description
        return switch match.rule {
        case .loopback, .unspecified, .multicast, .broadcast, .linkLocal, .prefixTooWide: "\(what) is \(match.rule.rawValue)"
        case .ignoreip: "ignoreip has \(what)"
        case .ownAddress: "\(what) is an address of this host"
        case .gateway: "\(what) is a gateway of this host"
        case .publisher: "\(what) is an address of the publisher"
        case .peer: "\(what) is an address of an authorised host"
        case .rootLogin: "root is logged in from \(what)"
        }
    }

    private mutating func rebuild() {
        var all = NeverBan.everywhere
        // In the rules' own order, so that of two that protect the same address the same one is always named.
        for rule in Rule.allCases {
            for item in items[rule] ?? [] {
                switch item {
                case .address(let address): all.append(Protected(address: address, rule: rule, name: nil))
                case .name(let name): all += (resolved[name] ?? []).map { Protected(address: $0, rule: rule, name: name) }
                }
            }
        }
        protected = []
        for (_, next) in all.enumerated().sorted(by: { ($0.element.address, $0.offset) < ($1.element.address, $1.offset) }) {
            if let last = protected.last, last.address.contains(next.address) { continue }
            protected.append(next)
        }
    }

    /// Never banned on any host: RFC 6890 and RFC 4291.
    private static let everywhere: [Protected] = [
        ("127.0.0.0/8", .loopback), ("::1", .loopback), ("0.0.0.0/8", .unspecified), ("::", .unspecified), ("224.0.0.0/4", .multicast),
        ("ff00::/8", .multicast), ("255.255.255.255", .broadcast), ("169.254.0.0/16", .linkLocal), ("fe80::/10", .linkLocal),
    ].compactMap { (text: String, rule: Rule) in Address(text).map { Protected(address: $0, rule: rule, name: nil) } }
}
