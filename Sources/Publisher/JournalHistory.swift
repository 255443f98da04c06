// Stage 2, report -> admission -> journal -> broadcast: what happened, as the journal has it, read in portions from the newest row back.

import Daemon
import GRDB
import Wire

/// A page of the history, newest first.
struct HistoryPage {
    /// The most rows on a page.
    static let most = 200
    /// Rows that one request searches; some 5 ms of work.
    static let portion: Int64 = 20_000
    /// The same when each row's address must be compared.
    static let comparedPortion: Int64 = 4_000
    /// The publisher's clock may have been set back between two starts by so much, in milliseconds, that rows are not in the order of time.
    static let disorder: Int64 = 86_400_000

    /// Each as docs/wire-protocol.md has it.
    var events: [JSONText] = []
    /// The row before which it goes on; `nil` when there is nothing left.
    var next: Int64?
    /// How many rows were searched.
    var searched: Int64 = 0
}

extension Journal {
    /// The newest rows before a row that the filter lets pass, among as many as one request may search.
    ///
    /// - Parameters:
    ///   - row: `nil` begins with the newest.
    ///   - limit: of the rows that are found; at most ``HistoryPage/most`` are.
    func history(_ filter: HistoryFilter, before row: Int64?, limit: Int) throws(JournalError) -> HistoryPage {
        try read("read the history") { db in
            let end = min(row ?? .max, lastRow + 1)
            let begin = max(end - (filter.comparesPrefixes ? HistoryPage.comparedPortion : HistoryPage.portion), 0)
            let (sql, arguments) = filter.conditions
            let rows = try Row.fetchCursor(
                db, sql: "SELECT \(JournalRow.columnNames) FROM event WHERE row < ? AND row >= ?\(sql) ORDER BY row DESC",
                arguments: StatementArguments([end, begin] + arguments))
            var page = HistoryPage(searched: end - begin)
            var bytes = 0
            var last: Int64?
            while let row = try rows.next() {
                guard filter.matches(row[8]) else { continue }
                let event = JournalRow.history(row)
                bytes += event.text.utf8.count + 1
                guard page.events.count < min(limit, HistoryPage.most), bytes < Message.sizeLimit - 512 else {
                    page.next = last
                    page.searched = end - (last ?? begin)
                    return page
                }
                page.events.append(event)
                last = row[0]
            }
            if try hasRows(before: begin, since: filter.since, db) { page.next = begin }
            return page
        }
    }

    private func hasRows(before row: Int64, since: Timestamp?, _ db: Database) throws -> Bool {
        guard
            let admitted = try Int64.fetchOne(
                db, sql: "SELECT admitted FROM event WHERE row < ? ORDER BY row DESC LIMIT 1", arguments: [row])
        else { return false }
        return since.map { admitted + HistoryPage.disorder >= $0.milliseconds } ?? true
    }
}

extension JournalRow {
    /// A row of ``columnNames`` for who asks what happened.
    static func history(_ row: Row) -> JSONText {
        var json = JSONText()
        json.set("row", row[0] as Int64?)
        json.set("number", row[1] as Int64?)
        json.set("kind", row[2] as String?)
        json.set("at", row[3] as Int64?)
        json.set("seen", row[4] as Int64?)
        json.set("host", row[5] as String?)
        json.set("jail", row[6] as String?)
        json.set("action", row[7] as String?)
        json.set("address", row[8] as String?)
        let end: Int64? = row[9]
        json.set("end", end.flatMap { $0 >= 0 ? $0 : nil })
        json.set("permanent", end == -1)
        json.set("cause", row[10] as String?)
        json.set("plain", (row[11] as Int64?) == 1)
        json.set("move", (row[12] as Int64?) == 1)
        json.set("refusal", row[14] as String?)
        return json
    }
}
