// A fail2ban that is stopped, restarted, busy or wrongly set up ends up with the bans that are wanted, and its operator hears why it does not.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct ClientDialogueFailureTests {
    var rig = Rig()

    private mutating func settle() {
        rig.pass(.seconds(60))
        #expect(rig.dialogue.isSettled)
        rig.notices = []
    }

    @Test mutating func aBanAndAnUnbanAnnouncedWhileFail2banIsStoppedAreThereSecondsAfterItsReturn() throws {
        settle()
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
        settle()
        try rig.ban("192.0.2.1", "192.0.2.2", "192.0.2.3")
        rig.tellAll()
        rig.fail2ban.stop()
        rig.fail2ban.start()
        try rig.unban("192.0.2.1")
        rig.tellAll()
        rig.restoresPerSecond = 1
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.banned == Set(try addresses("192.0.2.2", "192.0.2.3")))
        #expect(rig.dialogue.isSettled)
    }

    @Test mutating func whatAKilledFail2banLeftInTheFirewallIsClearedAway() throws {
        settle()
        try rig.ban("192.0.2.1", "192.0.2.2", "192.0.2.3")
        rig.tellAll()
        rig.fail2ban.kill()
        rig.fail2ban.start()
        rig.restoresPerSecond = 0
        // Lifted before it is restored: its row is gone, and it comes back.
        try rig.unban("192.0.2.1")
        rig.tellAll()
        rig.fail2ban.restore(3)
        #expect(rig.fail2ban.firewall.count == 3)
        rig.fail2ban.kill()
        rig.tellAll()
        rig.pass(.seconds(2))
        rig.fail2ban.start()
        rig.restoresPerSecond = 100
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.firewall == Set(try addresses("192.0.2.2", "192.0.2.3")))
        #expect(rig.fail2ban.banned == rig.fail2ban.firewall && rig.dialogue.isSettled)
    }

    @Test mutating func whatAKilledFail2banLeftInTheFirewallIsClearedAwayThoughNobodyNoticedTheKill() throws {
        settle()
        try rig.ban("192.0.2.1", "192.0.2.2", "192.0.2.3")
        rig.tellAll()
        rig.fail2ban.kill()
        rig.fail2ban.start()
        rig.restoresPerSecond = 0
        try rig.unban("192.0.2.1")
        rig.tellAll()
        rig.fail2ban.restore(3)
        rig.fail2ban.kill()
        rig.fail2ban.start()
        rig.restoresPerSecond = 0.1
        rig.pass(.seconds(120))
        #expect(rig.fail2ban.firewall == Set(try addresses("192.0.2.2", "192.0.2.3")))
        #expect(rig.fail2ban.banned == rig.fail2ban.firewall && rig.dialogue.isSettled)
    }

    /// What a killed fail2ban left in the firewall is about to be cleared away.
    private mutating func strand() throws {
        settle()
        try rig.ban("192.0.2.1", "192.0.2.2")
        rig.tellAll()
        rig.fail2ban.kill()
        rig.fail2ban.start()
        rig.restoresPerSecond = 0
        try rig.unban("192.0.2.1")
        rig.tellAll()
        rig.fail2ban.restore(2)
        rig.fail2ban.kill()
        rig.tellAll()
        rig.pass(.seconds(2))
        rig.fail2ban.start()
        rig.restoresPerSecond = 100
    }

    /// Goes on until the next command is the ban that clears away. - Returns: Whether there is one.
    private mutating func reachSweep() -> Bool {
        for _ in 0..<1000 {
            let before = rig
            switch rig.dialogue.next(wanted: rig.wanted, now: rig.now) {
            case .tell(.sweep):
                rig = before
                return true
            case .tell(let command):
                let reply = rig.fail2ban.answer(command)
                _ = rig.dialogue.answered(reply, took: .milliseconds(6), wanted: rig.wanted, now: rig.now, using: &rig.random)
            case .wait(let until?): rig.now = until
            case .wait: return false
            }
        }
        return false
    }

    @Test mutating func anEndBansNothingToClearItAway() throws {
        try strand()
        try #require(reachSweep())
        rig.dialogue.drain()
        #expect(rig.dialogue.isDrained)
        #expect(rig.tellOne() == nil)
        #expect(rig.fail2ban.banned == Set(try addresses("192.0.2.2")))
    }

    @Test mutating func aBanThatOnlyClearsAwayIsLiftedThoughItsAnswerIsLost() throws {
        try strand()
        try #require(reachSweep())
        // Bans go first, for so long that things are settled again.
        for index in 1...4 {
            rig.now += ClientDialogue.listInterval
            try rig.ban("198.51.100.\(index)")
            for _ in 0..<10 { if case .ban = rig.tellOne() { break } }
        }
        let wanted = rig.fail2ban.banned
        guard case .tell(let command) = rig.dialogue.next(wanted: rig.wanted, now: rig.now) else { return }
        _ = rig.fail2ban.answer(command)
        _ = rig.dialogue.failed(.silent, now: rig.now, using: &rig.random)
        #expect(rig.fail2ban.banned.subtracting(wanted) == [try address("192.0.2.1")])
        // The wanted set is not complete, so what nobody announced would be left alone.
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.banned == wanted)
    }

    /// Its row is gone by the first unban, fail2ban restores it all the same, and a ban of what is banned writes no row.
    @Test mutating func whatWasBannedOnceMoreWithoutARowIsClearedAwayWhenItIsLifted() throws {
        settle()
        rig.restoresPerSecond = 0
        try rig.ban("192.0.2.1", "192.0.2.2", "192.0.2.3")
        rig.tellAll()
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
        #expect(rig.fail2ban.firewall == Set(try addresses("192.0.2.2", "192.0.2.3")))
        #expect(rig.fail2ban.banned == rig.fail2ban.firewall && rig.dialogue.isSettled)
    }

    @Test mutating func aBanThatIsWantedAgainIsNotClearedAway() throws {
        settle()
        try rig.ban("192.0.2.1", "192.0.2.2")
        rig.tellAll()
        rig.fail2ban.kill()
        rig.fail2ban.start()
        rig.restoresPerSecond = 0
        try rig.unban("192.0.2.1")
        rig.tellAll()
        rig.fail2ban.restore(2)
        rig.fail2ban.kill()
        rig.tellAll()
        try rig.ban("192.0.2.1")
        rig.fail2ban.start()
        rig.restoresPerSecond = 100
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.firewall == Set(try addresses("192.0.2.1", "192.0.2.2")) && rig.dialogue.isSettled)
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

    @Test mutating func whatFail2banRestoresByItselfIsNotBannedBesides() throws {
        settle()
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
        settle()
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

    @Test mutating func aCallWithoutAnAnswerIsLookedIntoAndNotRepeatedBlindly() throws {
        settle()
        try rig.ban("192.0.2.1", "192.0.2.2")
        guard case .tell(let command) = rig.dialogue.next(wanted: rig.wanted, now: rig.now) else {
            Issue.record("nothing was told")
            return
        }
        // fail2ban carries it out, although its client was killed.
        _ = rig.fail2ban.answer(command)
        rig.notices += rig.dialogue.failed(.silent, now: rig.now, using: &rig.random)
        rig.pass(.seconds(60))
        #expect(rig.notices.contains(.failing(.silent, persistent: false)))
        #expect(rig.fail2ban.bannedTwice.isEmpty)
        #expect(rig.fail2ban.banned.count == 2)
    }

    @Test mutating func aBanThatMayHaveBeenMadeIsLiftedWhenItsUnbanComesMeanwhile() throws {
        settle()
        try rig.ban("192.0.2.1")
        guard case .tell(let command) = rig.dialogue.next(wanted: rig.wanted, now: rig.now) else {
            Issue.record("nothing was told")
            return
        }
        _ = rig.dialogue.failed(.silent, now: rig.now, using: &rig.random)
        try rig.unban("192.0.2.1")
        rig.pass(.seconds(1))
        // Only now fail2ban gets to it.
        _ = rig.fail2ban.answer(command)
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.banned.isEmpty)
    }

    @Test mutating func pausesGrowToFiveSecondsWhileFail2banIsDown() throws {
        rig.fail2ban.stop()
        rig.pass(.seconds(600))
        #expect((100...180).contains(rig.fail2ban.calls.count))
        #expect(Set(rig.fail2ban.calls) == [.version])
        #expect(rig.notices == [.failing(.down, persistent: false), .failing(.down, persistent: true)])
    }

    @Test mutating func aJailThatIsNotThereYetIsNotCalledMissingAtOnce() throws {
        rig.fail2ban.stop()
        rig.pass(.seconds(600))
        rig.notices = []
        rig.fail2ban.hasJail = false
        rig.fail2ban.start()
        rig.pass(.seconds(4))
        #expect(rig.notices == [.failing(.unknownJail, persistent: false)] || rig.notices.isEmpty)
        rig.fail2ban.hasJail = true
        rig.pass(.seconds(6))
        #expect(rig.notices.last == .connected(try #require(ClientVersion("1.0.2")), banned: 0))
    }

    @Test mutating func aJailThatIsMissingIsALoudErrorAndTriedSlowly() throws {
        rig.fail2ban.hasJail = false
        rig.announce(try ban("192.0.2.1", for: nil))
        rig.pass(.seconds(600))
        #expect(rig.notices == [.failing(.unknownJail, persistent: false), .failing(.unknownJail, persistent: true)])
        #expect(rig.fail2ban.calls.count < 80)
        rig.fail2ban.hasJail = true
        rig.pass(.seconds(40))
        #expect(rig.fail2ban.banned == [try address("192.0.2.1")])
        let (what, remedy) = ClientFailure.unknownJail.explanation(jail: .cluster, program: "fail2ban-client")
        #expect(what.contains("fail2ban-cluster"))
        #expect(remedy?.contains("copy jail.d/fail2ban-cluster.conf") == true)
    }

    @Test mutating func aMissingPermissionIsSaidAtOnceAndTriedSlowly() throws {
        rig.fail2ban.isPermitted = false
        rig.pass(.seconds(300))
        #expect(rig.notices.first == .failing(.permission("Permission denied to socket"), persistent: true))
        #expect(rig.fail2ban.calls.count < 20)
    }

    @Test mutating func changesWhileFail2banIsAwayTakeNoMoreMemoryThanThereAreAddresses() throws {
        settle()
        rig.fail2ban.stop()
        for round in 0..<50 {
            for index in 0..<1000 {
                var event = round.isMultiple(of: 2) ? try ban("192.0.2.1") : try unban("192.0.2.1")
                event.address = try numbered(index)
                rig.announce(event)
            }
            rig.tellAll()
        }
        rig.fail2ban.start()
        let since = rig.fail2ban.calls.count
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.banned.isEmpty)
        #expect(rig.fail2ban.calls[since...].allSatisfy { $0.addresses.isEmpty }, "bans that came and went meanwhile are nothing")
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
