// Stage 2, report -> admission -> journal -> broadcast: what is on disk. Acknowledged means it is in here.

import GRDB
import Wire

/// The append-only journal: one row per accepted event, refusal and announcement of the publisher's own, in one SQLite file.
///
/// WAL with synchronous=FULL: a commit returns after the log was synced to disk (sqlite.org/pragma.html#pragma_synchronous), so what
/// is acknowledged survives a power cut.
final class Journal {
    private let database: DatabaseQueue
    let path: String

    /// The version of the tables below, in `user_version`.
    static let schemaVersion: Int32 = 1
    /// "F2BC", so that file(1) and a mistaken path tell this file from any other database.
    static let applicationID: Int32 = 0x4632_4243

    /// Where the journal is in `statedir`.
    static func path(in stateDirectory: String) -> String { stateDirectory + "/journal.sqlite" }

    /// Opens the journal, and makes it when there is none.
    init(path: String) throws(JournalError) {
        self.path = path
        var configuration = Configuration()
        // Another process may look at the file with sqlite3 or take a backup; a reader doesn't block the writer in WAL mode. One who
        // writes does: no longer than subscribers wait for a beat.
        configuration.busyMode = .timeout(1)
        configuration.prepareDatabase { db in
            // Not by GRDB's journalMode, which sets synchronous to NORMAL: a commit would be acknowledged before it is on disk.
            try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            // Statements of hosts are untrusted text in a trusted schema.
            try db.execute(sql: "PRAGMA trusted_schema = OFF")
        }
        do {
            database = try DatabaseQueue(path: path, configuration: configuration)
            try database.write { db in
                try Journal.prepare(db, path: path)
                // Numbers only grow, so this index is appended to.
                try db.execute(sql: "CREATE UNIQUE INDEX IF NOT EXISTS event_number ON event (number) WHERE number IS NOT NULL")
            }
        } catch let error as JournalError {
            throw error
        } catch {
            throw JournalError(.unusable, "open \(path)", error)
        }
    }

    private static func prepare(_ db: Database, path: String) throws {
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int32.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        if tables == 0 {
            try db.execute(sql: schema)
        } else if application != applicationID {
            throw JournalError(.foreign, "open \(path)", "it is a database of another program")
        } else if version != schemaVersion {
            throw JournalError(.version, "open \(path)", "its tables have version \(version), and this program knows \(schemaVersion)")
        }
    }

    private static let schema = """
        PRAGMA application_id = \(applicationID);
        PRAGMA user_version = \(schemaVersion);
        CREATE TABLE term (
            id      TEXT PRIMARY KEY,
            first   INTEGER NOT NULL,   -- the number of its first announcement
            started INTEGER NOT NULL    -- milliseconds since the epoch
        ) STRICT;
        CREATE TABLE event (
            row      INTEGER PRIMARY KEY,
            number   INTEGER,           -- of the announcement, if one was made
            kind     TEXT NOT NULL,     -- admitted, refused or announced (by the publisher itself)
            admitted INTEGER NOT NULL,  -- milliseconds since the epoch, all times
            seen     INTEGER,
            host     TEXT NOT NULL,
            jail     TEXT,
            action   TEXT,
            address  TEXT,
            end      INTEGER,           -- -1 is permanent, NULL unknown
            cause    TEXT,
            plain    INTEGER NOT NULL,  -- 1 from a client of fail2ban-zmq-tools
            move     INTEGER NOT NULL,  -- 1 decided later than its place in the log
            line     TEXT,              -- the announcement's line where it isn't that of this row
            refusal  TEXT               -- why it was refused
        ) STRICT;
        CREATE TABLE position (
            host     TEXT NOT NULL,
            stream   TEXT NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (host, stream)
        ) STRICT, WITHOUT ROWID;
        """

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
    func append(_ batch: Ledger.Batch) throws(JournalError) {
        try write("write \(batch.entries.count) events") { db in
            let insert = try db.cachedStatement(
                sql: """
                    INSERT INTO event (number, kind, admitted, seen, host, jail, action, address, end, cause, plain, move, line, refusal)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """)
            for (admitted, entry) in batch.entries {
                insert.setUncheckedArguments(JournalRow.arguments(of: entry, admitted: admitted))
                try insert.execute()
            }
            let place = try db.cachedStatement(
                sql: """
                    INSERT INTO position (host, stream, position) VALUES (?, ?, ?)
                    ON CONFLICT (host, stream) DO UPDATE SET position = excluded.position
                    """)
            for (stream, position) in batch.positions {
                try place.execute(arguments: [stream.host.description, stream.name, Int64(position)])
            }
        }
    }

    private func write(_ what: String, _ work: (Database) throws -> Void) throws(JournalError) {
        do {
            try database.write(work)
        } catch {
            throw JournalError(.unusable, "\(what) in \(path)", error)
        }
    }

    // MARK: Reading

    /// Calls `work` with every row in order.
    func replay(_ work: (JournalEntry, _ admitted: Timestamp) -> Void) throws(JournalError) {
        try read("replay") { db in
            let rows = try Row.fetchCursor(
                db,
                sql: "SELECT \(JournalRow.columnNames) FROM event ORDER BY row")
            while let row = try rows.next() {
                guard let (entry, admitted) = JournalRow.entry(row) else {
                    throw JournalError(.damaged, "replay \(self.path)", "row \(row[0] as Int64) does not make sense")
                }
                work(entry, admitted)
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

    private func read<T>(_ what: String, _ work: (Database) throws -> T) throws(JournalError) -> T {
        do {
            return try database.read(work)
        } catch let error as JournalError {
            throw error
        } catch {
            throw JournalError(.unusable, "\(what) of \(path)", error)
        }
    }
}

extension Journal {
    /// SQLite's `synchronous` of this connection: 2 is FULL.
    func synchronousMode() throws -> Int { try database.read { try Int.fetchOne($0, sql: "PRAGMA synchronous") ?? 0 } }

    /// The most pages of 4,096 bytes that the file may have; a write beyond them fails as on a full disk.
    func limitPages(to count: Int) throws {
        try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(count)") }
    }
}
