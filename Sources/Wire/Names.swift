// What travels: the names of hosts and jails. Their failable initialisers are the only door for text from outside.

/// A host's name as RFC 1123 has it: labels of 1 to 63 letters, digits and inner hyphens, 253 bytes in all. Lower case.
public struct Hostname: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let description: String

    public init?(_ text: String) { self.init(bytes: Array(text.utf8).span) }

    /// - Parameter known: the name that it probably is, of the line before: then nothing is made anew.
    init?(bytes: Span<UInt8>, like known: Hostname? = nil) {
        if let known, isText(bytes, known.description) {
            self = known
            return
        }
        guard (1...253).contains(bytes.count) else { return nil }
        var hasUpperCase = false
        var label = 0
        for i in 0...bytes.count {
            if i == bytes.count || bytes[i] == UInt8(ascii: ".") {
                guard (1...63).contains(i - label), bytes[label] != UInt8(ascii: "-"), bytes[i - 1] != UInt8(ascii: "-") else { return nil }
                label = i + 1
            } else {
                guard isAlphanumeric(bytes[i]) || bytes[i] == UInt8(ascii: "-") else { return nil }
                hasUpperCase = hasUpperCase || isUpperCase(bytes[i])
            }
        }
        let text = bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        description = hasUpperCase ? text.lowercased() : text
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

    public init?(_ text: String) { self.init(bytes: Array(text.utf8).span) }

    /// - Parameter known: the name that it probably is, of the line before: then nothing is made anew.
    public init?(bytes: Span<UInt8>, like known: Jail? = nil) {
        if let known, isText(bytes, known.description) {
            self = known
            return
        }
        guard (1...64).contains(bytes.count), isAlphanumeric(bytes[0]) else { return nil }
        for i in bytes.indices {
            switch bytes[i] {
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): continue
            default: guard isAlphanumeric(bytes[i]) else { return nil }
            }
        }
        description = bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
    }

    private init(unchecked text: String) { description = text }

    public static func < (a: Jail, b: Jail) -> Bool { a.description < b.description }
}
