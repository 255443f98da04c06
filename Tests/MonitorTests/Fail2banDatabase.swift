// Test support: a database as fail2ban writes it, which a test fills, locks and damages.

import GRDB
import Glibc

/// A database as fail2ban 1.0.2 makes it (fail2ban/server/database.py).
final class Fail2banDatabase {
    let path: String
    private let queue: DatabaseQueue

    init(_ path: String) throws {
        self.path = path
        var configuration = Configuration()
        configuration.journalMode = .default
        queue = try DatabaseQueue(path: path, configuration: configuration)
        try execute(
            """
            CREATE TABLE fail2banDb(version INTEGER);
            INSERT INTO fail2banDb VALUES (4);
            CREATE TABLE jails(name TEXT NOT NULL UNIQUE, enabled INTEGER NOT NULL DEFAULT 1);
            CREATE TABLE bips(ip TEXT NOT NULL, jail TEXT NOT NULL, timeofban INTEGER NOT NULL, bantime INTEGER NOT NULL,
                bancount INTEGER NOT NULL DEFAULT 1, data JSON, PRIMARY KEY(ip, jail),
                FOREIGN KEY(jail) REFERENCES jails(name));
            CREATE INDEX bips_timeofban ON bips(timeofban);
            CREATE INDEX bips_ip ON bips(ip);
            INSERT INTO jails VALUES ('sshd', 1), ('a name that may not travel', 1);
            """)
    }

    func execute(_ sql: String) throws { try queue.write { try $0.execute(sql: sql) } }

    func ban(_ jail: String, _ id: String, time: Int64, banTime: Int64) throws {
        try queue.write {
            try $0.execute(sql: "INSERT OR REPLACE INTO bips VALUES (?, ?, ?, ?, 1, '{}')", arguments: [id, jail, time, banTime])
        }
    }

    /// Bans this many addresses in the jail sshd for 600 s: 10.0.0.0, 10.0.0.1 and so on.
    func banMany(_ count: Int, time: Int64) throws {
        try execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < \(count - 1))
            INSERT INTO bips SELECT '10.' || (i / 65536) || '.' || (i / 256 % 256) || '.' || (i % 256), 'sshd', \(time), 600, 1, '{}' FROM n
            """)
    }

    func unban(_ jail: String, _ id: String) throws {
        try queue.write { try $0.execute(sql: "DELETE FROM bips WHERE jail = ? AND ip = ?", arguments: [jail, id]) }
    }

    /// Holds the lock that fail2ban has while it commits.
    func exclusively(_ work: (Database) throws -> Void) throws {
        try queue.writeWithoutTransaction { database in
            try database.inTransaction(.exclusive) {
                try work(database)
                return .commit
            }
        }
    }

    func close() throws { try queue.close() }

    /// Closes it and overwrites pages of the file, by their numbers from 0 on.
    ///
    /// - Parameter pages: gets how many there are.
    func damage(_ pages: (Int) -> Range<Int>) throws {
        try close()
        let descriptor = open(path, O_WRONLY)
        defer { Glibc.close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        let noise = [UInt8](repeating: 0xa5, count: 4096)
        for page in pages(Int(status.st_size) / 4096) { pwrite(descriptor, noise, noise.count, off_t(page * 4096)) }
    }
}
