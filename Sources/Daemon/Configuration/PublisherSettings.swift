// What the daemons share: the keys of [publisher], with their defaults.

import Wire

/// `[publisher]`: admits, journals, numbers and broadcasts; one per cluster, and perhaps a standby.
public struct PublisherSettings: Hashable, Sendable {
    /// `pidfile`. Default `/run/fail2ban-cluster/publisher.pid`.
    public var pidfile = "/run/fail2ban-cluster/publisher.pid"
    /// `replybindurl`: where requests are answered, always CURVE. Default `tcp://*:5678`.
    public var replyBind = Endpoint.defaultReply
    /// `broadcasterbindurl`: where bans are broadcast, always CURVE. Default `tcp://*:5680`.
    public var broadcasterBind = Endpoint.defaultBroadcaster
    /// `ignoreip`: never banned. Default: none (what is fixed is in ``NeverBan``).
    public var ignoreip: [IgnoreRule] = []
    /// `minprefix4`: a wider IPv4 prefix is refused; bits, 8 to 32. Default 24.
    public var minPrefix4 = PrefixLimits.ipv4Default
    /// `minprefix6`: a wider IPv6 prefix is refused; bits, 16 to 128. Default 56.
    public var minPrefix6 = PrefixLimits.ipv6Default
    /// `quorum`: how many hosts must hold an address before it is banned, 1 to 1000. Default 1.
    public var quorum = 1
    /// `maxbantime`: caps every end, and stands for one that is unknown; 1m to 520w. Default 1w.
    public var maxBanTime = Duration.seconds(604_800)
    /// `retention`: how long the journal keeps events; 1h to 520w, or -1 (`nil`) for ever. Default 90d.
    public var retention: Duration? = .seconds(90 * 86_400)
    /// `maxholds`: how many holds one host may have, 1 to 10000000. Default 100000.
    public var maxHolds = 100_000
    /// `maxrate`: events a second that one host may send, 0 to 1000000; 0 is no limit. Default 0.
    public var maxRate = 0
    /// `standby`: answers `NAK standby` until it is promoted. Default no.
    public var standby = false
    /// `plainreplybindurl`: where old clients of fail2ban-zmq-tools send, without encryption. Default: off.
    public var plainReplyBind: Endpoint?
    /// `plainbroadcasterbindurl`: where they receive, without encryption. Default: off.
    public var plainBroadcasterBind: Endpoint?
    /// `plainallow`: the addresses that may connect to the plain endpoints. Required with either; default: none.
    public var plainAllow: [Address] = []
    /// `plainunbans`: whether an old client's Unban counts. Default no, since they unban on every restart.
    public var plainUnbans = false
    /// `auth`: whether old clients must send a token. Default no.
    public var auth = false
    /// `authtoken`: the tokens that old clients may send, 1 to 256 bytes each. Required with `auth`; default: none.
    public var authTokens: [String] = []

    public init() {}

    init(reading section: inout SectionReader) {
        pidfile = section.path("pidfile", default: pidfile)
        replyBind = section.value("replybindurl", default: replyBind, allowed: Endpoint.allowedToBind) { Endpoint(bind: $0) }
        broadcasterBind = section.value("broadcasterbindurl", default: broadcasterBind, allowed: Endpoint.allowedToBind) {
            Endpoint(bind: $0)
        }
        ignoreip = section.list("ignoreip", default: ignoreip, allowed: IgnoreRule.allowed) { IgnoreRule($0) }
        (minPrefix4, minPrefix6) = section.prefixLimits()
        quorum = section.number("quorum", default: quorum, in: 1...1000)
        maxBanTime = section.duration("maxbantime", default: maxBanTime, in: .seconds(60) ... .seconds(520 * 604_800))
        retention = section.durationOrEver("retention", default: retention, in: .seconds(3600) ... .seconds(520 * 604_800))
        maxHolds = section.number("maxholds", default: maxHolds, in: 1...10_000_000)
        maxRate = section.number("maxrate", default: maxRate, in: 0...1_000_000)
        standby = section.boolean("standby", default: standby)
        plainReplyBind = section.optional("plainreplybindurl", allowed: Endpoint.allowedToBind) { Endpoint(bind: $0) }
        plainBroadcasterBind = section.optional("plainbroadcasterbindurl", allowed: Endpoint.allowedToBind) { Endpoint(bind: $0) }
        let allowed = "addresses and prefixes as 192.0.2.0/24, separated by blanks or commas"
        plainAllow = section.list("plainallow", default: plainAllow, allowed: allowed) { Address($0) }
        plainUnbans = section.boolean("plainunbans", default: plainUnbans)
        auth = section.boolean("auth", default: auth)
        authTokens = section.list(
            "authtoken", default: authTokens, at: .commas, allowed: "tokens of 1 to 256 bytes without |, separated by commas",
            isSecret: true
        ) {
            (1...256).contains($0.utf8.count) && !$0.utf8.contains { $0 == UInt8(ascii: "|") } ? $0 : nil
        }
        checkTogether(&section)
    }

    /// What no key alone can get wrong.
    private func checkTogether(_ section: inout SectionReader) {
        if auth, authTokens.isEmpty {
            section.refuse("auth", "is on, and no authtoken is given", hint: "give authtoken, or set auth = no")
        }
        if plainReplyBind != nil || plainBroadcasterBind != nil, plainAllow.isEmpty {
            section.refuse(
                plainReplyBind != nil ? "plainreplybindurl" : "plainbroadcasterbindurl",
                "is not encrypted, and plainallow names nobody who may connect",
                hint: "list the old clients' addresses in plainallow")
        }
        if plainReplyBind == nil {
            for key in ["auth", "authtoken"] where key == "auth" ? auth : !authTokens.isEmpty {
                section.warn(
                    key, "has no effect: replybindurl is encrypted, and clients of fail2ban-zmq-tools are not served",
                    hint: "give plainreplybindurl, plainbroadcasterbindurl and plainallow while there are any, or delete the line")
            }
        }
        var bound: [Endpoint: String] = [:]
        for (key, endpoint) in [
            ("replybindurl", replyBind), ("broadcasterbindurl", broadcasterBind), ("plainreplybindurl", plainReplyBind),
            ("plainbroadcasterbindurl", plainBroadcasterBind),
        ] as [(String, Endpoint?)] {
            guard let endpoint, endpoint.host == nil || endpoint.port != nil else { continue }
            guard let other = bound.updateValue(key, forKey: endpoint) else { continue }
            // The one that a file sets is the one that has a line.
            let (wrong, right) = section.has(key) ? (key, other) : (other, key)
            section.refuse(wrong, "`\(endpoint)` is the endpoint of \(right) too", hint: "give each its own port")
        }
    }
}

/// The widest prefixes that may be banned, where no key says otherwise.
public enum PrefixLimits {
    public static let ipv4Default = 24
    public static let ipv6Default = 56
}

extension SectionReader {
    /// `minprefix4` and `minprefix6`. Their lower ends keep a typing error from opening the door to half the Internet.
    mutating func prefixLimits() -> (ipv4: Int, ipv6: Int) {
        (
            number("minprefix4", default: PrefixLimits.ipv4Default, in: 8...32),
            number("minprefix6", default: PrefixLimits.ipv6Default, in: 16...128)
        )
    }
}
