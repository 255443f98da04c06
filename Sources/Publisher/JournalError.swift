// Stage 2, report -> admission -> journal -> broadcast: what can go wrong with the journal, and what the operator can do.

import GRDB

/// Why the journal could not be opened, read or written.
struct JournalError: Error, Equatable, CustomStringConvertible {
    enum Code: Equatable {
        /// SQLite refused: the disk is full, the file can't be written, or it is locked.
        case unusable
        /// The file is not a journal.
        case foreign
        /// The file is a journal of a newer version.
        case newer
        /// The file is a journal of an older version.
        case older
        /// A row does not make sense.
        case damaged
    }

    var code: Code
    /// What was tried, and on which file.
    var context: String
    var reason: String

    init(_ code: Code, _ context: String, _ reason: String) {
        self.code = code
        self.context = context
        self.reason = reason
    }

    init(_ code: Code, _ context: String, _ error: any Error) {
        let database = error as? DatabaseError
        let isDamaged = database?.resultCode == .SQLITE_CORRUPT || database?.resultCode == .SQLITE_NOTADB
        self.init(isDamaged ? .damaged : code, context, database?.message ?? "\(error)")
    }

    /// What the operator can do.
    var hint: String {
        switch code {
        case .unusable: "see that the disk has space and that the folder belongs to the publisher's user"
        case .foreign: "point statedir at a folder of the publisher's own"
        case .newer: "run the version of fail2ban-publisher that wrote it, or a newer one"
        case .older:
            "run the version of fail2ban-publisher that wrote it, or move it away to begin an empty one, which the hosts fill again"
        case .damaged:
            "restore the journal from a backup, or move it away with its -wal and -shm to begin an empty one, which the hosts fill again"
        }
    }

    var description: String { "can't \(context): \(reason); \(hint)" }
}
