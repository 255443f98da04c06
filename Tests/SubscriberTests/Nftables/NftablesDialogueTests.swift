// What the kernel is told makes it refuse what is wanted, whatever is changed meanwhile.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct NftablesDialogueTests {
    var rig = TablesRig()

    @Test mutating func itMakesTheTableAndLooksAtItBeforeAnythingElse() throws {
        #expect(rig.turn() == rig.now + .seconds(300))
        #expect(rig.kernel.writes == [.table(anew: false)])
        #expect(rig.dialogue.isSettled)
        #expect(rig.notices == [.connected(.init(), took: .zero)])
    }

    @Test mutating func manyChangesBecomeFewTransactions() throws {
        rig.turn()
        for index in 0..<(2 * NftablesWork.most + 1) { try rig.ban(try numbered(index).description) }
        rig.turn()
        let sizes = rig.kernel.writes.dropFirst().map { if case .addresses(let changes) = $0 { changes.bans.count } else { 0 } }
        #expect(sizes == [NftablesWork.most, NftablesWork.most, 1])
    }

    @Test mutating func aBanLiftedBeforeItWasWrittenIsNothing() throws {
        rig.turn()
        try rig.ban("192.0.2.1")
        try rig.lift("192.0.2.1")
        rig.turn()
        #expect(rig.kernel.writes.count == 1)
    }

    @Test(arguments: [false, true]) mutating func anEndThatMovesIsWrittenOnOldAndNewKernels(_ movesEnds: Bool) throws {
        rig.kernel.movesEnds = movesEnds
        try rig.ban("192.0.2.1")
        rig.turn()
        try rig.ban("192.0.2.1", for: .seconds(9000))
        rig.turn()
        #expect(rig.kernel.addresses == [try address("192.0.2.1"): rig.now + .seconds(9000)])
    }

    @Test mutating func aBanThatWasThereBeforeThisProcessGetsItsEndOnAnOldKernelToo() throws {
        _ = rig.kernel.perform(.table(anew: false), now: rig.now)
        rig.kernel.addresses = [try address("192.0.2.1"): rig.now + .seconds(50)]
        try rig.ban("192.0.2.1", for: .seconds(9000))
        rig.turn()
        #expect(rig.kernel.addresses == [try address("192.0.2.1"): rig.now + .seconds(9000)])
    }

    @Test mutating func whatIsThereAndNobodyAnnouncedIsLeftAloneUntilTheWantedSetIsComplete() throws {
        _ = rig.kernel.perform(.table(anew: false), now: rig.now)
        rig.kernel.addresses = [try address("198.51.100.1"): nil]
        rig.kernel.ranges = [.ipv4: [TimedRange(try address("203.0.113.0/24"), until: nil)]]
        try rig.ban("192.0.2.1", "203.0.113.0/25")
        rig.pass(.seconds(400))
        #expect(rig.refused == ["192.0.2.1", "198.51.100.1"])
        #expect(rig.kernel.ranges[.ipv4]?.map(\.last) == [try address("203.0.113.0/24").lastNumber])
        #expect(rig.dialogue.hasUnexplained)
        rig.complete()
        rig.turn()
        #expect(rig.refused == ["192.0.2.1"])
        #expect(rig.kernel.ranges[.ipv4]?.map(\.last) == [try address("203.0.113.0/25").lastNumber])
        rig.pass(.seconds(6))
        #expect(!rig.dialogue.hasUnexplained)
        #expect(rig.dialogue.isSettled)
    }

    @Test mutating func whatIsMissingTooMuchOrMisdatedIsPutRightAtTheNextComparison() throws {
        try rig.ban("192.0.2.1", "192.0.2.2", "198.51.100.0/24", for: nil)
        rig.complete()
        rig.turn()
        rig.kernel.addresses = [try address("192.0.2.2"): rig.now + .seconds(5000), try address("203.0.113.1"): nil]
        rig.kernel.ranges = [:]
        rig.pass(.seconds(310))
        #expect(rig.kernel.addresses == [try address("192.0.2.1"): nil, try address("192.0.2.2"): nil])
        #expect(rig.kernel.ranges[.ipv4]?.count == 1)
        #expect(rig.dialogue.isSettled)
        #expect(rig.notices.contains(.corrected(.init(found: 2, misdated: 1, surplus: 1, ranges: 1))), "\(rig.notices)")
        #expect(rig.notices.contains(.corrected(.init(found: 1, lacking: 1))), "looked at twice: \(rig.notices)")
    }

    @Test mutating func whatIsAnnouncedWhileTheKernelIsReadIsNoDifference() throws {
        try rig.ban("192.0.2.1", "192.0.2.2", "198.51.100.0/24")
        rig.complete()
        rig.turn()
        rig.now += .seconds(300)
        var number = 0
        while true {
            let step = rig.next()
            if case .wait = step { break }
            if step.isReading {
                number += 1
                try rig.ban("203.0.113.\(number)", "203.0.113.\(number * 32)/28")
                try rig.lift("192.0.2.\(number)")
            }
            rig.carryOut(step)
        }
        rig.pass(.seconds(1))
        #expect(rig.dialogue.isSettled)
        #expect(rig.kernel.writes.dropFirst().allSatisfy { !$0.isTable })
        #expect(!rig.notices.contains { if case .corrected = $0 { true } else { false } }, "\(rig.notices)")
        #expect(rig.refused == ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"])
        #expect(rig.kernel.ranges[.ipv4]?.count == 5)
        let ranges = rig.kernel.writes.flatMap { write -> [TimedRange] in
            if case .ranges(_, let changes) = write { changes.flatMap(\.added) } else { [] }
        }
        #expect(Set(ranges).count == ranges.count, "none was told twice")
    }

    @Test mutating func aHostThatNeverRestsIsComparedAtTheIntervalAndNotWithoutEnd() throws {
        for index in 0..<50 { try rig.ban(try numbered(index).description, for: nil) }
        rig.complete()
        rig.turn()
        var readings = 0
        for index in 50..<650 {
            rig.now += .seconds(1)
            while true {
                let step = rig.next()
                if case .wait = step { break }
                if step.isReading {
                    readings += 1
                    try rig.ban(try numbered(index).description, for: nil)
                }
                rig.carryOut(step)
            }
        }
        #expect(readings == 2 * NftablesSet.allCases.count)
        #expect(rig.dialogue.isSettled)
    }

    @Test mutating func bansThatEndBetweenAreNoDifference() throws {
        for index in 0..<300 { try rig.ban(try numbered(index).description, for: .milliseconds(299_000 + index * 10)) }
        rig.pass(.seconds(301))
        #expect(rig.dialogue.isSettled)
        #expect(rig.notices.allSatisfy { if case .corrected = $0 { false } else { true } }, "\(rig.notices)")
        rig.pass(.seconds(10))
        #expect(rig.refused.isEmpty && rig.wanted.count == 0)
    }

    @Test mutating func aTableThatIsGoneIsMadeAgainAndFilledWithoutAPause() throws {
        try rig.ban("192.0.2.1", "198.51.100.0/24")
        rig.turn()
        rig.kernel.remove()
        rig.dialogue.noticed(now: rig.now)
        rig.pass(.milliseconds(1))
        #expect(rig.refused == ["192.0.2.1"])
        #expect(rig.kernel.ranges[.ipv4]?.count == 1)
        #expect(rig.notices.contains(.repaired(.init(lacking: 1, ranges: 1))), "\(rig.notices.suffix(3))")

        // Also when nobody heard of it, but the next ban finds no set.
        rig.kernel.remove()
        try rig.ban("192.0.2.2")
        rig.pass(.milliseconds(1))
        #expect(rig.refused == ["192.0.2.1", "192.0.2.2"])
    }

    @Test mutating func someoneWhoChangesItWithoutEndCausesOneRepairASecond() throws {
        rig.turn()
        let before = rig.kernel.writes.count
        for _ in 0..<1000 {
            rig.dialogue.noticed(now: rig.now)
            rig.pass(.milliseconds(10))
        }
        #expect((10...20).contains(rig.kernel.writes.count - before), "\(rig.kernel.writes.count - before)")
    }

    @Test mutating func whatSomeoneChangesWhileTheTableIsWrittenIsPutRightToo() throws {
        rig.turn()
        rig.dialogue.noticed(now: rig.now)
        let step = rig.next()
        #expect(step == .write(.table(anew: false)))
        // It may have been before the transaction, or after it.
        rig.dialogue.noticed(now: rig.now)
        rig.carryOut(step)
        #expect(rig.next() == .write(.table(anew: false)))
    }

    @Test mutating func drainingWritesWhatWaitsAndLooksAtNothing() throws {
        rig.turn()
        try rig.ban("192.0.2.1")
        rig.dialogue.drain()
        #expect(!rig.dialogue.isDrained)
        rig.turn()
        #expect(rig.dialogue.isDrained)
        #expect(rig.refused == ["192.0.2.1"])
        #expect(rig.turn() == nil)
    }

    @Test mutating func whatIsInTheKernelIsAppliedAndUntilThenItWaits() throws {
        rig.turn()
        try rig.ban("192.0.2.1", "192.0.2.2", "198.51.100.0/24", "2001:db8::/48")
        #expect(rig.dialogue.waiting == 4)
        var step = rig.next()
        #expect(rig.dialogue.waiting == 4, "what is under way may fail")
        rig.carryOut(step)
        #expect(rig.dialogue.waiting == 2)
        #expect(Set(rig.dialogue.takeApplied().map(\.description)) == ["192.0.2.1", "192.0.2.2"])

        step = rig.next()
        // It comes while the ranges of its family are written, or before.
        try rig.ban("203.0.113.0/24")
        rig.carryOut(step)
        rig.pass(.seconds(1))
        #expect(rig.dialogue.waiting == 0)
        #expect(Set(rig.dialogue.takeApplied().map(\.description)) == ["198.51.100.0/24", "2001:db8::/48", "203.0.113.0/24"])

        // One is covered by another one, and the kernel is told nothing.
        let before = rig.kernel.writes.count
        try rig.ban("203.0.113.0/25", for: .seconds(100))
        rig.pass(.seconds(1))
        #expect(rig.kernel.writes.count == before && rig.dialogue.waiting == 0)
        #expect(rig.dialogue.takeApplied().map(\.description) == ["203.0.113.0/25"])

        try rig.lift("192.0.2.1", "198.51.100.0/24")
        #expect(rig.dialogue.waiting == 2)
        rig.pass(.seconds(1))
        #expect(rig.dialogue.waiting == 0 && rig.dialogue.takeApplied().isEmpty, "nobody is refused by an Unban")
    }

    @Test mutating func whatIsToldAgainWaitsUntilItIsThere() throws {
        rig.turn()
        for index in 0..<20_000 { try rig.ban(try numbered(index).description) }
        rig.turn()
        #expect(rig.dialogue.takeApplied().count == 20_000)
        rig.kernel.remove()
        rig.dialogue.noticed(now: rig.now)
        var most = 0
        for _ in 0..<100 {
            rig.carryOut(rig.next())
            most = max(most, rig.dialogue.waiting)
        }
        #expect((19_000...20_000).contains(most), "\(most)")
        #expect(rig.kernel.addresses.count == 20_000 && rig.dialogue.waiting == 0)
    }

    /// Bans, lifts, ends, comparisons, failures and other people's changes in any order: in the end the kernel has what is wanted.
    @Test(arguments: 1...20) mutating func whateverHappensTheKernelEndsUpWithWhatIsWanted(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        rig.kernel.movesEnds = seed.isMultiple(of: 2)
        rig.complete()
        for _ in 0..<400 {
            let single = try numbered(Int.random(in: 0..<40, using: &random)).description
            let prefix = "10.0.0.\(Int.random(in: 0..<256, using: &random))/\(Int.random(in: 26...31, using: &random))"
            let subject = Int.random(in: 0..<3, using: &random) == 0 ? prefix : single
            switch Int.random(in: 0..<12, using: &random) {
            case 0...4: try rig.ban(subject, for: [.seconds(2), .seconds(60), .seconds(4000), nil].randomElement(using: &random) ?? nil)
            case 5...7: try rig.lift(subject)
            case 8: rig.pass(.milliseconds(Int.random(in: 0..<20_000, using: &random)))
            case 9: rig.kernel.refusals = [ENOENT, EBUSY, EINTR, ERANGE].shuffled(using: &random).suffix(2)
            case 10:
                rig.kernel.addresses[try address(single)] = .some(nil)
                rig.kernel.ranges[.ipv4]?.removeAll { _ in Bool.random(using: &random) }
                if Bool.random(using: &random) { rig.dialogue.noticed(now: rig.now) }
            default:
                if Bool.random(using: &random) { rig.turn() } else { rig.kernel.remove() }
            }
        }
        rig.kernel.refusals = []
        rig.pass(.seconds(700))
        let wanted = rig.wanted
        #expect(Set(rig.kernel.addresses.keys) == Set(wanted.addresses.filter(\.isSingle)))
        for (address, end) in rig.kernel.addresses { #expect(NftablesComparison.agree(end, wanted.end(of: address))) }
        let expected = TimedRange.disjoint(wanted.addresses.filter { !$0.isSingle }.map { TimedRange($0, until: wanted.end(of: $0)) })
        #expect((rig.kernel.ranges[.ipv4] ?? []).map { [$0.first, $0.last] } == expected.map { [$0.first, $0.last] })
        #expect(rig.dialogue.isSettled && rig.dialogue.waiting == 0 && rig.dialogue.trouble == nil)
    }
}

extension NftablesDialogue.Step {
    fileprivate var isReading: Bool { if case .read = self { true } else { false } }
}
