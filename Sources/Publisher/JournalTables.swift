// Stage 2, report -> admission -> journal -> broadcast: the tables of what the journal's rows amount to, so that a start need not replay
// all of them.

import GRDB
import Wire

/// One record as its table has it.
struct KeptRecord: Equatable {
    var address: Address
    /// Empty when nothing is left of it: as long as the tables are not true up to its row, the rows before must not be added to it.
    var record: BanRecord
    /// The journal's row up to which it is true.
    var row: Int64
}

/// How far the tables are true.
struct KeptTruth: Equatable {
    /// The journal's row; 0 before the first.
    var row: Int64 = 0
    /// The number of the last announcement up to there; 0 before the first.
    var lastNumber: UInt64 = 0
}

/// What one transaction writes to the tables.
struct KeptPortion: Equatable {
    var records: [KeptRecord] = []
    /// Empty records that the tables need no more.
    var needless: [KeptRecord] = []
    /// Who holds, from the number on that is given.
    var holders: [BanTable.Holder] = []
    var firstHolder = 0
    /// How far the tables are true with this portion, if that changes.
    var truth: KeptTruth?

    var isEmpty: Bool { records.isEmpty && needless.isEmpty && truth == nil }
}

extension Journal {
    /// Writes a portion of the tables in one transaction.
    func keep(_ portion: KeptPortion) throws(JournalError) {
        try write("write \(portion.records.count) records") { db in
            let holder = try db.cachedStatement(sql: "INSERT OR REPLACE INTO holder (id, host, jail, plain) VALUES (?, ?, ?, ?)")
            for (index, one) in portion.holders.enumerated() {
                try holder.execute(
                    arguments: [portion.firstHolder + index, one.host.description, one.jail.description, one.isPlain ? 1 : 0])
            }
            var insert = try BulkStatement(
                db, "INSERT OR REPLACE INTO record (\(KeptRecord.columnNames)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
            for kept in portion.records { try kept.write(by: &insert) }
            let remove = try db.cachedStatement(sql: "DELETE FROM record WHERE address = ? AND row = ?")
            for kept in portion.needless { try remove.execute(arguments: [kept.address.description, kept.row]) }
            if let truth = portion.truth {
                try db.execute(sql: "UPDATE kept SET row = ?, number = ?", arguments: [truth.row, Int64(truth.lastNumber)])
            }
        }
    }

    /// How far the tables are true, who holds, and how many records there are.
    func kept() throws(JournalError) -> (truth: KeptTruth, holders: [BanTable.Holder], count: Int) {
        try read("read the tables") { db in
            let damage = JournalError(.damaged, "read the tables of \(self.path)", "a holder or how far they are true does not make sense")
            let row = try Row.fetchOne(db, sql: "SELECT row, number FROM kept")
            guard let row, let number = UInt64(exactly: row[1] as Int64) else { throw damage }
            var holders: [BanTable.Holder] = []
            let rows = try Row.fetchCursor(db, sql: "SELECT id, host, jail, plain FROM holder ORDER BY id")
            while let row = try rows.next() {
                guard row[0] == holders.count, let host = Hostname(row[1]), let jail = Jail(row[2]) else { throw damage }
                holders.append(BanTable.Holder(host: host, jail: jail, isPlain: row[3] as Int64 == 1))
            }
            let count = try Int.fetchOne(db, sql: "SELECT count(*) FROM record") ?? 0
            return (KeptTruth(row: row[0], lastNumber: number), holders, count)
        }
    }

    /// Calls `work` with every record, in no particular order.
    ///
    /// - Parameter holders: how many there are; a record that names another one is damaged.
    func eachKept(holders: Int, _ work: (KeptRecord) -> Void) throws(JournalError) {
        try read("read the tables") { db in
            let rows = try Row.fetchCursor(db, sql: "SELECT \(KeptRecord.columnNames) FROM record")
            while let row = try rows.next() {
                guard let kept = KeptRecord(row), kept.record.isOf(holders: holders) else {
                    throw JournalError(
                        .damaged, "read the tables of \(self.path)", "the record of \(row[0] as String) does not make sense")
                }
                work(kept)
            }
        }
    }
}

extension KeptRecord {
    fileprivate static let columnNames =
        "address, row, announced, lifted, holder, end, seen, more, order_holder, order_end, order_seen, allowed"

    /// - Parameter insert: has a parameter for each of ``columnNames``.
    fileprivate func write(by insert: inout BulkStatement) throws {
        insert.bind(address)
        insert.bind(row)
        insert.bind(record.announced)
        insert.bind(record.liftedAt == 0 ? nil : record.liftedAt)
        bind(record.holds.first, to: &insert)
        let more = record.holds.count < 2 ? "" : record.holds.dropFirst().map { "\($0.holder) \($0.end) \($0.seen)" }.joined(separator: ",")
        insert.bind(more.isEmpty ? nil : more)
        bind(record.order, to: &insert)
        insert.bind(record.allowedUntil == 0 ? nil : record.allowedUntil)
        try insert.run()
    }

    private func bind(_ hold: Hold?, to insert: inout BulkStatement) {
        insert.bind(hold.map { Int64($0.holder) })
        insert.bind(hold?.end)
        insert.bind(hold?.seen)
    }

    fileprivate init?(_ row: Row) {
        guard let address = Address(row[0] as String) else { return nil }
        var record = BanRecord()
        record.announced = row[2]
        record.liftedAt = row[3] ?? 0
        record.allowedUntil = row[11] ?? 0
        if let holder: Int64 = row[4] {
            guard let hold = Hold(holder, row[5], row[6]) else { return nil }
            record.holds = [hold]
        }
        if let more: String = row[7] {
            for text in more.split(separator: ",") {
                let numbers = text.split(separator: " ").map { Int64($0) }
                guard numbers.count == 3, let holder = numbers[0], let hold = Hold(holder, numbers[1], numbers[2]) else { return nil }
                record.holds.append(hold)
            }
        }
        if let holder: Int64 = row[8] {
            guard let order = Hold(holder, row[9], row[10]) else { return nil }
            record.order = order
        }
        self.init(address: address, record: record, row: row[1])
    }
}

extension Hold {
    fileprivate init?(_ holder: Int64, _ end: Int64?, _ seen: Int64?) {
        guard let holder = UInt32(exactly: holder), let end, let seen else { return nil }
        self.init(holder: holder, end: end, seen: seen)
    }
}

extension BanRecord {
    /// Whether all that hold are among the first so many.
    fileprivate func isOf(holders: Int) -> Bool { holds.allSatisfy { $0.holder < holders } && order.map { $0.holder < holders } ?? true }
}
