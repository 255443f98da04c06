// What travels: the names of hosts and jails. Their failable initialisers are the only door for text from outside.

/// A host's name as RFC 1123 has it: labels of 1 to 63 letters, digits and inner hyphens, 253 bytes in all. Lower case.
public struct Hostname: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let description: String

    public init?(_ text: String) {
        guard (1...253).contains(text.utf8.count) else { return nil }
        for label in Array(text.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...63).contains(label.count), label.allSatisfy({ isAlphanumeric($0) || $0 == UInt8(ascii: "-") }),
                label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-")
            else { return nil }
        }
        description = text.lowercased()
    }

    public static func < (a: Hostname, b: Hostname) -> Bool { a.description < b.description }
}

/// The name of a fail2ban jail that may travel: `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
///
/// fail2ban itself allows any text; a jail with another name is not reported, and `fail2ban-monitor check` says so.
public struct Jail: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let description: String

    /// The jail of this cluster on every host: the cluster's bans are applied into it, and nothing is reported from it.
    public static let cluster = Jail(unchecked: "fail2ban-cluster")
    /// The jail of fail2ban-zmq-tools, which is never reported either.
    public static let legacyCluster = Jail(unchecked: "fail2bancluster")

    public init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), let first = text.utf8.first, isAlphanumeric(first),
            text.utf8.allSatisfy({ isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") })
        else { return nil }
        description = text
    }

    private init(unchecked text: String) { description = text }

    public static func < (a: Jail, b: Jail) -> Bool { a.description < b.description }
}
