// SQLite's C interface as the witness uses it: what a column may have, what a parameter may be, and what a transaction sees.

import GRDB
import GRDBSQLite
import Testing

@testable import Monitor

@Suite struct ReadOnlyDatabaseTests {
    private let folder: LogFolder
    private let writer: DatabaseQueue
    private let reader: ReadOnlyDatabase

    /// In WAL mode, where a reader doesn't keep the writer from committing.
    init() throws {
        folder = try LogFolder()
        var configuration = Configuration()
        configuration.journalMode = .wal
        writer = try DatabaseQueue(path: folder.folder + "/db", configuration: configuration)
        try writer.write { try $0.execute(sql: "CREATE TABLE counted(n)") }
        reader = try ReadOnlyDatabase(path: folder.folder + "/db", patience: 100)
    }

    /// The first row of what a question finds.
    private func first<Found>(
        _ sql: String, _ values: SQLiteValue..., look: (borrowing ReadOnlyStatement) -> Found
    ) throws -> Found {
        try reader.read { database throws(SQLiteError) in
            let statement = try ReadOnlyStatement(database, sql)
            try statement.begin(values)
            guard try statement.next() else { throw SQLiteError(code: SQLITE_NOTFOUND, message: "no row of \(sql)") }
            return look(statement)
        }
    }

    @Test(
        arguments: [
            ("-9223372036854775808", .min), ("9223372036854775807", .max), ("600.25", 600), ("-1.9", -1), ("-0.5", 0),
            ("-9223372036854775808.0", .min), ("9223372036854774784.0", 9_223_372_036_854_774_784),
            // 2^63, the first that is too much; infinity; and what SQLite makes of no number, NULL.
            ("9223372036854775808.0", nil), ("-9223372036854777856.0", nil), ("9e999", nil), ("-9e999", nil), ("9e999 - 9e999", nil),
            ("NULL", nil), ("'600'", nil), ("x'36'", nil),
        ] as [(String, Int64?)])
    func aNumberLosesItsFractionAndNothingElseIsOne(_ literal: String, _ expected: Int64?) throws {
        #expect(try first("SELECT \(literal)") { $0.integer(0) } == expected)
    }

    @Test(
        arguments: [
            ("'nginx'", "nginx"), ("''", ""), ("'a' || char(0) || 'b'", "a\0b"),
            ("CAST(x'61ff' AS TEXT)", nil), ("CAST(x'c3' AS TEXT)", nil), ("x'61'", nil), ("7", nil), ("NULL", nil),
        ] as [(String, String?)])
    func aTextIsWholeOrNone(_ literal: String, _ expected: String?) throws {
        #expect(try first("SELECT \(literal)") { $0.text(0) } == expected)
    }

    @Test(arguments: [[], [0], [0x61, 0, 0x62], [0xff, 0xc3]] as [[UInt8]])
    func aBlobIsTakenAndGivenByteForByteAndIsNeverNull(_ bytes: [UInt8]) throws {
        let (found, type) = try first("SELECT ?1, typeof(?1)", .blob(bytes)) { ($0.bytes(0), $0.text(1)) }
        #expect(found == bytes)
        #expect(type == "blob")
    }

    @Test(arguments: ["", "nginx", "192.0.2.1\u{0}2", "ünïcode"])
    func aTextIsTakenWithAllThatItHas(_ text: String) throws {
        let (found, type) = try first("SELECT CAST(?1 AS BLOB), typeof(?1)", .text(text)) { ($0.bytes(0), $0.text(1)) }
        #expect(found == Array(text.utf8))
        #expect(type == "text")
    }

    @Test func aParameterThatThereIsNotIsAnError() throws {
        #expect(throws: SQLiteError.self) { try first("SELECT ?", .integer(1), .integer(2)) { $0.integer(0) } }
    }

    @Test func allOfATransactionIsOfOneState() throws {
        func count(_ database: ReadOnlyDatabase) throws(SQLiteError) -> Int64? {
            let statement = try ReadOnlyStatement(database, "SELECT count(*) FROM counted")
            return try statement.next() ? statement.integer(0) : nil
        }
        var written = false
        let counts = try reader.read { database throws(SQLiteError) in
            let before = try count(database)
            written = (try? writer.write { try $0.execute(sql: "INSERT INTO counted VALUES (1)") }) != nil
            return [before, try count(database)]
        }
        #expect(written)
        #expect(counts == [0, 0])
        #expect(try reader.read(count) == 1)
    }

    @Test func whatFailsEndsItsTransactionAndTheNextOneReads() throws {
        for _ in 0..<3 {
            #expect(throws: SQLiteError.self) { try first("SELECT n FROM absent") { $0.integer(0) } }
            #expect(try first("SELECT count(*) FROM counted") { $0.integer(0) } == 0)
        }
    }

    @Test func nothingIsEverWritten() throws {
        do {
            _ = try first("INSERT INTO counted VALUES (1) RETURNING n") { $0.integer(0) }
            Issue.record("wrote into a database that is only to be read")
        } catch let error as SQLiteError {
            #expect(error.code == SQLITE_READONLY)
        }
    }
}
