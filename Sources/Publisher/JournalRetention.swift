// Stage 2, report -> admission -> journal -> broadcast: what is old enough to leave the journal.

import GRDB
import Wire

extension Journal {
    /// Removes the oldest rows, and with the last of them the terms and streams of that time. What the rows amount to is in the tables.
    ///
    /// Their pages are used again for new rows, so the file grows no larger than it was at most; it is not made smaller, since moving
    /// pages would cost more than it saves.
    ///
    /// - Parameters:
    ///   - cutoff: what was admitted before it goes.
    ///   - truth: how far the tables are true; rows behind that stay, however old they are.
    ///   - limit: rows in this transaction.
    /// - Returns: whether there may be more.
    func removeRows(before cutoff: Timestamp, truth: KeptTruth, limit: Int) throws(JournalError) -> Bool {
        let last = try lastRowToRemove(before: cutoff, truth: truth, limit: limit)
        guard let last else {
            try removeTermsAndStreams(before: cutoff)
            return false
        }
        try write("remove old rows") { db in
            let statement = try db.cachedStatement(sql: "DELETE FROM event WHERE row <= ?")
            try statement.execute(arguments: [last])
        }
        return true
    }

    /// Rows are in the order of time, as far as the clock was; so it is a walk from the oldest row to the first that stays.
    private func lastRowToRemove(before cutoff: Timestamp, truth: KeptTruth, limit: Int) throws(JournalError) -> Int64? {
        try read("look for old rows") { db in
            var last: Int64?
            let statement = try db.cachedStatement(sql: "SELECT row, admitted FROM event WHERE row <= ? ORDER BY row LIMIT ?")
            let rows = try Row.fetchCursor(statement, arguments: [truth.row, limit])
            while let row = try rows.next() {
                guard (row[1] as Int64) < cutoff.milliseconds else { break }
                last = row[0]
            }
            return last
        }
    }

    /// A term goes when the next one began before the cutoff: who was last heard in it is told the whole, as from an unknown one. A
    /// stream goes when the host has a later one. These are few, so that one transaction takes them all.
    private func removeTermsAndStreams(before cutoff: Timestamp) throws(JournalError) {
        let terms = "rowid < (SELECT max(rowid) FROM term WHERE started < ?)"
        let streams = """
            changed < ? AND EXISTS (SELECT 1 FROM position AS other WHERE other.host = position.host AND other.changed > position.changed)
            """
        let isAny = try read("look for old terms") { db in
            for sql in ["SELECT 1 FROM term WHERE \(terms) LIMIT 1", "SELECT 1 FROM position WHERE \(streams) LIMIT 1"]
            where try Int.fetchOne(db, sql: sql, arguments: [cutoff.milliseconds]) != nil { return true }
            return false
        }
        guard isAny else { return }
        try write("remove old terms and streams") { db in
            try db.execute(sql: "DELETE FROM term WHERE \(terms)", arguments: [cutoff.milliseconds])
            try db.execute(sql: "DELETE FROM position WHERE \(streams)", arguments: [cutoff.milliseconds])
        }
    }
}
