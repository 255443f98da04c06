// The journal's tables: whenever the publisher ends, tables and the rows behind them give the state that all rows give.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct KeptTablesTests {
    let folder: TemporaryFolder
    let clock = ContinuousClock.now

    init() throws { folder = try TemporaryFolder() }

    /// Begins a pass, writes all portions of it, and returns how many there were.
    @discardableResult
    func pass(_ tables: inout KeptTables, _ ledger: inout Ledger, _ journal: Journal, limit: Int = 1000) throws -> Int {
        tables.begin(&ledger, lastRow: journal.lastRow, now: clock)
        var portions = 0
        while tables.isWriting {
            let portion = tables.nextPortion(of: ledger.table, lastRow: journal.lastRow, limit: limit)
            try journal.keep(portion)
            tables.written(portion)
            portions += 1
        }
        return portions
    }

    func commit(_ ledger: inout Ledger, to journal: Journal) throws {
        if !ledger.pending.isEmpty { try journal.append(ledger.pending) }
        _ = ledger.commit()
    }

    func records(in journal: Journal) throws -> [KeptRecord] {
        var records: [KeptRecord] = []
        try journal.eachKept(holders: .max) { records.append($0) }
        return records
    }

    @Test(arguments: 0..<12) func aKillAtAnyMomentLeavesTablesAndRowsThatGiveTheStateThatAllRowsGive(seed: UInt64) throws {
        var history = RandomHistory(seed: seed)
        let quorum = 1 + Int(seed % 3)
        let journal = try Journal(path: folder("journal.sqlite"))
        var ledger = RandomHistory.ledger(quorum: quorum)
        var tables = KeptTables(now: clock)
        var (kills, ahead) = (0, 0)
        for turn in 0..<250 {
            try history.turn(&ledger)
            if Int.random(in: 0...9, using: &history.random) == 0 {
                ledger.rollBack()
            } else {
                try commit(&ledger, to: journal)
            }
            if !tables.isWriting, Int.random(in: 0...9, using: &history.random) == 0 {
                tables.begin(&ledger, lastRow: journal.lastRow, now: clock)
            }
            if tables.isWriting, Bool.random(using: &history.random) {
                let limit = Int.random(in: 1...4, using: &history.random)
                let portion = tables.nextPortion(of: ledger.table, lastRow: journal.lastRow, limit: limit)
                try journal.keep(portion)
                // A failed write is tried again, in part with other records.
                if Int.random(in: 0...9, using: &history.random) > 0 { tables.written(portion) }
            }
            guard Int.random(in: 0...7, using: &history.random) == 0 else { continue }

            // What a start would make of it, and what all rows make of it.
            var resumed = RandomHistory.ledger(quorum: quorum)
            let resumedTables = try Resumption.load(journal, into: &resumed)
            var replayed = RandomHistory.ledger(quorum: quorum)
            try journal.replay { entry, admitted, _ in replayed.replay(entry, admitted: admitted) }
            let numbers = (resumed.nextNumber, replayed.nextNumber, ledger.nextNumber)
            #expect(numbers.0 == numbers.1 && numbers.1 == numbers.2, "seed \(seed), turn \(turn)")
            if try records(in: journal).contains(where: { $0.row > tables.truth.row }) { ahead += 1 }
            let positions = try journal.positions()
            if Int.random(in: 0...3, using: &history.random) == 0 {
                // The publisher was killed, and this one goes on.
                kills += 1
                ledger = resumed
                try ledger.finishReplay(positions: positions, now: at(history.now))
                try commit(&ledger, to: journal)
                tables = resumedTables
            }
            var live = ledger
            for index in 0..<3 {
                // Each as far as it is looked at now.
                switch index {
                case 0: live.settle(now: at(history.now))
                case 1: resumed.settle(now: at(history.now))
                default: replayed.settle(now: at(history.now))
                }
            }
            #expect(resumed.table.named == replayed.table.named, "seed \(seed), turn \(turn)")
            #expect(resumed.table.named == live.table.named, "seed \(seed), turn \(turn)")
        }
        #expect(kills > 0 && ahead > 0, "the test did not come to what it is about")
    }

    @Test func recordsOfWhichNothingIsLeftLeaveTheTablesToo() throws {
        let journal = try Journal(path: folder("journal.sqlite"))
        var history = RandomHistory(seed: 1)
        var ledger = RandomHistory.ledger()
        var tables = KeptTables(now: clock)
        for _ in 0..<100 {
            try history.turn(&ledger)
            try commit(&ledger, to: journal)
            try pass(&tables, &ledger, journal, limit: 2)
        }
        ledger.settle(now: at(history.now + 1000))
        try commit(&ledger, to: journal)
        try pass(&tables, &ledger, journal, limit: 2)
        #expect(try records(in: journal).contains { $0.record.isEmpty })
        try pass(&tables, &ledger, journal, limit: 2)
        let left = try records(in: journal)
        #expect(left.allSatisfy { !$0.record.isEmpty })
        #expect(Set(left.map(\.address)) == Set(ledger.table.records.keys))
    }

    @Test func anAddressThatAThousandHostsHoldComesBackWithAllOfThem() throws {
        let journal = try Journal(path: folder("journal.sqlite"))
        var ledger = RandomHistory.ledger(quorum: 1000)
        for number in 1...1000 {
            let name = "web\(number)"
            let entry = Report.Entry(position: 1, try ban(name, "2001:db8::/64", until: 50 + Double(number % 7)))
            _ = ledger.take(Report(stream: "s", now: at(0), entries: [entry]), from: try host(name), term: Term(id: 1), now: at(0))
        }
        try commit(&ledger, to: journal)
        var tables = KeptTables(now: clock)
        try pass(&tables, &ledger, journal)
        var again = RandomHistory.ledger(quorum: 1000)
        _ = try Resumption.load(journal, into: &again)
        #expect(again.table.records == ledger.table.records)
        #expect(again.table.bannedCount == 1)
    }

    @Test func aStartReplaysOnlyTheRowsBehindTheTables() throws {
        let journal = try Journal(path: folder("journal.sqlite"))
        var history = RandomHistory(seed: 2)
        var ledger = RandomHistory.ledger()
        for _ in 0..<50 { try history.turn(&ledger) }
        try commit(&ledger, to: journal)
        var tables = KeptTables(now: clock)
        try pass(&tables, &ledger, journal)
        #expect(tables.truth == KeptTruth(row: journal.lastRow, lastNumber: ledger.committedLastNumber))
        var rows = 0
        try journal.replay(after: try journal.kept().truth.row) { _, _, _ in rows += 1 }
        #expect(rows == 0)
        #expect(try Journal(path: folder("journal.sqlite")).lastRow == journal.lastRow)
    }

    @Test func aPassIsWrittenInPortionsOfAtMostTheLimit() throws {
        let journal = try Journal(path: folder("journal.sqlite"))
        var ledger = RandomHistory.ledger()
        let addresses = try (0..<100).map { try address("198.51.100.\($0)") }
        _ = ledger.take(Order(.ban, now: at(0), end: .permanent, addresses: addresses), from: try host("admin"), now: at(0))
        try commit(&ledger, to: journal)
        var tables = KeptTables(now: clock)
        tables.begin(&ledger, lastRow: journal.lastRow, now: clock)
        var sizes: [Int] = []
        while tables.isWriting {
            let portion = tables.nextPortion(of: ledger.table, lastRow: journal.lastRow, limit: 30)
            #expect(portion.truth == nil || sizes.count == 3)
            sizes.append(portion.records.count)
            tables.written(portion)
        }
        #expect(sizes == [30, 30, 30, 10])
    }

    @Test func aPassBeginsWhenThereIsTimeAndSoonerOrLaterAnyway() throws {
        let tables = KeptTables(truth: KeptTruth(row: 1000, lastNumber: 1), now: clock)
        func isDue(_ lastRow: Int64, changed: Int = 1, isIdle: Bool = true, after wait: Duration = .zero) -> Bool {
            tables.isDue(lastRow: 1000 + lastRow, changed: changed, isIdle: isIdle, now: clock + wait)
        }
        #expect(!isDue(KeptTables.idleRows - 1))
        #expect(isDue(KeptTables.idleRows))
        #expect(!isDue(KeptTables.idleRows, isIdle: false), "while a burst is taken in")
        #expect(isDue(KeptTables.mostRows, isIdle: false))
        #expect(isDue(1, after: KeptTables.interval))
        #expect(!isDue(1, changed: 0, after: KeptTables.interval), "nothing to write")
        #expect(tables.deadline(changed: 1) == clock + KeptTables.interval)
        #expect(tables.deadline(changed: 0) == nil)
    }
}
