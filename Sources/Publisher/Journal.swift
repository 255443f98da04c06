// Stage 2, report -> admission -> journal -> broadcast: what is on disk. Acknowledged means it is in here.

import Daemon
import GRDB
import Wire

/// The append-only journal: one row per accepted event, refusal and announcement of the publisher's own, in one SQLite file.
///
/// WAL with synchronous=FULL: a commit returns after the log was synced to disk (sqlite.org/pragma.html#pragma_synchronous), so what
/// is acknowledged survives a power cut.
///
/// The loop and the journal's thread use it, each of them for one transaction at a time.
final class Journal: Sendable {
    let database: DatabaseQueue
    let path: String
    private let last: Guarded<Int64>

    /// The number of the last row that was written, whether retention has left it or not; 0 before the first.
    var lastRow: Int64 { last.withLock { $0 } }

    /// Bytes that the write-ahead log has at most once what is in it was taken over. It grows beyond that while somebody reads.
    static let logSize = 64 << 20

    /// Where the journal is in `statedir`.
    static func path(in stateDirectory: String) -> String { stateDirectory + "/journal.sqlite" }

    /// Opens the journal, and makes it when there is none. One that is damaged is not opened.
    init(path: String) throws(JournalError) {
        self.path = path
        let log = try WriteAheadLog(path: path + "-wal")
        if log.isDamaged {
            throw JournalError(
                .damaged, "open \(path)", "its -wal is damaged behind \(log.whole) transactions, and \(log.behindDamage) follow")
        }
        var configuration = Configuration()
        // Another process may look at the file with sqlite3 or take a backup; a reader doesn't block the writer in WAL mode. One who
        // writes does: no longer than subscribers wait for a beat.
        configuration.busyMode = .timeout(1)
        configuration.prepareDatabase { db in
            // Not by GRDB's journalMode, which sets synchronous to NORMAL: a commit would be acknowledged before it is on disk.
            try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            // What a burst or a reader made of the log is given back.
            try db.execute(sql: "PRAGMA journal_size_limit = \(Journal.logSize)")
            // Statements of hosts are untrusted text in a trusted schema.
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
        }
        do {
            database = try DatabaseQueue(path: path, configuration: configuration)
            try database.write { db in
                try Journal.prepare(db, path: path)
                try Journal.check(db, path: path)
            }
            let lastRow = try database.read { db in
                try Int64.fetchOne(db, sql: "SELECT max(ifnull((SELECT max(row) FROM event), 0), (SELECT row FROM kept))") ?? 0
            }
            last = Guarded(lastRow)
        } catch let error as JournalError {
            throw error
        } catch {
            throw JournalError(.unusable, "open \(path)", error)
        }
    }

    // MARK: Writing

    /// Notes the start of a term.
    func begin(_ term: Term, first: UInt64, now: Timestamp) throws(JournalError) {
        try write("begin a term") { db in
            try db.execute(
                sql: "INSERT INTO term (id, first, started) VALUES (?, ?, ?)",
                arguments: [term.description, Int64(first), now.milliseconds])
        }
    }

    /// Writes a batch in one transaction. When it returns, the batch is on disk; when it throws, nothing of it is.
    ///
    /// - Parameter now: the publisher's clock, for the streams whose positions changed.
    func append(_ batch: Ledger.Batch, now: Timestamp) throws(JournalError) {
        var row = lastRow
        try write("write \(batch.entries.count) events") { db in
            var insert = try BulkStatement(
                db, "INSERT INTO event (\(JournalRow.columnNames)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            for (admitted, entry) in batch.entries {
                row += 1
                try JournalRow.write(entry, admitted: admitted, row: row, by: &insert)
            }
            let place = try db.cachedStatement(
                sql: """
                    INSERT INTO position (host, stream, position, changed) VALUES (?, ?, ?, ?)
                    ON CONFLICT (host, stream) DO UPDATE SET position = excluded.position, changed = excluded.changed
                    """)
            for (stream, position) in batch.positions {
                try place.execute(arguments: [stream.host.description, stream.name, Int64(position), now.milliseconds])
            }
            let forget = try db.cachedStatement(sql: "DELETE FROM position WHERE host = ? AND stream = ?")
            for stream in batch.forgotten { try forget.execute(arguments: [stream.host.description, stream.name]) }
        }
        last.withLock { $0 = row }
    }

    /// Has SQLite take over its write-ahead log and close the file. Nothing may be asked or written from then on.
    func close() { try? database.close() }

    func write(_ what: String, _ work: (Database) throws -> Void) throws(JournalError) {
        do {
            try database.write(work)
        } catch {
            throw JournalError(.unusable, "\(what) in \(path)", error)
        }
    }

    func read<T>(_ what: String, _ work: (Database) throws -> T) throws(JournalError) -> T {
        do {
            return try database.read(work)
        } catch let error as JournalError {
            throw error
        } catch {
            throw JournalError(.unusable, "\(what) of \(path)", error)
        }
    }
}
