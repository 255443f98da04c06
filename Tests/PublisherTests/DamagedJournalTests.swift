// A journal that is damaged on disk is refused with its remedy, and one whose end was only being written is not.

import Glibc
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct DamagedJournalTests {
    let folder: TemporaryFolder
    var path: String { folder("journal.sqlite") }

    init() throws { folder = try TemporaryFolder() }

    /// A journal of several hundred pages; `transactions` of it are in the log alone, as after a kill.
    func make(transactions: Int = 0) throws {
        var ledger = RandomHistory.ledger()
        var journal: Journal? = try Journal(path: folder("made.sqlite"))
        func write(_ count: Int) throws {
            let addresses = try (0..<count).map {
                try address("2001:db8:\(String(ledger.nextNumber, radix: 16)):\(String($0, radix: 16))::1")
            }
            _ = ledger.take(Order(.ban, now: at(0), end: .permanent, addresses: addresses), from: try host("admin"), now: at(0))
            try journal?.append(ledger.pending)
            _ = ledger.commit()
        }
        for _ in 0..<20 { try write(200) }
        var tables = KeptTables(now: .now)
        tables.begin(&ledger, lastRow: journal?.lastRow ?? 0, now: .now)
        try journal?.keep(tables.nextPortion(of: ledger.table, lastRow: journal?.lastRow ?? 0, limit: 10_000))
        if transactions > 0 {
            // The last one to close takes everything over and begins with an empty log.
            journal = nil
            journal = try Journal(path: folder("made.sqlite"))
            for _ in 0..<transactions { try write(1) }
            try copy("made.sqlite-wal", "journal.sqlite-wal")
        } else {
            journal = nil
        }
        try copy("made.sqlite", "journal.sqlite")
    }

    func copy(_ from: String, _ to: String) throws {
        var bytes = try bytes(from)
        try write(&bytes, to)
    }

    func bytes(_ name: String) throws -> [UInt8] {
        let file = try #require(fopen(folder(name), "re"))
        defer { fclose(file) }
        fseek(file, 0, SEEK_END)
        var bytes = [UInt8](repeating: 0, count: ftell(file))
        rewind(file)
        try #require(fread(&bytes, 1, bytes.count, file) == bytes.count)
        return bytes
    }

    func write(_ bytes: inout [UInt8], _ name: String) throws {
        let file = try #require(fopen(folder(name), "we"))
        defer { fclose(file) }
        try #require(fwrite(&bytes, 1, bytes.count, file) == bytes.count)
    }

    func rows() throws -> Int {
        var rows = 0
        try Journal(path: path).replay { _, _, _ in rows += 1 }
        return rows
    }

    @Test func aWholeJournalIsOpened() throws {
        try make(transactions: 5)
        #expect(try rows() == 4005)
    }

    /// Where: the schema, and a tenth, a third, half and nine tenths of the file.
    @Test(arguments: [(1, 10), (1, 3), (1, 2), (9, 10)]) func overwrittenPagesAreFoundAtTheStart(part: Int, of whole: Int) throws {
        try make()
        var file = try bytes("journal.sqlite")
        let page = file.count / 4096 * part / whole
        for index in page * 4096..<(page + 3) * 4096 { file[index] = 0xa5 }
        try write(&file, "journal.sqlite")
        let error = #expect(throws: JournalError.self) { try Journal(path: self.path) }
        #expect(error?.code == .damaged, "\(String(describing: error))")
        #expect(error?.description.contains("restore the journal from a backup") == true)
        #expect(error?.description.contains("\n") == false, "each line of the log says who speaks")
    }

    @Test(arguments: [100, 4096]) func anOverwrittenSchemaIsFoundAtTheStart(place: Int) throws {
        try make()
        var file = try bytes("journal.sqlite")
        for index in place..<place + 2000 { file[index] = 0xff }
        try write(&file, "journal.sqlite")
        let error = #expect(throws: JournalError.self) { try Journal(path: self.path) }
        #expect(error?.code == .damaged, "\(String(describing: error))")
    }

    @Test(arguments: [2, 3]) func aFileThatWasCutShortIsFoundAtTheStart(part: Int) throws {
        try make()
        var file = try bytes("journal.sqlite")
        file.removeLast(file.count / part)
        try write(&file, "journal.sqlite")
        let error = #expect(throws: JournalError.self) { try Journal(path: self.path) }
        #expect(error?.code == .damaged, "\(String(describing: error))")
    }

    @Test func aTransactionThatWasBeingWrittenWhenThePowerWentIsLeftOut() throws {
        try make(transactions: 5)
        var log = try bytes("journal.sqlite-wal")
        log.removeLast(2000)
        try write(&log, "journal.sqlite-wal")
        #expect(try rows() == 4004)
    }

    @Test func aLogThatIsDamagedBeforeItsEndIsFoundAtTheStartAndStaysAsItIs() throws {
        try make(transactions: 8)
        var log = try bytes("journal.sqlite-wal")
        log[log.count / 3] ^= 0xff
        try write(&log, "journal.sqlite-wal")
        for _ in 0..<2 {
            let error = #expect(throws: JournalError.self) { try Journal(path: self.path) }
            #expect(error?.code == .damaged, "\(String(describing: error))")
        }
        #expect(try bytes("journal.sqlite-wal") == log)
    }

    @Test func aLogWhoseHeaderIsDamagedIsFoundAtTheStart() throws {
        try make(transactions: 8)
        var log = try bytes("journal.sqlite-wal")
        for index in 0..<32 { log[index] = 0 }
        try write(&log, "journal.sqlite-wal")
        let error = #expect(throws: JournalError.self) { try Journal(path: self.path) }
        #expect(error?.code == .damaged, "\(String(describing: error))")
    }

    @Test func whatAnEarlierLogLeftBehindIsNoDamage() throws {
        try make(transactions: 8)
        // SQLite begins a log anew over the old one, with another salt: so are the frames behind the third transaction here.
        var log = try bytes("journal.sqlite-wal")
        let places = stride(from: 32, to: log.count, by: 4096 + 24)
        let ends = places.filter { log[$0 + 4..<$0 + 8].contains { $0 != 0 } }
        for place in places where place > ends[2] { log[place + 8] ^= 0x55 }
        try write(&log, "journal.sqlite-wal")
        #expect(try rows() == 4003)
    }
}
