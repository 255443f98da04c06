// A fail2ban that is stopped, killed or restarted at any moment ends up with the bans that are wanted.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct ClientDialogueRestartTests {
    var rig = Rig()

    private mutating func banThree() throws {
        rig.settle()
        try rig.ban("192.0.2.1", "192.0.2.2", "192.0.2.3")
        rig.tellAll()
    }

    /// All is as it should be when the first of the three is lifted.
    private func expectTheLastTwo() throws {
        #expect(rig.fail2ban.banned == Set(try addresses("192.0.2.2", "192.0.2.3")))
        #expect(rig.dialogue.isSettled)
    }

    @Test mutating func aBanAndAnUnbanAnnouncedWhileFail2banIsStoppedAreThereSecondsAfterItsReturn() throws {
        rig.settle()
        try rig.ban("192.0.2.1", "192.0.2.2")
        rig.tellAll()
        rig.fail2ban.stop()
        try rig.unban("192.0.2.1")
        try rig.ban("192.0.2.3")
        rig.pass(.seconds(300))
        rig.fail2ban.start()
        rig.restoresPerSecond = 1
        rig.pass(.seconds(15))
        #expect(rig.fail2ban.banned == Set(try addresses("192.0.2.2", "192.0.2.3")))
        rig.pass(.seconds(30))
        #expect(rig.dialogue.isSettled)
    }

    @Test mutating func anUnbanDuringARestartThatNobodyNoticedIsNotUndoneByRestoring() throws {
        try banThree()
        rig.fail2ban.stop()
        rig.fail2ban.start()
        try rig.unban("192.0.2.1")
        rig.tellAll()
        rig.restoresPerSecond = 1
        rig.pass(.seconds(60))
        try expectTheLastTwo()
    }

    /// Of its three bans the first is lifted between two kills of fail2ban, before it is restored: its row is gone, and it comes back.
    private mutating func liftBetweenTwoKills() throws {
        try banThree()
        rig.fail2ban.kill()
        rig.fail2ban.start()
        rig.restoresPerSecond = 0
        try rig.unban("192.0.2.1")
        rig.tellAll()
        rig.fail2ban.restore(3)
        #expect(rig.fail2ban.banned.count == 3)
        rig.fail2ban.kill()
    }

    @Test mutating func anUnbanBetweenTwoKillsOfFail2banIsNotUndoneByRestoring() throws {
        try liftBetweenTwoKills()
        rig.tellAll()
        rig.pass(.seconds(2))
        rig.fail2ban.start()
        rig.restoresPerSecond = 100
        rig.pass(.seconds(60))
        try expectTheLastTwo()
    }

    @Test mutating func anUnbanBetweenTwoKillsThatNobodyNoticedIsNotUndoneByRestoring() throws {
        try liftBetweenTwoKills()
        rig.fail2ban.start()
        rig.restoresPerSecond = 0.1
        rig.pass(.seconds(120))
        try expectTheLastTwo()
    }

    @Test mutating func aBanThatIsWantedAgainStaysThroughTwoKills() throws {
        try liftBetweenTwoKills()
        rig.tellAll()
        try rig.ban("192.0.2.1")
        rig.fail2ban.start()
        rig.restoresPerSecond = 100
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.banned.count == 3 && rig.dialogue.isSettled)
    }

    /// Its row is gone by the first unban, fail2ban restores it all the same, and a ban of what is banned writes no row.
    @Test mutating func aBanThatFail2banKeepsWithoutARowIsLiftedThroughAKill() throws {
        try banThree()
        rig.restoresPerSecond = 0
        let lifted = try address("192.0.2.1")
        func killAndStart() throws {
            rig.fail2ban.kill()
            try rig.ban("192.0.2.4")
            rig.tellAll()
            rig.fail2ban.start()
            // It is found to be there, and has restored nothing yet.
            rig.pass(.seconds(3))
            #expect(rig.dialogue.version != nil && !rig.fail2ban.banned.contains(lifted))
            try rig.unban("192.0.2.4")
        }
        try killAndStart()
        try rig.unban("192.0.2.1")
        rig.tellAll()
        rig.fail2ban.restore(3)
        try rig.ban("192.0.2.1")
        rig.tellAll()
        try killAndStart()
        try rig.unban("192.0.2.1")
        rig.restoresPerSecond = 100
        rig.pass(.seconds(60))
        try expectTheLastTwo()
    }

    @Test mutating func whatNobodyAnnouncedIsRememberedThroughARestartThatHasNotRestoredItYet() throws {
        rig.fail2ban.banByHand(try address("192.0.2.9"))
        _ = rig.wanted.withdrawAll(except: [], isCertain: false, now: rig.now)
        rig.pass(.seconds(30))
        #expect(rig.dialogue.hasUnexplained)
        rig.fail2ban.stop()
        rig.restoresPerSecond = 0
        rig.pass(.seconds(2))
        rig.fail2ban.start()
        rig.pass(.seconds(3))
        #expect(rig.fail2ban.banned.isEmpty && rig.dialogue.hasUnexplained)
        rig.restoresPerSecond = 100
        rig.pass(.seconds(30))
        #expect(rig.dialogue.hasUnexplained)
        rig.fail2ban.unbanByHand(try address("192.0.2.9"))
        rig.pass(.seconds(700))
        #expect(!rig.dialogue.hasUnexplained)
    }

    @Test mutating func aStartBesideAFail2banThatHasRestoredNothingYetDoesNotTakeItsBansForExplained() throws {
        rig.fail2ban.banByHand(try address("192.0.2.9"))
        rig.fail2ban.stop()
        rig.restoresPerSecond = 0
        rig.fail2ban.start()
        _ = rig.wanted.withdrawAll(except: [], isCertain: false, now: rig.now)
        rig.pass(.seconds(3))
        #expect(rig.dialogue.version != nil && rig.fail2ban.banned.isEmpty && rig.dialogue.hasUnexplained)
        rig.restoresPerSecond = 100
        rig.pass(.seconds(30))
        #expect(rig.fail2ban.banned.count == 1 && rig.dialogue.hasUnexplained)
    }

    @Test mutating func whatFail2banRestoresByItselfIsNotBannedBesides() throws {
        rig.settle()
        for index in 0..<100 {
            var event = try ban("192.0.2.1")
            event.address = try numbered(index)
            rig.announce(event)
        }
        rig.tellAll()
        let before = rig.fail2ban.calls.count { !$0.addresses.isEmpty }
        rig.fail2ban.stop()
        try rig.ban("192.0.2.1")
        rig.pass(.seconds(20))
        rig.fail2ban.start()
        rig.restoresPerSecond = 5
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.banned.count == 101)
        // The one that failed, and the one that did not.
        #expect(rig.fail2ban.calls.count { !$0.addresses.isEmpty } == before + 2)
    }

    @Test mutating func bansThatAFail2banWithoutDatabaseForgotAreBannedAgain() throws {
        rig.settle()
        try rig.ban("192.0.2.1", "192.0.2.2")
        rig.tellAll()
        rig.fail2ban = FakeFail2ban()
        rig.fail2ban.stop()
        try rig.ban("192.0.2.3")
        rig.pass(.seconds(1))
        rig.fail2ban.start()
        rig.pass(.seconds(30))
        #expect(rig.fail2ban.banned.count == 3)
    }

    /// One of 64 neighbours, or a prefix of eight of them.
    private func anyAddress(_ chance: inout SeededGenerator) throws -> Address {
        let index = Int.random(in: 0..<72, using: &chance)
        return index < 64 ? try numbered(index) : try #require(Address(ipv4: 0x0a00_0000 + UInt32(index - 64) * 8, prefixLength: 29))
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    mutating func whateverHappensFail2banEndsUpWithWhatIsWanted(_ seed: UInt64) throws {
        var chance = SeededGenerator(seed: seed)
        for _ in 0..<400 {
            switch Int.random(in: 0..<100, using: &chance) {
            case 0..<45:
                var event = try ban("192.0.2.1")
                event.address = try anyAddress(&chance)
                rig.announce(event)
            case 45..<70:
                var event = try unban("192.0.2.1", cause: Bool.random(using: &chance) ? .lifted : .operator)
                event.address = try anyAddress(&chance)
                rig.announce(event)
            case 70..<74: rig.fail2ban.stop()
            case 74..<82: rig.fail2ban.start()
            case 82..<85:
                rig.fail2ban.stop()
                rig.fail2ban.start()
            case 85..<88:
                // The client is killed; fail2ban may or may not have carried the command out.
                guard case .tell(let command) = rig.dialogue.next(wanted: rig.wanted, now: rig.now) else { continue }
                if Bool.random(using: &chance) { _ = rig.fail2ban.answer(command) }
                _ = rig.dialogue.failed(.silent, now: rig.now, using: &rig.random)
            case 88..<94:
                rig.restoresPerSecond = 4
                rig.pass(.milliseconds(Int.random(in: 1..<8000, using: &chance)))
            default: rig.tellOne()
            }
        }
        rig.fail2ban.start()
        rig.restoresPerSecond = 10
        rig.pass(.seconds(90))
        #expect(rig.fail2ban.banned.subtracting(rig.wanted.addresses).isEmpty)
        #expect(Set(rig.wanted.addresses).subtracting(rig.fail2ban.banned).isEmpty)
        #expect(rig.dialogue.isSettled)
    }
}
