// Stage 1, event -> report: SQLite as far as the witness needs it, which is reading, by SQLite's own C interface.

import GRDBSQLite

/// An SQLite database that is only read, by one thread at a time.
///
/// Not by GRDB, as the publisher's journal is: that brings Foundation, 48 MB of a static program, for four SELECTs.
final class ReadOnlyDatabase {
    fileprivate let handle: OpaquePointer

    /// - Parameter patience: milliseconds that somebody else's lock is waited for (sqlite.org/c3ref/busy_timeout.html).
    init(path: String, patience: Int32) throws(SQLiteError) {
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let handle else {
            let error = SQLiteError(code, handle)
            // After most failures there is one all the same (sqlite.org/c3ref/open.html).
            sqlite3_close(handle)
            throw error
        }
        sqlite3_busy_timeout(handle, patience)
        self.handle = handle
    }

    /// Its statements are gone by then: each keeps it.
    deinit { sqlite3_close(handle) }

    /// One transaction: all that `look` sees is of one state. However it ends, no lock is left.
    func read<Found>(_ look: (ReadOnlyDatabase) throws(SQLiteError) -> Found) throws(SQLiteError) -> Found {
        let code = sqlite3_exec(handle, "BEGIN", nil, nil, nil)
        guard code == SQLITE_OK else { throw SQLiteError(code, handle) }
        // There is nothing to commit.
        defer { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
        return try look(self)
    }
}

/// What a parameter of a statement gets.
enum SQLiteValue {
    case integer(Int64)
    /// All of it, also what is behind a zero.
    case text(String)
    case blob([UInt8])
}

/// A statement of a ``ReadOnlyDatabase``. It holds the database's lock as long as it stands on a row, so it must not outlive the
/// transaction in which it was made.
struct ReadOnlyStatement: ~Copyable {
    private let database: ReadOnlyDatabase
    private let handle: OpaquePointer

    init(_ database: ReadOnlyDatabase, _ sql: String) throws(SQLiteError) {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v2(database.handle, sql, -1, &handle, nil)
        guard code == SQLITE_OK, let handle else { throw SQLiteError(code, database.handle) }
        self.database = database
        self.handle = handle
    }

    deinit { sqlite3_finalize(handle) }

    /// Begins anew, before the first row, with one value for each of the parameters in their order.
    func begin(_ values: [SQLiteValue]) throws(SQLiteError) {
        // What it returns was thrown before: it is the failure of the last step.
        sqlite3_reset(handle)
        for (index, value) in zip(Int32(1)..., values) {
            let code = bind(value, at: index)
            // A parameter that was not taken would be NULL, and the row that was asked for seem to be gone.
            guard code == SQLITE_OK else { throw SQLiteError(code, database.handle) }
        }
    }

    private func bind(_ value: SQLiteValue, at index: Int32) -> Int32 {
        switch value {
        case .integer(let number): sqlite3_bind_int64(handle, index, number)
        case .text(let text): sqlite3_bind_text(handle, index, text, Int32(text.utf8.count), ReadOnlyStatement.copied)
        // No bytes may have no place, and without one SQLite binds NULL.
        case .blob(let bytes) where bytes.isEmpty: sqlite3_bind_zeroblob(handle, index, 0)
        case .blob(let bytes): sqlite3_bind_blob(handle, index, bytes, Int32(bytes.count), ReadOnlyStatement.copied)
        }
    }

    /// Goes to the next row.
    ///
    /// - Returns: whether there is one.
    func next() throws(SQLiteError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw SQLiteError(code, database.handle)
        }
    }

    // MARK: - The columns of the row, the first is 0

    /// A number without its fraction; `nil` when the column has none, or one that is out of range.
    func integer(_ column: Int32) -> Int64? {
        switch sqlite3_column_type(handle, column) {
        case SQLITE_INTEGER: sqlite3_column_int64(handle, column)
        case SQLITE_FLOAT: Int64(exactly: sqlite3_column_double(handle, column).rounded(.towardZero))
        default: nil
        }
    }

    /// A text with what is behind a zero; `nil` when the column has none, or one that is not UTF-8.
    func text(_ column: Int32) -> String? {
        guard sqlite3_column_type(handle, column) == SQLITE_TEXT, let start = sqlite3_column_text(handle, column) else { return nil }
        let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
        return String(validating: bytes, as: UTF8.self)
    }

    /// A blob.
    func bytes(_ column: Int32) -> [UInt8] {
        let start = sqlite3_column_blob(handle, column)
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    }

    /// SQLITE_TRANSIENT, which Swift doesn't take over from C: SQLite copies the bytes before the call returns.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
}

/// Why SQLite did not do something.
struct SQLiteError: Error {
    /// The primary result code (sqlite.org/rescode.html).
    let code: Int32
    /// SQLite's words.
    let message: String

    init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }

    /// The failure of the last call.
    fileprivate init(_ code: Int32, _ handle: OpaquePointer?) {
        self.init(code: code & 0xff, message: String(cString: sqlite3_errmsg(handle)))
    }
}
