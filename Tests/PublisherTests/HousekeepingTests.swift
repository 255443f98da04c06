// What the loop does for the journal besides: in portions, never at the cost of what was taken in, and again when it failed.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite final class HousekeepingTests {
    let folder: TemporaryFolder
    let journal: Journal
    let clock = ContinuousClock.now
    var ledger = RandomHistory.ledger()

    init() throws {
        folder = try TemporaryFolder()
        journal = try Journal(path: folder("journal.sqlite"))
    }

    func ban(_ count: Int, now: Double) throws {
        let next = ledger.nextNumber
        let addresses = try (0..<count).map { try address("2001:db8:\(String(next, radix: 16)):\(String($0, radix: 16))::1") }
        _ = ledger.take(Order(.ban, now: at(now), end: .permanent, addresses: addresses), from: try host("admin"), now: at(now))
        try journal.append(ledger.pending)
        _ = ledger.commit()
    }

    func rows() throws -> Int {
        var rows = 0
        try journal.replay { _, _, _ in rows += 1 }
        return rows
    }

    @Test func aFullDiskHurtsNothingThatWasTakenInAndTheTablesAreWrittenWhenThereIsSpaceAgain() throws {
        var house = Housekeeping(tables: KeptTables(now: clock), retention: nil, now: clock)
        try ban(3000, now: 0)
        let due = clock + KeptTables.interval
        try journal.limitPages(to: 1)
        #expect(throws: JournalError.self) { try house.work(&ledger, journal, rows: 0, now: at(0), clock: due) }
        // It is not tried in a tight loop, and nothing is lost meanwhile.
        #expect(house.deadline(changed: 0) == due + Housekeeping.pauseAfterTrouble)
        try house.work(&ledger, journal, rows: 0, now: at(0), clock: due + .seconds(1))
        #expect(try journal.kept().truth.row == 0)
        try journal.limitPages(to: 1_000_000)
        try ban(10, now: 1)
        let later = due + Housekeeping.pauseAfterTrouble
        for _ in 0..<2 { try house.work(&ledger, journal, rows: 0, now: at(1), clock: later) }
        #expect(house.truth.row == 3000)
        var again = RandomHistory.ledger()
        _ = try Resumption.load(journal, into: &again)
        #expect(again.table.named == ledger.table.named)
        #expect(again.table.bannedCount == 3010)
    }

    @Test func oldRowsGoAPortionATurnAndOnlyWhatTheTablesHave() throws {
        var house = Housekeeping(tables: KeptTables(now: clock), retention: .seconds(3600), now: clock)
        let rows = 2 * Housekeeping.removedRows + 100
        try ban(rows, now: 0)
        // Nothing is in the tables yet, so nothing may go.
        try house.work(&ledger, journal, rows: 0, now: at(7200), clock: clock)
        #expect(try self.rows() == rows)
        var turns = 0
        var time = clock + KeptTables.interval
        while try self.rows() > 0, turns < 20 {
            let before = try self.rows()
            try house.work(&ledger, journal, rows: 0, now: at(7200), clock: time)
            #expect(try before - self.rows() <= Housekeeping.removedRows)
            time = max(time, house.deadline(changed: 0))
            turns += 1
        }
        // Three portions of the tables, and three of the rows.
        #expect(turns == 6)
        var again = RandomHistory.ledger()
        _ = try Resumption.load(journal, into: &again)
        #expect(again.table.named == ledger.table.named)
    }

    @Test func aTurnThatWroteMuchRemovesAsMuchSoThatTheJournalStaysBounded() throws {
        var house = Housekeeping(tables: KeptTables(now: clock), retention: .seconds(3600), now: clock)
        try ban(9000, now: 0)
        try house.finish(&ledger, journal)
        try house.work(&ledger, journal, rows: 8000, now: at(7200), clock: clock)
        #expect(try rows() == 1000)
    }

    @Test func aCleanStopLeavesNothingToReplay() throws {
        var house = Housekeeping(tables: KeptTables(now: clock), retention: nil, now: clock)
        try ban(5000, now: 0)
        try house.finish(&ledger, journal)
        #expect(try journal.kept().truth == KeptTruth(row: 5000, lastNumber: 5000))
    }
}
