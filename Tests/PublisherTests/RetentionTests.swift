// Retention: what is older leaves the journal, and neither a ban, nor a number, nor a place that somebody may ask about is lost by that.

import Daemon
import GRDB
import Glibc
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite final class RetentionTests {
    let folder: TemporaryFolder
    let journal: Journal
    var ledger = RandomHistory.ledger()
    var tables = KeptTables(now: .now)

    init() throws {
        folder = try TemporaryFolder()
        journal = try Journal(path: folder("journal.sqlite"))
    }

    func commit(now: Double) throws {
        try journal.append(ledger.pending, now: at(now))
        _ = ledger.commit()
    }

    /// An operator's permanent bans, one transaction.
    func order(_ texts: [String], now: Double) throws {
        let order = Order(.ban, now: at(now), end: .permanent, addresses: try texts.map { try address($0) })
        _ = ledger.take(order, from: try host("admin"), now: at(now))
        try commit(now: now)
    }

    func writeTables() throws {
        tables.begin(&ledger, lastRow: journal.lastRow, now: .now)
        let portion = tables.nextPortion(of: ledger.table, lastRow: journal.lastRow, limit: 10_000)
        try journal.keep(portion)
        tables.written(portion)
    }

    /// Removes what is older, portion by portion, and returns how many portions there were.
    @discardableResult
    func remove(before seconds: Double, limit: Int = 1000) throws -> Int {
        var portions = 0
        while try journal.removeRows(before: at(seconds), truth: tables.truth, limit: limit) { portions += 1 }
        return portions
    }

    func rows() throws -> [Int64] {
        var rows: [Int64] = []
        try journal.replay { _, _, row in rows.append(row) }
        return rows
    }

    func count(_ table: String) throws -> Int {
        try journal.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") } ?? 0
    }

    @Test func oldRowsGoInPortionsAndYoungerOnesStay() throws {
        try order((0..<10).map { "198.51.100.\($0)" }, now: 10)
        try order(["203.0.113.1", "203.0.113.2"], now: 20)
        try writeTables()
        #expect(try remove(before: 20, limit: 4) == 3)
        #expect(try rows() == [11, 12])
        #expect(try remove(before: 20) == 0)
    }

    @Test func whatTheTablesDoNotHaveYetStaysHoweverOldItIs() throws {
        try order(["203.0.113.1"], now: 10)
        try writeTables()
        try order(["203.0.113.2", "203.0.113.3"], now: 11)
        try remove(before: 1000)
        #expect(try rows() == [2, 3])
    }

    @Test func whenAllRowsAreGoneBansNumbersAndRowsGoOnAsIfTheyWereThere() throws {
        try order(["203.0.113.1", "203.0.113.2"], now: 10)
        try writeTables()
        try remove(before: 1000)
        #expect(try rows() == [])

        let reopened = try Journal(path: folder("journal.sqlite"))
        #expect(reopened.lastRow == 2)
        var again = RandomHistory.ledger()
        _ = try Resumption(&again, from: reopened, now: at(1000))
        #expect(again.table.named == ledger.table.named)
        #expect(again.nextNumber == 3)
        let order = Order(.ban, now: at(1000), end: .permanent, addresses: [try address("203.0.113.3")])
        _ = again.take(order, from: try host("admin"), now: at(1000))
        #expect(again.pending.entries.compactMap(\.entry.announcement?.number) == [3])
        try reopened.append(again.pending)
        var third = RandomHistory.ledger()
        _ = try Resumption.load(Journal(path: folder("journal.sqlite")), into: &third)
        #expect(third.table.bannedCount == 3, "a row that came after all had gone must be replayed")
    }

    @Test func whoAsksForNumbersThatAreGoneGetsAllBansAsFromAPlaceThatIsKnown() throws {
        try journal.begin(Term(id: 1), first: 1, now: at(0))
        let desk = SyncDesk(terms: try journal.terms())
        func ask(_ last: UInt64) throws -> SyncAnswer.Content {
            let request = SyncRequest(term: Term(id: 1), last: last)
            return try SyncAnswer(desk.answer(request, ledger: ledger, journal: journal, now: at(100))).content
        }
        try order(["203.0.113.1", "203.0.113.2"], now: 10)
        try order(["203.0.113.3", "203.0.113.4"], now: 20)
        try writeTables()
        try remove(before: 20)
        for last: UInt64 in 0...1 {
            guard case .snapshot(let bans, number: 4, next: nil, isKnownPlace: true) = try ask(last) else {
                Issue.record("from \(last): \(try ask(last))")
                continue
            }
            #expect(bans.count == 4)
        }
        for last: UInt64 in 2...4 {
            guard case .announcements(let events, isLast: true) = try ask(last) else {
                Issue.record("from \(last): \(try ask(last))")
                continue
            }
            #expect(events.map(\.number) == Array(last + 1..<5))
        }
        // All numbers are gone, and who has the last of them lacks nothing.
        try remove(before: 1000)
        #expect(try ask(4) == .announcements([], isLast: true))
        guard case .snapshot = try ask(3) else {
            Issue.record("\(try ask(3))")
            return
        }
    }

    @Test func aTermGoesWhenTheNextOneIsOldTooAndThePresentOneStays() throws {
        for id: UInt64 in 1...4 { try journal.begin(Term(id: id), first: id, now: at(Double(id) * 100)) }
        try remove(before: 250)
        #expect(try journal.terms().map(\.term) == [2, 3, 4].map { Term(id: $0) })
        try remove(before: 10_000)
        #expect(try journal.terms().map(\.term) == [Term(id: 4)])
    }

    @Test func aStreamGoesWhenItIsOldAndTheHostHasALaterOne() throws {
        func report(_ stream: String, of name: String, now: Double) throws {
            let entry = Report.Entry(position: 7, try ban(name, "203.0.113.1", until: now + 9, seen: now))
            _ = ledger.take(Report(stream: stream, now: at(now), entries: [entry]), from: try host(name), term: Term(id: 1), now: at(now))
            try commit(now: now)
        }
        try report("first", of: "web1", now: 10)
        try report("only", of: "web2", now: 10)
        try report("second", of: "web1", now: 20)
        try report("third", of: "web1", now: 30)
        try remove(before: 25)
        let streams = try journal.positions().keys.map { "\($0.host) \($0.name)" }.sorted()
        #expect(streams == ["web1 third", "web2 only"])
    }

    @Test func theFileGrowsNoFurtherWhenAsMuchGoesAsComes() throws {
        var sizes: [Int64] = []
        for round in 0..<12 {
            let now = Double(round) * 1000
            for start in stride(from: 0, to: 4000, by: 500) {
                let texts = (start..<start + 500).map { "203.\(round).\($0 / 256).\($0 % 256)" }
                let orders = try texts.map { try address($0) }
                _ = ledger.take(Order(.ban, now: at(now), end: .at(at(now + 50)), addresses: orders), from: try host("admin"), now: at(now))
                try commit(now: now)
            }
            ledger.settle(now: at(now + 60))
            try commit(now: now + 60)
            try writeTables()
            try remove(before: now - 1500)
            let pages = try journal.database.read { try Int64.fetchOne($0, sql: "PRAGMA page_count") } ?? 0
            sizes.append(pages)
        }
        // Rows of two rounds are there at any time.
        #expect(sizes[11] <= sizes[4] * 11 / 10, "pages: \(sizes)")
        #expect(try count("record") <= 4000 * 3)
    }

    @Test func theLogIsSmallAgainAfterAReaderLetItGrow() throws {
        let log = folder("journal.sqlite-wal")
        func size() -> Int64 {
            var info = stat()
            return stat(log, &info) == 0 ? Int64(info.st_size) : 0
        }
        let reader = try DatabasePool(path: folder("journal.sqlite"))
        func fill(_ megabytes: Int) throws {
            let row =
                "INSERT INTO event (kind, admitted, host, plain, move, refusal) VALUES ('refused', 0, 'x', 0, 0, hex(zeroblob(500000)))"
            for _ in 0..<megabytes { try journal.database.write { try $0.execute(sql: row) } }
        }
        let snapshot = try reader.makeSnapshot()
        _ = try snapshot.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM event") }
        // Nothing can be taken over while somebody reads what was before.
        try fill((Journal.logSize >> 20) + 8)
        #expect(size() > Int64(Journal.logSize))
        try withExtendedLifetime(snapshot) { _ = try snapshot.read { try Int.fetchOne($0, sql: "SELECT 1") } }
        try snapshot.close()
        try fill(8)
        #expect(size() <= Int64(Journal.logSize))
    }
}
