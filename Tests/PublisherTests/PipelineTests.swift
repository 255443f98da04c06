// Two batches at a time, one being written and the next one decided on top of it: nothing counts but what is on disk.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct PipelineTests {
    let folder: TemporaryFolder
    let clock = ContinuousClock.now

    init() throws { folder = try TemporaryFolder() }

    @Test(arguments: 0..<12) func whateverIsRefusedOrKilledMeanwhileTheStateIsThatOfTheRowsOnDisk(seed: UInt64) throws {
        var history = RandomHistory(seed: seed)
        let quorum = 1 + Int(seed % 3)
        let journal = try Journal(path: folder("journal.sqlite"))
        var ledger = RandomHistory.ledger(quorum: quorum)
        var tables = KeptTables(now: clock)
        var portion: KeptPortion?
        var heard: UInt64 = 0
        var (refused, kills, portions) = (0, 0, 0)
        for turn in 0..<300 {
            try history.takeRequests(&ledger)
            if ledger.sealed == nil {
                try history.decideWhatIsDue(&ledger)
                if !tables.isWriting, Int.random(in: 0...4, using: &history.random) == 0 {
                    tables.begin(&ledger, lastRow: journal.lastRow, now: clock)
                }
                if tables.isWriting {
                    let limit = Int.random(in: 1...4, using: &history.random)
                    let row = journal.lastRow + Int64(ledger.pending.entries.count)
                    portion = tables.nextPortion(of: ledger.table, lastRow: row, limit: limit)
                }
                _ = ledger.seal()
                continue
            }
            switch Int.random(in: 0...9, using: &history.random) {
            case 0...2: continue  // More is decided on top of it.
            case 3:
                if !ledger.pending.isEmpty { refused += 1 }
                ledger.rollBack()
                portion = nil
            case 4:
                // Killed when nobody heard yet of what is on disk, or nothing of it is.
                if let batch = ledger.sealed, Bool.random(using: &history.random) { try journal.append(batch) }
                let positions = try journal.positions()
                ledger = RandomHistory.ledger(quorum: quorum)
                (tables, portion) = (try Resumption.load(journal, into: &ledger), nil)
                heard = ledger.nextNumber - 1
                try ledger.finishReplay(positions: positions, now: at(history.now))
                kills += 1
            default:
                if let batch = ledger.sealed { try journal.append(batch) }
                for event in ledger.commit().announcements {
                    #expect(event.number == heard + 1)
                    heard += 1
                }
                if let written = portion {
                    try journal.keep(written)
                    tables.written(written)
                    portions += written.records.count
                }
                portion = nil
            }

            guard Int.random(in: 0...3, using: &history.random) == 0 else { continue }
            var resumed = RandomHistory.ledger(quorum: quorum)
            _ = try Resumption.load(journal, into: &resumed)
            var replayed = RandomHistory.ledger(quorum: quorum)
            try journal.replay { entry, admitted, _ in replayed.replay(entry, admitted: admitted) }
            // What is not on disk has not happened.
            var live = ledger
            live.rollBack()
            #expect(resumed.nextNumber == live.nextNumber && replayed.nextNumber == live.nextNumber, "seed \(seed), turn \(turn)")
            let positions = try journal.positions()
            #expect(positions.allSatisfy { live.position(of: $0) == $1 }, "seed \(seed), turn \(turn)")
            live.settle(now: at(history.now))
            resumed.settle(now: at(history.now))
            replayed.settle(now: at(history.now))
            #expect(resumed.table.named == replayed.table.named, "seed \(seed), turn \(turn)")
            #expect(resumed.table.named == live.table.named, "seed \(seed), turn \(turn)")
        }
        #expect(refused > 0 && kills > 0 && portions > 0 && heard > 0, "the test did not come to what it is about")
    }

    @Test func bothBatchesAreUndoneWhenTheFirstIsRefusedAndOnlyTheFirstIsKeptWhenItIsWritten() throws {
        let web1 = try host("web1")
        func report(_ position: UInt64, _ text: String, to ledger: inout Ledger) throws {
            let entry = Report.Entry(position: position, try ban("web1", text, until: 600))
            _ = ledger.take(Report(stream: "s", now: at(0), entries: [entry]), from: web1, term: Term(id: 1), now: at(0))
        }
        var ledger = RandomHistory.ledger()
        let stream = Ledger.Stream(host: web1, name: "s")
        for isRefused in [true, false] {
            try report(1, "192.0.2.1", to: &ledger)
            let batch = ledger.seal()
            try report(2, "192.0.2.2", to: &ledger)
            // The second builds on the first, which is repeated in vain meanwhile.
            try report(1, "192.0.2.1", to: &ledger)
            #expect(batch.entries.count == 1 && ledger.pending.entries.count == 1)
            #expect(ledger.position(of: stream) == 2 && ledger.table.bannedCount == 2 && ledger.committedLastNumber == 0)
            if isRefused {
                ledger.rollBack()
                #expect(ledger.position(of: stream) == 0 && ledger.table.records.count == 0 && ledger.nextNumber == 1)
                #expect(ledger.pending.isEmpty && ledger.sealed == nil)
            } else {
                #expect(ledger.commit().announcements.map(\.number) == [1])
                #expect(ledger.committedLastNumber == 1 && ledger.pending.entries.count == 1)
                ledger.rollBack()
                #expect(ledger.position(of: stream) == 1 && ledger.table.bannedCount == 1 && ledger.nextNumber == 2)
            }
        }
    }

    @Test func theThreadWritesInOrderAndGoesOnAfterAWriteThatFailed() throws {
        let journal = try Journal(path: folder("journal.sqlite"))
        let thread = try JournalThread { $0.outcome(on: journal) }
        var ledger = RandomHistory.ledger()
        func batch(_ count: Int) throws -> Ledger.Batch {
            let addresses = try (0..<count).map { try address("10.\(ledger.nextNumber / 2000).\($0 / 256).\($0 % 256)") }
            _ = ledger.take(Order(.ban, now: at(0), end: .permanent, addresses: addresses), from: try host("admin"), now: at(0))
            defer { _ = ledger.commit() }
            return ledger.pending
        }
        func outcomes(_ count: Int) -> [JournalOutcome] {
            var outcomes: [JournalOutcome] = []
            while outcomes.count < count {
                var awaited = [pollfd(fd: thread.descriptor, events: Int16(POLLIN), revents: 0)]
                _ = poll(&awaited, 1, -1)
                outcomes += thread.take()
            }
            return outcomes
        }
        try journal.limitPages(to: 1)
        try thread.give(.rows(try batch(2000), now: at(0)))
        let failed = try #require(outcomes(1).first)
        #expect(failed.isOfRows && hasFailed(failed.result) && journal.lastRow == 0)
        try journal.limitPages(to: 1_000_000)
        let portion = KeptPortion(truth: KeptTruth(row: 4000, lastNumber: 4000))
        for _ in 0..<2 { try thread.give(.rows(try batch(2000), now: at(0))) }
        try thread.give(.upkeep(.records(portion)))
        try thread.give(.upkeep(.removal(before: .latest, truth: try #require(portion.truth), limit: 3000)))
        let done = outcomes(4)
        #expect(done.map(\.isOfRows) == [true, true, false, false])
        #expect(done.allSatisfy { !hasFailed($0.result) } && journal.lastRow == 4000)
        #expect(try journal.kept().truth == portion.truth)
        var rows: [Int64] = []
        try journal.replay { _, _, row in rows.append(row) }
        #expect(rows == Array(3001...4000))
    }

    private func hasFailed(_ result: Result<Bool, JournalError>) -> Bool { if case .failure = result { true } else { false } }
}
