// Stage 2, report -> admission -> journal -> broadcast: how many rows in a row get into SQLite.

import GRDB
import GRDBSQLite
import Glibc
import Wire

/// A statement that runs once for each of many rows. Its values go to SQLite as they are: GRDB makes a box for each and a list of them,
/// which takes longer than SQLite itself for the whole row. And SQLite keeps what a column had in the row before: a text that comes again,
/// as nearly all do but addresses, is not given again.
struct BulkStatement {
    private let database: Database
    private let statement: Statement
    private var column: Int32 = 0
    /// The text that each column has; `nil` where it has something else. The first column is 1.
    private var texts: [String?]
    /// Of an address, to be used again.
    private var text: [UInt8] = []

    init(_ database: Database, _ sql: String) throws {
        self.database = database
        statement = try database.cachedStatement(sql: sql)
        texts = Array(repeating: nil, count: Int(sqlite3_bind_parameter_count(statement.sqliteStatement)) + 1)
    }

    /// The value of the next column, from the first on.
    mutating func bind(_ value: Int64?) {
        column += 1
        texts[Int(column)] = nil
        if let value {
            sqlite3_bind_int64(statement.sqliteStatement, column, value)
        } else {
            sqlite3_bind_null(statement.sqliteStatement, column)
        }
    }

    mutating func bind(_ value: String?) {
        guard var value else { return bind(nil as Int64?) }
        column += 1
        let before = texts[Int(column)]
        let isSame = value.withUTF8 { bytes in
            if let before, isText(before, bytes) { return true }
            bind(bytes)
            return false
        }
        if !isSame { texts[Int(column)] = value }
    }

    /// Byte for byte: `==` takes texts for the same that Unicode writes in several ways.
    private func isText(_ text: String, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var text = text
        return text.withUTF8 { known in
            guard let start = bytes.baseAddress, known.count == bytes.count else { return false }
            return known.baseAddress.map { memcmp($0, start, bytes.count) == 0 } ?? false
        }
    }

    mutating func bind(_ address: Address) {
        column += 1
        texts[Int(column)] = nil
        text.removeAll(keepingCapacity: true)
        address.append(to: &text)
        text.withUnsafeBufferPointer { bind($0) }
    }

    private func bind(_ bytes: UnsafeBufferPointer<UInt8>) {
        bytes.withMemoryRebound(to: CChar.self) {
            _ = sqlite3_bind_text(statement.sqliteStatement, column, $0.baseAddress, Int32($0.count), BulkStatement.copied)
        }
    }

    /// Runs it with what was bound, one value for each of its columns.
    mutating func run() throws {
        column = 0
        let code = sqlite3_step(statement.sqliteStatement)
        let message = code == SQLITE_DONE ? nil : String(cString: sqlite3_errmsg(database.sqliteConnection))
        sqlite3_reset(statement.sqliteStatement)
        guard code == SQLITE_DONE else {
            throw DatabaseError(resultCode: ResultCode(rawValue: code), message: message, sql: statement.sql)
        }
    }

    /// SQLITE_TRANSIENT, which Swift doesn't take over from C: SQLite copies the bytes before the call returns.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
}
