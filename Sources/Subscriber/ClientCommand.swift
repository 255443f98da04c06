// Stage 3, enforcement: what fail2ban-client is told, one line a command, in words that every supported version of fail2ban knows.

import Wire

/// The version of a fail2ban server, and what it can do. Versions are those of fail2ban's ChangeLog.
struct ClientVersion: Hashable, Sendable, CustomStringConvertible {
    let numbers: [Int]
    let description: String

    /// Parses `1.0.2`, `0.10.6` or `1.1.2.dev1`.
    init?(_ text: String) {
        let parts = text.split(separator: ".").prefix { Int($0) != nil }.compactMap { Int($0) }
        guard parts.count >= 2 else { return nil }
        numbers = parts
        description = text
    }

    /// Whether one call takes several addresses; before, all but the first were dropped silently (0.10.5, 0.11.1).
    var takesSeveral: Bool { numbers.starts(with: [0, 10]) ? isAtLeast([0, 10, 5]) : isAtLeast([0, 11, 1]) }

    /// Whether `get JAIL banip --with-time` exists (0.11.1).
    var listsBans: Bool { isAtLeast([0, 11, 1]) }

    /// Whether `unban ADDRESS` lifts a ban in every jail (0.10.0).
    var unbansEverywhere: Bool { isAtLeast([0, 10, 0]) }

    /// Whether the sets of its nftables actions take prefixes (1.1.1: `flags interval`). Before, such a ban exits 0 and has no effect.
    var enforcesPrefixes: Bool { isAtLeast([1, 1, 1]) }

    private func isAtLeast(_ other: [Int]) -> Bool { !numbers.lexicographicallyPrecedes(other) }
}

/// One command. Its text holds nothing but words of ours, a jail's name and canonical addresses, so it needs no quoting.
enum ClientCommand: Hashable, Sendable {
    case version
    /// How long the jail bans.
    case limit
    /// The addresses banned in the jail and when the jail lifts each.
    case list
    /// The same for versions that lack `get JAIL banip`.
    case status
    /// The names of the jail's actions.
    case actions
    case ban([Address])
    /// Bans once more what is banned: fail2ban prolongs it by the jail's limit.
    case renew([Address])
    case unban([Address])
    /// In every jail of this host.
    case unbanEverywhere([Address])

    func line(jail: Jail) -> String {
        switch self {
        case .version: "version"
        case .limit: "get \(jail) bantime"
        case .list: "get \(jail) banip --with-time"
        case .status: "status \(jail)"
        case .actions: "get \(jail) actions"
        case .ban(let addresses), .renew(let addresses): "set \(jail) banip \(words(addresses))"
        case .unban(let addresses): "set \(jail) unbanip \(words(addresses))"
        case .unbanEverywhere(let addresses): "unban \(words(addresses))"
        }
    }

    /// Those that it is about.
    var addresses: [Address] {
        switch self {
        case .version, .limit, .list, .status, .actions: []
        case .ban(let addresses), .renew(let addresses), .unban(let addresses), .unbanEverywhere(let addresses): addresses
        }
    }

    /// Those that it unbans.
    var unbanned: [Address] {
        switch self {
        case .version, .limit, .list, .status, .actions, .ban, .renew: []
        case .unban(let addresses), .unbanEverywhere(let addresses): addresses
        }
    }

    /// The same command about other addresses.
    func with(_ addresses: [Address]) -> ClientCommand {
        switch self {
        case .version, .limit, .list, .status, .actions: self
        case .ban: .ban(addresses)
        case .renew: .renew(addresses)
        case .unban: .unban(addresses)
        case .unbanEverywhere: .unbanEverywhere(addresses)
        }
    }

    private func words(_ addresses: [Address]) -> String { addresses.lazy.map(\.description).joined(separator: " ") }
}
