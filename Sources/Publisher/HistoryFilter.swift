// Stage 2, report -> admission -> journal -> broadcast: which rows of the journal an operator asks for.

import GRDB
import Wire

/// What `QUERY what=history` asks for. Everything that is given must be so of a row.
struct HistoryFilter: Equatable {
    /// Rows about an address that has something in common with it: of an address, also those about prefixes around it; of a prefix, also
    /// those about what is in it.
    var address: Address?
    var jail: Jail?
    var host: Hostname?
    var kind: HistoryKind?
    /// Taken in then or later.
    var since: Timestamp?
    /// Taken in then or before.
    var until: Timestamp?

    init() {}

    init(_ header: Header) throws(RequestRefusal) {
        address = try header.askedAddress("address")
        jail = try header.askedJail("jail")
        host = try header.askedHost("host")
        let kinds = HistoryKind.allCases.map(\.rawValue).joined(separator: ", ")
        kind = try header.asked("kind", "one of \(kinds)", HistoryKind.init(rawValue:))
        since = try header.askedTime("since")
        until = try header.askedTime("until")
    }

    /// Whether rows are looked at one by one, since SQLite can't tell what is in a prefix.
    var comparesPrefixes: Bool { address.map { !$0.isSingle } ?? false }

    /// The conditions on a row of the table `event`, each beginning with AND, and their arguments.
    var conditions: (sql: String, arguments: [any DatabaseValueConvertible]) {
        var sql = ""
        var arguments: [any DatabaseValueConvertible] = []
        func add(_ condition: String, _ values: any DatabaseValueConvertible...) {
            sql += " AND \(condition)"
            arguments += values
        }
        if let address {
            if address.isSingle {
                let around = address.prefixes.map(\.description)
                sql += " AND address IN (\(around.map { _ in "?" }.joined(separator: ",")))"
                arguments += around
            } else {
                sql += " AND address IS NOT NULL"
            }
        }
        if let jail { add("jail = ?", jail.description) }
        if let host { add("host = ?", host.description) }
        if let since { add("admitted >= ?", since.milliseconds) }
        if let until { add("admitted <= ?", until.milliseconds) }
        switch kind {
        case .ban: add("action = ? AND kind <> ?", Event.Action.ban.rawValue, JournalRow.refused)
        case .unban: add("action = ? AND kind <> ?", Event.Action.unban.rawValue, JournalRow.refused)
        case .refused: add("kind = ?", JournalRow.refused)
        case .order: add("cause = ? AND kind <> ?", Event.Cause.operator.rawValue, JournalRow.refused)
        case nil: break
        }
        return (sql, arguments)
    }

    /// Whether a row's address is one that is asked for, where ``conditions`` could not tell.
    func matches(_ text: String?) -> Bool {
        guard comparesPrefixes, let address else { return true }
        return text.flatMap { Address($0) }?.overlaps(address) ?? false
    }
}
