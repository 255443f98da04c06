// What fail2ban-client is told makes fail2ban ban what is wanted, whatever fails meanwhile.

import Daemon
import Testing
import Wire

@testable import Subscriber

@Suite struct ClientDialogueTests {
    var rig = Rig()

    /// A dialogue that knows the jail and has nothing to do.
    @Test mutating func itAsksForTheVersionAndTheListBeforeItBans() throws {
        try rig.ban("192.0.2.1")
        rig.tellAll()
        #expect(rig.fail2ban.calls == [.version, .limit, .list, .ban(try addresses("192.0.2.1"))])
        #expect(rig.fail2ban.banned == [try address("192.0.2.1")])
    }

    @Test mutating func whatFail2banBansAlreadyIsNotBannedAgain() throws {
        rig.fail2ban.banByHand(try address("192.0.2.1"))
        try rig.ban("192.0.2.1", "192.0.2.2")
        rig.tellAll()
        try rig.ban("192.0.2.1", "192.0.2.2")
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.bannedTwice.isEmpty)
        #expect(rig.fail2ban.banned.count == 2)
    }

    @Test mutating func whatFail2banBansAndNobodyAnnouncedIsLeftAloneUntilTheWantedSetIsComplete() throws {
        rig.fail2ban.banByHand(try address("198.51.100.1"))
        try rig.ban("192.0.2.1")
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.banned.contains(try address("198.51.100.1")))
        _ = rig.wanted.withdrawAll(except: Set(rig.wanted.addresses), isCertain: true, now: rig.now)
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.banned == [try address("192.0.2.1")])
    }

    @Test mutating func whatIsMissingOrTooMuchIsPutRightAtTheNextComparison() throws {
        rig.settle()
        _ = rig.wanted.withdrawAll(except: Set(rig.wanted.addresses), isCertain: true, now: rig.now)
        try rig.ban("192.0.2.1")
        rig.pass(.seconds(60))
        rig.fail2ban.banByHand(try address("198.51.100.1"))
        rig.fail2ban.unbanByHand(try address("192.0.2.1"))
        rig.pass(.seconds(320))
        #expect(rig.fail2ban.banned == [try address("192.0.2.1")])
    }

    @Test mutating func anIdleDialogueSaysNothingBeforeTheNextComparison() throws {
        rig.settle()
        guard case .wait(let until?) = rig.dialogue.next(wanted: rig.wanted, now: rig.now) else {
            Issue.record("it says something")
            return
        }
        #expect(until > rig.now + .seconds(200))
    }

    @Test mutating func aBanLiftedBeforeItWasToldIsNothing() throws {
        rig.settle()
        let before = rig.fail2ban.calls.count
        try rig.ban("192.0.2.1")
        try rig.unban("192.0.2.1")
        rig.tellAll()
        #expect(rig.fail2ban.calls.count == before)
    }

    @Test mutating func anUnbanOfABanFromBeforeThisProcessIsEnforced() throws {
        rig.fail2ban.banByHand(try address("192.0.2.1"))
        try rig.unban("192.0.2.1")
        rig.tellAll()
        #expect(rig.fail2ban.banned.isEmpty)
    }

    @Test mutating func aBanAnnouncedAgainAndLiftedBeforeTheFirstListIsLifted() throws {
        rig.fail2ban.banByHand(try address("192.0.2.1"))
        try rig.ban("192.0.2.1")
        try rig.unban("192.0.2.1")
        rig.tellAll()
        #expect(rig.fail2ban.banned.isEmpty)
    }

    @Test mutating func aBanThatArrivesWhileItsUnbanIsUnderWayIsBannedAgain() throws {
        rig.settle()
        try rig.ban("192.0.2.1")
        rig.tellAll()
        try rig.unban("192.0.2.1")
        guard case .tell(let command) = rig.dialogue.next(wanted: rig.wanted, now: rig.now) else {
            Issue.record("nothing was told")
            return
        }
        try rig.ban("192.0.2.1")
        let reply = rig.fail2ban.answer(command)
        _ = rig.dialogue.answered(reply, took: .milliseconds(6), wanted: rig.wanted, now: rig.now, using: &rig.random)
        rig.tellAll()
        #expect(rig.fail2ban.banned == [try address("192.0.2.1")])
    }

    @Test mutating func bansGoBeforeUnbansAndAFloodOfBansLetsUnbansThrough() throws {
        rig.settle()
        try rig.ban("198.51.100.1")
        rig.tellAll()
        try rig.unban("198.51.100.1")
        for index in 0..<2000 {
            var event = try SubscriberTests.ban("192.0.2.1")
            event.address = try numbered(index)
            rig.announce(event)
        }
        let since = rig.fail2ban.calls.count
        rig.tellAll()
        let kinds = rig.fail2ban.calls[since...].map { $0.unbanned.isEmpty }
        #expect(kinds.first == true)
        #expect(kinds.firstIndex(of: false) == ClientWork.mostBansInARow)
        #expect(rig.fail2ban.banned.count == 2000)
    }

    @Test mutating func aCallHoldsUpFail2banForAboutThreeTenthsOfASecond() throws {
        rig.settle()
        rig.callTime = .milliseconds(20)
        for index in 0..<500 {
            var event = try SubscriberTests.ban("192.0.2.1")
            event.address = try numbered(index)
            rig.announce(event)
        }
        rig.tellAll()
        let sizes = rig.fail2ban.calls.compactMap { if case .ban(let addresses) = $0 { addresses.count } else { nil } }
        #expect(sizes.first == ChunkSize.first)
        #expect(sizes.max() == 15)
        #expect(rig.fail2ban.banned.count == 500)
    }

    @Test mutating func oldVersionsAreToldOneAddressAtATime() throws {
        rig.fail2ban.version = "0.10.4"
        try rig.ban("192.0.2.1", "192.0.2.2")
        rig.tellAll()
        #expect(rig.fail2ban.calls.prefix(2) == [.version, .status])
        #expect(rig.fail2ban.calls.suffix(2).map(\.addresses.count) == [1, 1])
    }

    @Test mutating func anOperatorsUnbanIsTakenOutOfEveryJail() throws {
        rig.settle()
        rig.announce(try SubscriberTests.unban("192.0.2.1", cause: .operator))
        rig.tellAll()
        #expect(rig.fail2ban.calls.last == .unbanEverywhere(try addresses("192.0.2.1")))
    }

    @Test mutating func aPrefixThatIsNotBannedIsNotLiftedForItsMembersWouldBe() throws {
        rig.settle()
        try rig.ban("198.51.100.7", "198.51.100.0/24")
        rig.tellAll()
        rig.fail2ban.unbanByHand(try address("198.51.100.0/24"))
        try rig.unban("198.51.100.0/24")
        rig.tellAll()
        #expect(rig.fail2ban.banned == [try address("198.51.100.7")], "the list that follows brings back the member")
        let since = rig.fail2ban.calls.count
        try rig.unban("198.51.100.0/24")
        rig.tellAll()
        #expect(rig.fail2ban.calls.count == since)
    }

    @Test mutating func oneAddressThatFail2banDoesNotTakeDoesNotKeepOutTheOthers() throws {
        rig.settle()
        let bad = try address("2001:db8::bad")
        rig.fail2ban.indigestible = [bad]
        try rig.ban("192.0.2.1", "192.0.2.2", "2001:db8::bad", "192.0.2.3", "192.0.2.4")
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.banned == Set(try addresses("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")))
        #expect(rig.notices.contains(.rejected(bad, reason: "invalid literal")))
        #expect(rig.fail2ban.bannedTwice.isEmpty)
        let calls = rig.fail2ban.calls.count
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.calls.count == calls, "it is not tried again and again")
        rig.fail2ban.indigestible = []
        try rig.ban("2001:db8::bad")
        rig.tellAll()
        #expect(rig.fail2ban.banned.contains(bad), "a new announcement tries again")
    }

    @Test mutating func notBannedIsWhatAnUnbanWants() throws {
        rig.settle()
        try rig.ban("192.0.2.1")
        rig.tellAll()
        try rig.unban("192.0.2.1")
        _ = rig.dialogue.next(wanted: rig.wanted, now: rig.now)
        let reply = ClientReply.failure(.refused("192.0.2.1 is not banned"))
        let notices = rig.dialogue.answered(reply, took: .zero, wanted: rig.wanted, now: rig.now, using: &rig.random)
        #expect(notices == [.told(.unban(try addresses("192.0.2.1")), count: 0, took: .zero)])
    }

    @Test mutating func aPrefixThatAnOldNftablesActionCannotHoldIsSaidToBeWithoutEffect() throws {
        rig.settle()
        rig.fail2ban.actions = "mail, nftables-allports"
        rig.notices = []
        try rig.ban("192.0.2.1", "198.51.100.0/24")
        rig.tellAll()
        let version = try #require(ClientVersion("1.0.2"))
        let expected = ClientDialogue.Notice.unenforced(
            try addresses("198.51.100.0/24"), actions: "mail, nftables-allports", version)
        #expect(rig.notices.dropFirst() == [expected])
    }

    @Test(arguments: [("1.0.2", "iptables-allports"), ("1.1.1", "nftables-allports")])
    mutating func aPrefixThatIsEnforcedIsNoTrouble(_ sample: (version: String, actions: String)) throws {
        (rig.fail2ban.version, rig.fail2ban.actions) = sample
        rig.settle()
        rig.notices = []
        try rig.ban("198.51.100.0/24")
        rig.tellAll()
        #expect(rig.notices.count == 1)
    }

    @Test mutating func drainingTellsWhatWaitsAndTriesNothingAgain() throws {
        rig.settle()
        try rig.ban("192.0.2.1")
        rig.dialogue.drain()
        #expect(!rig.dialogue.isDrained)
        rig.tellAll()
        #expect(rig.dialogue.isDrained)
        #expect(rig.fail2ban.banned == [try address("192.0.2.1")])
        rig.fail2ban.stop()
        try rig.ban("192.0.2.2")
        rig.tellAll()
        #expect(rig.dialogue.isDrained)
    }
}
