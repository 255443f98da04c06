// Stage 1, event -> report: reads fail2ban's database, which knows when a ban ends and whether an admin lifted it.

import GRDBSQLite
import Glibc
import Wire

/// fail2ban's SQLite database, read-only. The schema is that of fail2ban/server/database.py, version 4 (0.11 and later).
///
/// A reader's lock can hold up fail2ban, so a question is one short transaction and nothing stays open between questions but the
/// file itself, which is opened anew when another one stands at its path.
public final class Witness {
    /// Which file is open.
    struct Identity: Equatable {
        var device: UInt
        var inode: UInt
        var isPipe: Bool

        init?(path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
            isPipe = status.st_mode & S_IFMT == S_IFIFO
        }
    }

    let path: String?
    private var connection: (database: ReadOnlyDatabase, identity: Identity)?

    /// How long a question waits for fail2ban's own transactions, in milliseconds. They take a few; the loop waits meanwhile.
    private static let patience: Int32 = 100

    /// - Parameter path: `nil` when the monitor has to do without.
    public init(path: String?) { self.path = path }

    /// Looks once. Takes at most about a tenth of a second.
    public func answer(_ question: WitnessQuestion) -> WitnessAnswer {
        switch read({ database throws(SQLiteError) in try Witness.look(database, question) }) {
        case .success(let (testimony, _)): .testimony(testimony)
        case .failure(let problem): .unavailable(problem)
        }
    }

    /// One short read transaction, and the file that it read.
    func read<Found>(_ look: (ReadOnlyDatabase) throws(SQLiteError) -> Found) -> Result<(Found, Identity?), WitnessProblem> {
        guard let path else { return .failure(.none) }
        guard let identity = Identity(path: path) else {
            let code = errno
            connection = nil
            return .failure(code == ENOENT ? .missing(path) : .unreadable(path, String(cString: strerror(code))))
        }
        // SQLite would wait until somebody writes to it, and the loop with it.
        guard !identity.isPipe else {
            connection = nil
            return .failure(.unreadable(path, "it is a pipe"))
        }
        do throws(SQLiteError) {
            let found = try opened(path, identity).read(look)
            return .success((found, connection?.identity))
        } catch {
            let problem = Witness.problem(path, error)
            if problem.isLasting { connection = nil }
            return .failure(problem)
        }
    }

    private func opened(_ path: String, _ identity: Identity) throws(SQLiteError) -> ReadOnlyDatabase {
        if let connection, connection.identity == identity { return connection.database }
        connection = nil
        let database = try ReadOnlyDatabase(path: path, patience: Witness.patience)
        // Replaced while it was being opened: which one is open can't be told, so it is not kept.
        if Identity(path: path) == identity { connection = (database, identity) }
        return database
    }

    private static func look(_ database: ReadOnlyDatabase, _ question: WitnessQuestion) throws(SQLiteError) -> Testimony {
        var testimony = Testimony(rows: [:], jails: [])
        testimony.rows.reserveCapacity(question.holds.count)
        let row = try ReadOnlyStatement(database, "SELECT timeofban, bantime FROM bips WHERE ip = ? AND jail = ?")
        for hold in question.holds {
            try row.begin([.text(hold.id), .text(hold.jail.description)])
            guard try row.next() else { continue }
            testimony.rows[hold] = try BanRow(time: row.integer(0), banTime: row.integer(1))
        }
        // Jails that are stopped stay, with enabled = 0: lines of theirs may still be on the way to us.
        let names = try ReadOnlyStatement(database, "SELECT CAST(name AS TEXT) FROM jails WHERE name NOT NULL")
        while try names.next() {
            if let jail = names.text(0).flatMap({ Jail($0) }) { testimony.jails.insert(jail) }
        }
        let last = try ReadOnlyStatement(database, "SELECT bantime FROM bips WHERE jail = ? ORDER BY timeofban DESC LIMIT 1")
        for jail in question.jails where testimony.jails.contains(jail) {
            try last.begin([.text(jail.description)])
            guard try last.next() else { continue }
            testimony.lastBanTimes[jail] = last.integer(0)
        }
        return testimony
    }

    private static func problem(_ path: String, _ error: SQLiteError) -> WitnessProblem {
        switch error.code {
        case SQLITE_BUSY, SQLITE_LOCKED: .locked(path)
        case SQLITE_CANTOPEN: .unreadable(path, "run the monitor as root or with CAP_DAC_READ_SEARCH")
        case SQLITE_ERROR where error.message.hasPrefix("no such table: bips"): .tooOld(path)
        default: .unreadable(path, error.message)
        }
    }
}

extension BanRow {
    /// The columns `timeofban` and `bantime`. `bantime.rndtime` makes ban times with a fraction (fail2ban/server/jail.py,
    /// setBanTimeExtra), which SQLite keeps in a column of integers; it is cut off.
    ///
    /// - Throws: when they are no numbers. That is as if the row were damaged: nothing is concluded from it.
    init(time: Int64?, banTime: Int64?) throws(SQLiteError) {
        guard let time, let banTime else { throw SQLiteError(code: SQLITE_CORRUPT, message: "no numbers in bips") }
        self.init(timeOfBan: time, banTime: banTime)
    }
}
