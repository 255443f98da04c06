// Stage 1, event -> report: reads all bans of fail2ban's database, a portion at a time, so that fail2ban is not held up.

import Wire

/// Where a reading of the table `bips` stands. Rows are taken in the order of the primary key, which a new ban does not move: a row that
/// stands from the first portion to the last is read once. What comes and goes between two portions has its line in the log, and that is
/// later than the list.
struct HoldsReading {
    /// Rows of a portion: one read transaction of some 10 ms.
    static let portion = 2000

    /// When it began.
    let madeAt: Timestamp
    /// The stream's position then.
    let position: UInt64
    fileprivate(set) var gathering = HoldsGathering()
    /// The key of the row that was read last, which sorts behind all those before; at first before all.
    fileprivate var last: (id: [UInt8], jail: [UInt8]) = ([], [])
    fileprivate var database: Witness.Identity?

    private let portion: Int

    /// - Parameter portion: rows read at once; another number than ``portion`` is for tests.
    init(madeAt: Timestamp, position: UInt64, portion: Int = HoldsReading.portion) {
        self.madeAt = madeAt
        self.position = position
        self.portion = portion
    }

    enum Progress: Equatable {
        case more
        case done
        /// Nothing is concluded from what was read so far.
        case unavailable(WitnessProblem)
    }

    /// A ban that was reported before its row was there. The row counts if it came meanwhile.
    mutating func add(_ hold: Hold) {
        let earliest = hold.seen.advanced(byMilliseconds: -BanRow.freshness * 1000)
        if let row = gathering[hold.jail, hold.address], row.seen >= earliest { return }
        gathering.add(hold)
    }

    /// What the host reports meanwhile: the publisher gets it before the list.
    mutating func note(_ event: Event) { _ = gathering.note(event) }

    /// Reads the next rows.
    mutating func advance(_ witness: Witness, _ jails: ReportedJails) -> Progress {
        let rows: [BipsRow]
        switch witness.read({ database throws(SQLiteError) in try HoldsReading.rows(database, after: last, limit: portion) }) {
        case .success(let (found, identity)):
            // Another file: what was read is of the former. Or nobody can tell which one.
            guard let identity, database == nil || database == identity else { return .unavailable(.missing(witness.path ?? "")) }
            database = identity
            rows = found
        case .failure(let problem): return .unavailable(problem)
        }
        if let row = rows.last { last = (row.id, row.jail) }
        for row in rows where row.ban.isCurrent(at: madeAt.advanced(byMilliseconds: -1000)) {
            // fail2ban bans any text; what is no address can't travel.
            guard let jail = Jail(bytes: row.jail.span), jails.contains(jail), let address = Address(bytes: row.id.span) else { continue }
            gathering.add(Hold(jail: jail, address: address, seen: row.ban.seen, end: row.ban.end))
        }
        return rows.count < portion ? .done : .more
    }

    /// Jails that are stopped are read too: fail2ban marks all its jails so when it stops itself, and a stop lifts nothing.
    private static func rows(
        _ database: ReadOnlyDatabase, after last: (id: [UInt8], jail: [UInt8]), limit: Int
    ) throws(SQLiteError) -> [BipsRow] {
        let statement = try ReadOnlyStatement(
            database,
            """
            SELECT CAST(ip AS BLOB), CAST(jail AS BLOB), timeofban, bantime FROM bips
            WHERE typeof(ip) = 'text' AND typeof(jail) = 'text' AND (ip, jail) > (CAST(? AS TEXT), CAST(? AS TEXT))
            ORDER BY ip, jail LIMIT ?
            """)
        try statement.begin([.blob(last.id), .blob(last.jail), .integer(Int64(limit))])
        var rows: [BipsRow] = []
        while try statement.next() {
            let ban = try BanRow(time: statement.integer(2), banTime: statement.integer(3))
            rows.append(BipsRow(id: statement.bytes(0), jail: statement.bytes(1), ban: ban))
        }
        return rows
    }
}

/// A row with its key byte for byte: texts may have zeros, or not be UTF-8, and would come back as others.
private struct BipsRow {
    let id: [UInt8]
    let jail: [UInt8]
    let ban: BanRow
}

extension BanRow {
    /// When fail2ban banned.
    var seen: Timestamp {
        let (milliseconds, overflow) = timeOfBan.multipliedReportingOverflow(by: 1000)
        return overflow ? .latest : Timestamp(milliseconds: milliseconds)
    }
}
