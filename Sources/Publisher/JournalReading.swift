// Stage 2, report -> admission -> journal -> broadcast: what the journal says, for a start and for who missed something.

import GRDB
import Wire

extension Journal {
    /// Calls `work` with every row behind `row`, in order.
    func replay(
        after row: Int64 = 0, _ work: (_ entry: JournalEntry, _ admitted: Timestamp, _ row: Int64) -> Void
    ) throws(JournalError) {
        try read("replay") { db in
            let rows = try Row.fetchCursor(
                db, sql: "SELECT \(JournalRow.columnNames) FROM event WHERE row > ? ORDER BY row", arguments: [row])
            while let row = try rows.next() {
                guard let (entry, admitted) = JournalRow.entry(row) else {
                    throw JournalError(.damaged, "replay \(self.path)", "row \(row[0] as Int64) does not make sense")
                }
                work(entry, admitted, row[0])
            }
        }
    }

    /// Every term with the number of its first announcement, the present one last.
    func terms() throws(JournalError) -> [(term: Term, first: UInt64)] {
        try read("read terms") { db in
            try Row.fetchAll(db, sql: "SELECT id, first FROM term ORDER BY rowid").map { row in
                guard let term = Term(row[0]), let first = UInt64(exactly: row[1] as Int64) else {
                    throw JournalError(.damaged, "read terms of \(self.path)", "a term does not make sense")
                }
                return (term, first)
            }
        }
    }

    /// The announcements behind a number, in order, as far as their lines fit a body.
    func announcements(after last: UInt64) throws(JournalError) -> [Event] {
        try read("read announcements") { db in
            var announcements: [Event] = []
            var bytes = 0
            let rows = try Row.fetchCursor(
                db, sql: "SELECT \(JournalRow.columnNames) FROM event WHERE number > ? ORDER BY number", arguments: [Int64(clamping: last)])
            while let row = try rows.next() {
                guard let announcement = JournalRow.entry(row)?.0.announcement else {
                    throw JournalError(.damaged, "read announcements of \(self.path)", "row \(row[0] as Int64) does not make sense")
                }
                var line: [UInt8] = []
                announcement.appendLine(to: &line)
                bytes += line.count + 1
                if bytes > Message.sizeLimit { break }
                announcements.append(announcement)
            }
            return announcements
        }
    }

    /// The highest position of every stream.
    func positions() throws(JournalError) -> [Ledger.Stream: UInt64] {
        try read("read positions") { db in
            var positions: [Ledger.Stream: UInt64] = [:]
            let rows = try Row.fetchCursor(db, sql: "SELECT host, stream, position FROM position")
            while let row = try rows.next() {
                guard let host = Hostname(row[0]), let position = UInt64(exactly: row[2] as Int64) else {
                    throw JournalError(.damaged, "read positions of \(self.path)", "a position does not make sense")
                }
                positions[Ledger.Stream(host: host, name: row[1])] = position
            }
            return positions
        }
    }
}
