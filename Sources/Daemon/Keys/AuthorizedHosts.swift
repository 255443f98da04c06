// What the daemons share: who belongs to the cluster, and what each host may do; the contents of `authorized_hosts`.

import Wire
import ZeroMQ

/// The hosts whose keys the publisher admits: one line each, `host roles key [addresses,…]`, separated by blanks.
///
/// Only a line that begins with `#` is a comment, since a key may contain `#`. Comments and empty lines survive a change. A host may have
/// several lines, each with another key, so that a key can be replaced without a gap; they give it the same roles, since on the wire
/// a host is known by its name. A key belongs to one host.
public struct AuthorizedHosts: Hashable, Sendable {
    /// What a host may do.
    public enum Role: String, CaseIterable, Sendable {
        /// Reports bans of its fail2ban.
        case monitor
        /// Receives the cluster's bans.
        case subscriber
        /// Orders bans and unbans.
        case `operator`
    }

    /// One line.
    public struct Host: Hashable, Sendable {
        public var name: Hostname
        /// Never empty.
        public var roles: Set<Role>
        public var key: PublicKey
        /// Addresses that the cluster must never ban, besides the one it connects from.
        public var addresses: [Address]

        public init(name: Hostname, roles: Set<Role>, key: PublicKey, addresses: [Address] = []) {
            self.name = name
            self.roles = roles
            self.key = key
            self.addresses = addresses
        }
    }

    /// The roles of a host that are not named: it reports and enforces.
    public static let defaultRoles: Set<Role> = [.monitor, .subscriber]

    /// A line of the file as it stands: a host's, or a comment or nothing.
    struct Line: Hashable, Sendable {
        let text: String
        let host: Host?
    }

    var lines: [Line] = []
    private var byKey: [PublicKey: Host] = [:]
    private var rolesByName: [Hostname: Set<Role>] = [:]

    public init() {}

    init(lines: [Line]) {
        self.lines = lines
        index()
    }

    /// In the order of the file.
    public var hosts: [Host] { lines.compactMap(\.host) }

    /// Whose key it is; `nil` when it is nobody's.
    public func host(with key: PublicKey) -> Host? { byKey[key] }

    /// What a host may do; `nil` when it does not belong to the cluster.
    public func roles(of name: Hostname) -> Set<Role>? { rolesByName[name] }

    /// Whether somebody can do less by this than by `earlier`: a key or a role is gone, or is another host's.
    public func takesAway(from earlier: AuthorizedHosts) -> Bool {
        earlier.hosts.contains { old in
            guard let new = byKey[old.key], new.name == old.name else { return true }
            return !old.roles.isSubset(of: new.roles)
        }
    }

    /// Puts a host's line in place of all it had before, or at the end.
    ///
    /// - Returns: The lines replaced.
    /// - Throws: ``KeyOfAnotherHost`` when the key is another host's; nothing has changed then.
    @discardableResult
    public mutating func authorize(_ host: Host) throws(KeyOfAnotherHost) -> [Host] {
        if let owner = byKey[host.key], owner.name != host.name { throw KeyOfAnotherHost(name: owner.name) }
        let replaced = hosts(named: host.name)
        let line = Line(text: host.line, host: host)
        if let place = lines.firstIndex(where: { $0.host?.name == host.name }) {
            lines[place] = line
            lines = lines.enumerated().filter { $0.offset <= place || $0.element.host?.name != host.name }.map(\.element)
        } else {
            lines.append(line)
        }
        index()
        return replaced
    }

    /// Gives a host that has a line another key beside its own, with the same roles and addresses.
    ///
    /// - Returns: Whether something changed; not when the host has the key already.
    /// - Throws: ``KeyOfAnotherHost`` when the key is another host's; nothing has changed then.
    public mutating func addKey(_ key: PublicKey, to name: Hostname) throws(KeyOfAnotherHost) -> Bool {
        if let owner = byKey[key], owner.name != name { throw KeyOfAnotherHost(name: owner.name) }
        guard byKey[key] == nil, let place = lines.lastIndex(where: { $0.host?.name == name }), var host = lines[place].host else {
            return false
        }
        host.key = key
        host.addresses = addresses(of: name)
        lines.insert(Line(text: host.line, host: host), at: place + 1)
        index()
        return true
    }

    /// Takes out the line of a key.
    public mutating func removeKey(_ key: PublicKey) {
        lines.removeAll { $0.host?.key == key }
        index()
    }

    /// The lines of a host.
    public func hosts(named name: Hostname) -> [Host] { hosts.filter { $0.name == name } }

    /// What all lines of a host say that must never be banned.
    public func addresses(of name: Hostname) -> [Address] {
        hosts(named: name).flatMap(\.addresses).reduce(into: []) { all, address in
            if !all.contains(address) { all.append(address) }
        }
    }

    /// Takes out all lines of a host.
    ///
    /// - Returns: The lines; empty when the host has none.
    @discardableResult
    public mutating func remove(_ name: Hostname) -> [Host] {
        let removed = hosts(named: name)
        lines.removeAll { $0.host?.name == name }
        index()
        return removed
    }

    /// The whole file; parsing it gives these hosts again.
    public var text: String { lines.map { $0.text + "\n" }.joined() }

    private mutating func index() {
        byKey = Dictionary(hosts.map { ($0.key, $0) }) { first, _ in first }
        rolesByName = Dictionary(hosts.map { ($0.name, $0.roles) }) { first, _ in first }
    }
}

/// A key cannot be given to a second host: it would not say any more who sends.
public struct KeyOfAnotherHost: ExitError, Equatable {
    /// The host that has it.
    public let name: Hostname

    public var description: String {
        """
        \(name) has this key already, and a key belongs to one host. Make another with `fail2ban-cluster keygen`, or first run: \
        fail2ban-cluster revoke \(name)
        """
    }

    public var exitStatus: ExitStatus { .failed }
}

extension AuthorizedHosts.Host {
    /// The line of the file, without a newline.
    public var line: String {
        let fields = [name.description, AuthorizedHosts.text(of: roles, separator: ","), key.z85]
        return (addresses.isEmpty ? fields : fields + [addresses.map(\.description).joined(separator: ",")]).joined(separator: " ")
    }
}

extension AuthorizedHosts {
    /// Roles in their own order.
    public static func text(of roles: Set<Role>, separator: String) -> String {
        Role.allCases.filter(roles.contains).map(\.rawValue).joined(separator: separator)
    }

    /// Parses `monitor,subscriber`: one or more of the roles, separated by commas; `nil` for anything else.
    public static func roles(_ text: some StringProtocol) -> Set<Role>? {
        let roles = text.split(separator: ",", omittingEmptySubsequences: false).map { Role(rawValue: String($0)) }
        return roles.contains(nil) ? nil : Set(roles.compactMap(\.self))
    }

    /// `monitor, subscriber, operator`
    public static let allRoles = Role.allCases.map(\.rawValue).joined(separator: ", ")
}
