// The jail's own limit ends no ban that the cluster still wants, and what an operator lifted stays lifted in every jail.

import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct RenewalTests {
    var rig = Rig()

    private mutating func ban(_ count: Int, for duration: Duration?) throws {
        for index in 0..<count {
            var event = try SubscriberTests.ban("192.0.2.1", for: duration)
            event.address = try numbered(index)
            rig.announce(event)
        }
    }

    /// Lets time pass, a second at a time, and looks each time whether all that is wanted is banned.
    private mutating func neverLapses(for seconds: Int) {
        for second in 0..<seconds {
            rig.pass(.seconds(1))
            guard rig.wanted.addresses.allSatisfy({ rig.fail2ban.banned.contains($0) }) else {
                Issue.record("a wanted ban lapsed after \(second) s")
                return
            }
        }
    }

    private var renewed: [Address] {
        rig.fail2ban.calls.flatMap { call -> [Address] in if case .renew(let addresses) = call { addresses } else { [] } }
    }

    @Test(arguments: [6, 60, 600]) mutating func aWantedBanNeverLapsesWhateverTheJailsLimit(_ limit: Int) throws {
        rig.fail2ban.limit = limit
        rig.callTime = .milliseconds(1)
        rig.tellAll()
        try ban(20, for: nil)
        neverLapses(for: 10 * limit)
        #expect(rig.fail2ban.banned.count == 20)
        #expect(rig.fail2ban.bannedTwice.isEmpty)
    }

    @Test mutating func aBanIsRenewedAtMostTwiceInTheTimeOfTheLimit() throws {
        rig.fail2ban.limit = 60
        try ban(100, for: nil)
        neverLapses(for: 600)
        // 600 s are ten limits of 60 s.
        #expect((10 * 100...20 * 100).contains(renewed.count))
        let calls = rig.fail2ban.calls.count { if case .renew = $0 { true } else { false } }
        #expect(calls <= renewed.count / 10, "several at a time")
    }

    @Test mutating func aBanThatEndsBeforeTheJailsLimitIsNotRenewed() throws {
        rig.fail2ban.limit = 600
        try ban(10, for: .seconds(500))
        rig.pass(.seconds(700))
        #expect(renewed.isEmpty)
        #expect(rig.fail2ban.banned.isEmpty)
    }

    @Test mutating func aJailThatBansForEverNeedsNoRenewal() throws {
        rig.fail2ban.limit = nil
        try ban(10, for: nil)
        rig.pass(.seconds(86_400 * 3))
        #expect(renewed.isEmpty)
        #expect(rig.fail2ban.banned.count == 10)
    }

    @Test mutating func theUsualDayIsRenewedAfterHalfOfIt() throws {
        try ban(10, for: nil)
        rig.pass(.seconds(43_000))
        #expect(renewed.isEmpty)
        rig.pass(.seconds(900))
        #expect(renewed.count == 10)
    }

    @Test mutating func whatARestartedFail2banRestoredWithAnOldEndIsRenewed() throws {
        rig.fail2ban.limit = 600
        rig.restoresPerSecond = 5
        try ban(50, for: nil)
        rig.pass(.seconds(100))
        rig.fail2ban.stop()
        rig.pass(.seconds(20))
        rig.fail2ban.start()
        rig.pass(.seconds(60))
        #expect(rig.dialogue.isSettled)
        neverLapses(for: 1800)
    }

    @Test mutating func aJailWhoseLimitAReloadChangedIsRenewedByTheNewOne() throws {
        try ban(10, for: nil)
        rig.pass(.seconds(60))
        rig.fail2ban.limit = 1000
        // fail2ban counts all its bans by the new limit at once.
        for index in 0..<10 { rig.fail2ban.banByHand(try numbered(index)) }
        neverLapses(for: 3000)
    }

    // MARK: Operators' unbans

    @Test mutating func anOperatorsUnbanIsRepeatedWhileAnotherJailMayRestoreTheBan() throws {
        let attacker = try address("192.0.2.1")
        rig.pass(.seconds(60))
        rig.announce(try SubscriberTests.unban("192.0.2.1", cause: .operator))
        rig.tellAll()
        // Only now the other jail comes to it.
        rig.fail2ban.elsewhere = [attacker]
        rig.pass(.seconds(30))
        #expect(rig.fail2ban.elsewhere.isEmpty)
        #expect(rig.dialogue.isSettled)
    }

    @Test mutating func anOperatorsUnbanThatWasGivenBeforeFail2banRestartedIsRepeatedAfterItsReturn() throws {
        let attacker = try address("192.0.2.1")
        rig.announce(try SubscriberTests.unban("192.0.2.1", cause: .operator))
        rig.pass(.seconds(60))
        rig.fail2ban.stop()
        try rig.ban("192.0.2.9")
        rig.pass(.seconds(5))
        rig.fail2ban.start()
        rig.fail2ban.elsewhere = [attacker]
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.elsewhere.isEmpty)
    }

    @Test mutating func onceThingsAreSettledANewBanInAnotherJailIsLeftAlone() throws {
        let attacker = try address("192.0.2.1")
        rig.announce(try SubscriberTests.unban("192.0.2.1", cause: .operator))
        rig.pass(.seconds(60))
        rig.fail2ban.elsewhere = [attacker]
        rig.pass(.seconds(1000))
        #expect(rig.fail2ban.elsewhere == [attacker])
    }

    @Test mutating func aBanOfTheClusterEndsTheOperatorsOrder() throws {
        let attacker = try address("192.0.2.1")
        rig.pass(.seconds(60))
        rig.announce(try SubscriberTests.unban("192.0.2.1", cause: .operator))
        rig.tellAll()
        try rig.ban("192.0.2.1")
        rig.fail2ban.elsewhere = [attacker]
        rig.pass(.seconds(60))
        #expect(rig.fail2ban.elsewhere == [attacker])
        #expect(rig.fail2ban.banned == [attacker])
    }

    @Test func noMoreThanTheLatestOrdersAreRememberedAndNotForLong() throws {
        var orders = OperatorUnbans()
        let all = try (0..<1000).map { try numbered($0) }
        let isNew = orders.note(all, now: start)
        #expect(isNew)
        let recent = orders.recent(now: start)
        #expect(recent == Array(all.suffix(OperatorUnbans.most)))
        let isNewAgain = orders.note(Array(all.suffix(10)), now: start + .seconds(1))
        #expect(!isNewAgain)
        let later = orders.recent(now: start + OperatorUnbans.memory)
        #expect(later.isEmpty)
    }

    // MARK: What fail2ban does not take

    @Test mutating func whatFail2banDidNotTakeIsTriedAgainWithTheNextComparison() throws {
        rig.pass(.seconds(60))
        let bad = try address("2001:db8::bad")
        rig.fail2ban.indigestible = [bad]
        rig.announce(try SubscriberTests.ban("2001:db8::bad", for: nil))
        try rig.ban("192.0.2.1")
        rig.pass(.seconds(10))
        let tries = { (rig: Rig) in rig.fail2ban.calls.count { $0 == .ban([bad]) } }
        let before = tries(rig)
        rig.pass(.seconds(300 * 2))
        #expect((before + 1...before + 3).contains(tries(rig)))
        rig.fail2ban.indigestible = []
        rig.pass(.seconds(330))
        #expect(rig.fail2ban.banned.contains(bad))
    }
}
