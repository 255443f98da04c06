// Stage 3, enforcement: what fail2ban-client is told, one line a command, in words that every supported version of fail2ban knows.

import Wire

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
