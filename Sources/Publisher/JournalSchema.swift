// Stage 2, report -> admission -> journal -> broadcast: the journal's tables.

import GRDB

extension Journal {
    /// The version of the tables below, in `user_version`.
    static let schemaVersion: Int32 = 3
    /// "F2BC", so that file(1) and a mistaken path tell this file from any other database.
    static let applicationID: Int32 = 0x4632_4243

    /// Makes the tables of a new file, and refuses a file that has others.
    static func prepare(_ db: Database, path: String) throws {
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let version = try Int32.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        if tables == 0 {
            try db.execute(sql: schema)
        } else if application != applicationID {
            throw JournalError(.foreign, "open \(path)", "it is a database of another program")
        } else if version != schemaVersion {
            throw JournalError(
                version > schemaVersion ? .newer : .older, "open \(path)",
                "its tables have version \(version), and this program knows \(schemaVersion)")
        }
    }

    private static let schema = """
        PRAGMA application_id = \(applicationID);
        PRAGMA user_version = \(schemaVersion);
        CREATE TABLE term (
            id      TEXT PRIMARY KEY,
            first   INTEGER NOT NULL,   -- the number of its first announcement
            started INTEGER NOT NULL    -- milliseconds since the epoch, as all times
        ) STRICT;
        CREATE TABLE event (
            row      INTEGER PRIMARY KEY,
            number   INTEGER,           -- of the announcement, if one was made
            kind     TEXT NOT NULL,     -- admitted, refused or announced (by the publisher itself)
            admitted INTEGER NOT NULL,
            seen     INTEGER,
            host     TEXT NOT NULL,
            jail     TEXT,
            action   TEXT,
            address  TEXT,
            end      INTEGER,           -- -1 is permanent, NULL unknown; of an operator's Unban: until when the address is allowed
            cause    TEXT,
            plain    INTEGER NOT NULL,  -- 1 from a client of fail2ban-zmq-tools
            move     INTEGER NOT NULL,  -- 1 decided later than its place in the log
            line     TEXT,              -- the announcement's line where it isn't that of this row
            refusal  TEXT               -- why it was refused
        ) STRICT;
        -- Numbers only grow, so this index is appended to.
        CREATE UNIQUE INDEX event_number ON event (number) WHERE number IS NOT NULL;
        CREATE TABLE position (
            host     TEXT NOT NULL,
            stream   TEXT NOT NULL,
            position INTEGER NOT NULL,
            changed  INTEGER NOT NULL,
            PRIMARY KEY (host, stream)
        ) STRICT, WITHOUT ROWID;

        -- What the rows of `event` amount to. It is written lazily: kept.row says up to which row it is true, and what came after that
        -- must be added; but a record may be ahead of that, up to its own row.
        CREATE TABLE kept (
            id     INTEGER PRIMARY KEY CHECK (id = 1),
            row    INTEGER NOT NULL,
            number INTEGER NOT NULL     -- of the last announcement up to there
        ) STRICT;
        INSERT INTO kept VALUES (1, 0, 0);
        CREATE TABLE holder (
            id    INTEGER PRIMARY KEY,
            host  TEXT NOT NULL,
            jail  TEXT NOT NULL,
            plain INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE record (
            address      TEXT PRIMARY KEY,
            row          INTEGER NOT NULL,
            announced    INTEGER,       -- the end that was announced; NULL: it is not banned. 9223372036854775807 is permanent
            lifted       INTEGER,       -- when an operator lifted everything
            holder       INTEGER,       -- its first hold, with its end and when it was seen
            end          INTEGER,
            seen         INTEGER,
            more         TEXT,          -- further holds: holder end seen, and a comma before the next
            order_holder INTEGER,       -- an operator's ban
            order_end    INTEGER,
            order_seen   INTEGER,
            allowed      INTEGER        -- until when an operator allows it; NULL: not at all. 9223372036854775807 is for ever
        ) STRICT, WITHOUT ROWID;
        """
}
