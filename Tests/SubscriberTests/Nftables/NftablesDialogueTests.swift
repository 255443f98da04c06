// What the kernel is told makes it refuse what is wanted, whatever fails or is changed meanwhile.

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

    @Test mutating func aTableInAnotherFormIsMadeAnew() throws {
        rig.kernel.isOdd = true
        try rig.ban("192.0.2.1")
        rig.pass(.seconds(1))
        #expect(rig.kernel.writes.prefix(2) == [.table(anew: false), .table(anew: true)])
        #expect(rig.refused == ["192.0.2.1"])
    }

    @Test mutating func anAddressThatTheKernelDoesNotTakeHoldsUpNoOther() throws {
        rig.turn()
        rig.kernel.poison = [try address("10.0.0.77")]
        for index in 0..<200 { try rig.ban(try numbered(index).description) }
        rig.pass(.seconds(60))
        #expect(rig.refused.count == 199)
        #expect(rig.notices.contains { if case .rejected(let address, _) = $0 { address.description == "10.0.0.77" } else { false } })
        #expect(rig.dialogue.isSettled)
        rig.kernel.poison = []
        rig.pass(.seconds(700))
        #expect(rig.kernel.addresses.isEmpty, "by then they are over")
        try rig.ban("10.0.0.77")
        rig.turn()
        #expect(rig.refused == ["10.0.0.77"])
    }

    @Test mutating func aBanUntilTheYear9999StaysAndHoldsUpNoOther() throws {
        rig.turn()
        try rig.ban("192.0.2.1", "198.51.100.0/24", for: .seconds(8000 * 365 * 86_400))
        try rig.ban("192.0.2.2", "203.0.113.0/24")
        rig.turn()
        #expect(rig.kernel.addresses == [try address("192.0.2.1"): nil, try address("192.0.2.2"): rig.now + .seconds(600)])
        #expect(rig.kernel.ranges[.ipv4]?.map(\.end) == [nil, rig.now + .seconds(600)])
        #expect(rig.kernel.writes.count == 3)
        rig.pass(.seconds(310))
        #expect(rig.kernel.writes.count == 3, "it is as it should be")
        #expect(rig.dialogue.isSettled)
    }

    @Test mutating func aBanThatComesBackWhileItsLiftingFailsGetsItsNewEndAndCanBeLifted() throws {
        try rig.ban("192.0.2.1", "192.0.2.2", for: .seconds(50))
        rig.turn()
        try rig.lift("192.0.2.1", "192.0.2.2")
        let step = rig.next()
        rig.kernel.refusals = [EBUSY]
        try rig.ban("192.0.2.1", "192.0.2.2", for: .seconds(9000))
        rig.carryOut(step)
        try rig.lift("192.0.2.2")
        let before = rig.kernel.writes.count
        rig.turn()
        #expect(rig.kernel.addresses == [try address("192.0.2.1"): rig.now + .seconds(9000)])
        #expect(rig.kernel.writes.count == before + 2, "the table, and then both at once: \(rig.kernel.writes.dropFirst(before))")
    }

    @Test mutating func somethingUnknownInTheWayOfARangeIsClearedAway() throws {
        rig.turn()
        try rig.ban("198.51.100.0/24", for: nil)
        rig.turn()
        // Nobody heard of it, and it overlaps what comes next.
        rig.kernel.ranges[.ipv4]?.append(TimedRange(try address("203.0.113.128/25"), until: nil))
        try rig.ban("203.0.113.0/24", for: nil)
        rig.complete()
        rig.pass(.seconds(30))
        #expect(rig.kernel.ranges[.ipv4]?.map(\.first) == [try address("198.51.100.0/24").number, try address("203.0.113.0/24").number])
    }

    @Test(arguments: [EBUSY, EINTR, ENOBUFS, ENOMEM, EAGAIN]) mutating func whatPassesIsTriedAgainWithNothingLost(_ code: Int32) throws {
        rig.turn()
        try rig.ban("192.0.2.1", "192.0.2.2", "198.51.100.0/24")
        rig.kernel.refusals = Array(repeating: code, count: 9)
        rig.pass(.seconds(40))
        #expect(rig.refused == ["192.0.2.1", "192.0.2.2"])
        #expect(rig.kernel.ranges[.ipv4]?.count == 1)
        #expect(rig.dialogue.isSettled)
        let failures = rig.notices.compactMap { if case .failing(let error, let persistent) = $0 { (error.code, persistent) } else { nil } }
        #expect(failures.map(\.0) == [code, code] && failures.map(\.1) == [false, true], "once, and once more when it lasts")
    }

    @Test mutating func withoutThePrivilegeItSaysSoOnceAndTriesAgain() throws {
        rig.kernel.refusals = Array(repeating: EPERM, count: 5)
        try rig.ban("192.0.2.1")
        rig.pass(.seconds(100))
        #expect(rig.refused.isEmpty)
        #expect(rig.notices.count == 1)
        rig.pass(.seconds(100))
        #expect(rig.refused == ["192.0.2.1"])
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

    @Test mutating func drainingDoesNotWaitForAKernelThatRefuses() throws {
        rig.kernel.refusals = [EPERM]
        try rig.ban("192.0.2.1")
        rig.turn()
        rig.dialogue.drain()
        #expect(rig.dialogue.isDrained)
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
        #expect(rig.dialogue.isSettled)
    }
}

extension NftablesDialogue.Step {
    fileprivate var isReading: Bool { if case .read = self { true } else { false } }
}
