// What fail2ban-client fails with is looked into and tried again after a pause, and its operator hears of it.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct ClientDialogueFailureTests {
    var rig = Rig()

    @Test mutating func aCallWithoutAnAnswerIsLookedIntoAndNotRepeatedBlindly() throws {
        rig.settle()
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
        rig.settle()
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
        #expect(remedy?.contains("copy conf/fail2ban") == true)
    }

    @Test mutating func aMissingPermissionIsSaidAtOnceAndTriedSlowly() throws {
        rig.fail2ban.isPermitted = false
        rig.pass(.seconds(300))
        #expect(rig.notices.first == .failing(.permission("Permission denied to socket"), persistent: true))
        #expect(rig.fail2ban.calls.count < 20)
    }

    @Test mutating func changesWhileFail2banIsAwayTakeNoMoreMemoryThanThereAreAddresses() throws {
        rig.settle()
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
}
