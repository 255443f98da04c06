// What the daemons share: which version of fail2ban runs, and what it can do.

/// The version of a fail2ban server, and what it can do. Versions are those of fail2ban's ChangeLog.
public struct ClientVersion: Hashable, Sendable, CustomStringConvertible {
    /// The release's numbers, such as 1, 0, 2.
    public let numbers: [Int]
    /// As the server gave it, made safe as by ``brief(_:)``.
    public let description: String

    /// Parses `1.0.2`, `0.10.6` or `1.1.2.dev1`.
    public init?(_ text: String) {
        let parts = text.split(separator: ".").prefix { Int($0) != nil }.compactMap { Int($0) }
        guard parts.count >= 2 else { return nil }
        numbers = parts
        description = brief(text.utf8)
    }

    /// Whether one call takes several addresses; before, all but the first were dropped silently (0.10.5, 0.11.1).
    public var takesSeveral: Bool { numbers.starts(with: [0, 10]) ? isAtLeast([0, 10, 5]) : isAtLeast([0, 11, 1]) }

    /// Whether `get JAIL banip` exists (0.11.1).
    public var listsBans: Bool { isAtLeast([0, 11, 1]) }

    /// Whether `unban ADDRESS` lifts a ban in every jail (0.10.0).
    public var unbansEverywhere: Bool { isAtLeast([0, 10, 0]) }

    /// Whether the sets of its nftables actions take prefixes (1.1.1: `flags interval`). Before, such a ban exits 0 and has no effect.
    public var enforcesPrefixes: Bool { isAtLeast([1, 1, 1]) }

    private func isAtLeast(_ other: [Int]) -> Bool { !numbers.lexicographicallyPrecedes(other) }
}
