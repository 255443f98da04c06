// What the kernel refuses, for a while or for good: nothing is lost, nothing else is held up, and it is said.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct NftablesDialogueFailureTests {
    var rig = TablesRig()

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
        #expect(rig.refused.isEmpty && rig.dialogue.takeApplied().isEmpty)
        #expect(rig.notices.count == 1)
        #expect(rig.dialogue.trouble?.code == EPERM && rig.dialogue.waiting == 1)
        rig.pass(.seconds(100))
        #expect(rig.refused == ["192.0.2.1"])
        #expect(rig.dialogue.trouble == nil && rig.dialogue.waiting == 0)
    }

    @Test mutating func drainingDoesNotWaitForAKernelThatRefuses() throws {
        rig.kernel.refusals = [EPERM]
        try rig.ban("192.0.2.1")
        rig.turn()
        rig.dialogue.drain()
        #expect(rig.dialogue.isDrained)
    }
}
