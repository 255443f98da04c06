// Stage 1, event -> report: reads fail2ban's database, which knows when a ban ends and whether an admin lifted it.

import GRDB
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

        init?(path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
        }
    }

    let path: String?
    private var connection: (queue: DatabaseQueue, identity: Identity)?

    /// How long a question waits for fail2ban's own transactions, in seconds. They take milliseconds; the loop waits meanwhile.
    private static let patience = 0.1

    /// - Parameter path: `nil` when the monitor has to do without.
    public init(path: String?) { self.path = path }

    /// Closes the file and leaves the connection's memory to the process: libdispatch wakes up each second for ever once a queue of its
    /// kind was freed, and each connection has one. The checks at a start make one that is not the service's.
    deinit {
        guard let queue = connection?.queue else { return }
        try? queue.close()
        _ = Unmanaged.passRetained(queue)
    }

    /// Looks once. Takes at most about a tenth of a second.
    public func answer(_ question: WitnessQuestion) -> WitnessAnswer {
        switch read({ try Witness.look($0, question) }) {
        case .success(let (testimony, _)): .testimony(testimony)
        case .failure(let problem): .unavailable(problem)
        }
    }

    /// One short read transaction, and the file that it read.
    func read<Found>(_ look: (Database) throws -> Found) -> Result<(Found, Identity?), WitnessProblem> {
        guard let path else { return .failure(.none) }
        do {
            let found = try opened(path).read(look)
            return .success((found, connection?.identity))
        } catch let problem as WitnessProblem {
            return .failure(problem)
        } catch let error as DatabaseError {
            let problem = Witness.problem(path, error)
            if problem.isLasting { connection = nil }
            return .failure(problem)
        } catch {
            connection = nil
            return .failure(.unreadable(path, "\(error)"))
        }
    }

    private func opened(_ path: String) throws -> DatabaseQueue {
        guard let identity = Identity(path: path) else {
            connection = nil
            throw errno == ENOENT ? WitnessProblem.missing(path) : .unreadable(path, String(cString: strerror(errno)))
        }
        if let connection, connection.identity == identity { return connection.queue }
        connection = nil
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(Witness.patience)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        // Replaced while it was being opened: which one is open can't be told, so it is not kept.
        if Identity(path: path) == identity { connection = (queue, identity) }
        return queue
    }

    private static func look(_ database: Database, _ question: WitnessQuestion) throws -> Testimony {
        var testimony = Testimony(rows: [:], jails: [])
        testimony.rows.reserveCapacity(question.holds.count)
        let row = try database.cachedStatement(sql: "SELECT timeofban, bantime FROM bips WHERE ip = ? AND jail = ?")
        for hold in question.holds {
            guard let found = try Row.fetchOne(row, arguments: [hold.id, hold.jail.description]) else { continue }
            testimony.rows[hold] = try BanRow(time: found[0], banTime: found[1])
        }
        // Jails that are stopped stay, with enabled = 0: lines of theirs may still be on the way to us.
        for name in try String.fetchAll(database.cachedStatement(sql: "SELECT CAST(name AS TEXT) FROM jails WHERE name NOT NULL")) {
            if let jail = Jail(name) { testimony.jails.insert(jail) }
        }
        let last = try database.cachedStatement(sql: "SELECT bantime FROM bips WHERE jail = ? ORDER BY timeofban DESC LIMIT 1")
        for jail in question.jails where testimony.jails.contains(jail) {
            guard let found = try Row.fetchOne(last, arguments: [jail.description]) else { continue }
            testimony.lastBanTimes[jail] = Int64.fromDatabaseValue(found[0])
        }
        return testimony
    }

    private static func problem(_ path: String, _ error: DatabaseError) -> WitnessProblem {
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED: .locked(path)
        case .SQLITE_CANTOPEN: .unreadable(path, "run the monitor as root or with CAP_DAC_READ_SEARCH")
        case .SQLITE_ERROR where error.message?.hasPrefix("no such table: bips") ?? false: .tooOld(path)
        default: .unreadable(path, error.message ?? "SQLite error \(error.resultCode.rawValue)")
        }
    }
}

extension BanRow {
    /// The columns `timeofban` and `bantime`. `bantime.rndtime` makes ban times with a fraction (fail2ban/server/jail.py,
    /// setBanTimeExtra), which SQLite keeps in a column of integers; GRDB cuts it off.
    ///
    /// - Throws: when they are no numbers. That is as if the row were damaged: nothing is concluded from it.
    init(time: DatabaseValue, banTime: DatabaseValue) throws(DatabaseError) {
        guard let time = Int64.fromDatabaseValue(time), let banTime = Int64.fromDatabaseValue(banTime) else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "no numbers in bips")
        }
        self.init(timeOfBan: time, banTime: banTime)
    }
}
