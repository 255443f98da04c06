// Fuzzing: rows of fail2ban's database with any values, since SQLite keeps what it is given. The texts in them may be an attacker's.

import Daemon
import GRDB
import Glibc
import Wire

@testable import Monitor

extension FuzzTarget {
    /// Rows of `bips`, of four fields each: ip, jail, timeofban, bantime. A field's first byte says its kind: n null, i integer,
    /// r real, b blob, and anything else text, itself included.
    static let databaseRows = FuzzTarget(name: "database-rows", longest: 1024) { input in
        let rows = input.messages.map { fields in (0..<4).map { $0 < fields.count ? BipsValue(fields[$0]) : .null } }
        try BipsTable.shared.withLock { table in try table.take(rows) }
    }
}

/// One value of a row.
private enum BipsValue: Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case blob([UInt8])
    /// Any bytes, UTF-8 or not.
    case text([UInt8])

    init(_ field: [UInt8]) {
        let rest = field.dropFirst()
        switch field.first {
        case UInt8(ascii: "n"): self = .null
        case UInt8(ascii: "i"): self = .integer(Int64(Array(rest).text) ?? 0)
        case UInt8(ascii: "r"): self = .real(Double(Array(rest).text) ?? 0)
        case UInt8(ascii: "b"): self = .blob(Array(rest))
        default: self = .text(field)
        }
    }

    /// How it stands in SQL. A text is cast from its bytes, since as an argument it would end at its first zero.
    var sql: String {
        switch self {
        case .null: "NULL"
        case .integer(let value): "\(value)"
        case .real(let value): value.isFinite ? "\(value)" : "9e999"
        case .blob(let bytes): BipsValue.hexadecimal(bytes)
        case .text(let bytes): "CAST(\(BipsValue.hexadecimal(bytes)) AS TEXT)"
        }
    }

    /// Whether a column of affinity TEXT (sqlite.org/datatype3.html) has a text of it that is the one.
    func isStored(as isTheOne: ([UInt8]) -> Bool) -> Bool {
        switch self {
        case .null, .blob: false
        case .integer(let value): isTheOne(Array("\(value)".utf8))
        // Its digits are SQLite's choice.
        case .real: true
        case .text(let bytes): isTheOne(bytes)
        }
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        "x'" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "'"
    }
}

/// A database with fail2ban's tables, in a file of its own, and the witness that reads it. Both stay: opening them takes milliseconds.
private final class BipsTable {
    static let shared = Guarded(BipsTable())

    private let path = "/dev/shm/fail2ban-cluster-fuzz-\(getpid()).sqlite"
    private let witness: Witness
    private var writer: DatabaseQueue?

    init() { witness = Witness(path: path) }

    /// The tables of fail2ban/server/database.py, without the promises that other programs need not keep.
    private func opened() throws -> DatabaseQueue {
        if let writer { return writer }
        unlink(path)
        let writer = try DatabaseQueue(path: path)
        atexit { unlink("/dev/shm/fail2ban-cluster-fuzz-\(getpid()).sqlite") }
        try writer.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE jails(name TEXT NOT NULL UNIQUE, enabled INTEGER NOT NULL DEFAULT 1);
                    CREATE TABLE bips(ip TEXT, jail TEXT, timeofban INTEGER, bantime INTEGER, PRIMARY KEY(ip, jail));
                    """)
        }
        self.writer = writer
        return writer
    }

    func take(_ rows: [[BipsValue]]) throws {
        try opened().write { database in
            try database.execute(sql: "DELETE FROM bips; DELETE FROM jails")
            for row in rows {
                try database.execute(sql: "INSERT OR REPLACE INTO bips VALUES (\(row.map(\.sql).joined(separator: ", ")))")
                try database.execute(sql: "INSERT OR IGNORE INTO jails VALUES (\(row[1].sql), 1)")
            }
        }
        try checkReading(rows)
        try checkAnswer(rows)
    }

    /// The list has the rows whose texts are a jail and an address, and comes to its end.
    private func checkReading(_ rows: [[BipsValue]]) throws {
        var reading = HoldsReading(madeAt: .whenFuzzing, position: 0, portion: 2)
        var portions = 0
        let jails = ReportedJails(MonitorSettings())
        while true {
            portions += 1
            try require(portions <= rows.count + 2, "it reads on for ever")
            let progress = reading.advance(witness, jails)
            if progress == .more { continue }
            if case .unavailable(let problem) = progress { try require(problem.isLasting, "\(problem)") }
            break
        }
        for hold in reading.gathering.holds {
            let isThere = rows.contains { row in
                row[0].isStored { Address(bytes: $0.span) == hold.address } && row[1].isStored { Jail($0.text) == hold.jail }
            }
            try require(isThere, "\(hold.jail) \(hold.address) is in no row")
        }
    }

    /// The answer to a question has rows that were asked for, and no others.
    private func checkAnswer(_ rows: [[BipsValue]]) throws {
        let keys = rows.compactMap { row -> HoldKey? in
            guard case .text(let ip) = row[0], case .text(let name) = row[1], let jail = Jail(name.text) else { return nil }
            return HoldKey(jail: jail, id: ip.text)
        }
        let question = WitnessQuestion(holds: keys, jails: Set(keys.map(\.jail)).sorted())
        switch witness.answer(question) {
        case .unavailable(let problem): try require(problem.isLasting, "\(problem)")
        case .testimony(let testimony):
            for key in testimony.rows.keys { try require(keys.contains(key), "\(key) was not asked for") }
            for row in testimony.rows.values {
                let end = Array(row.end.description.utf8)
                try require(BanEnd(bytes: end.span) == row.end, "an end that does not travel: \(row.end)")
            }
        }
    }
}
