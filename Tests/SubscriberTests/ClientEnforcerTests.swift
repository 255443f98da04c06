// The enforcer through fail2ban-client against a real fail2ban, asked from outside what it bans.

import Daemon
import Testing
import Wire
import ZeroMQ

@testable import Subscriber

@Suite(.enabled(if: PrivateFail2ban.isInstalled, "fail2ban is not installed"), .serialized)
struct ClientEnforcerTests {
    private let fail2ban: PrivateFail2ban
    private let enforcer: ClientEnforcer
    private var wanted = WantedSet(origin: start)

    init() throws {
        fail2ban = try PrivateFail2ban()
        enforcer = ClientEnforcer(program: fail2ban.program, jail: .cluster, log: quiet)
    }

    private mutating func announce(_ events: Event...) {
        for event in events {
            guard case .changed(let change) = wanted.apply(event, publisherNow: publisherStart, now: .now, refusal: nobodyRefused) else {
                continue
            }
            enforcer.take(change)
        }
    }

    /// Runs the enforcer as the loop does until fail2ban, asked from outside, bans exactly these.
    private func awaitBans(
        _ expected: [Address], within patience: Duration = .seconds(40), also: () throws -> Bool = { true }
    ) throws {
        let limit = ContinuousClock.now + patience
        var banned: Set<Address> = []
        while ContinuousClock.now < limit {
            enforcer.advance(wanted: wanted, now: .now)
            var polled = PollSet()
            enforcer.add(to: &polled)
            let look = ContinuousClock.now + .milliseconds(50)
            try polled.wait(until: min(enforcer.deadline ?? look, look))
            enforcer.advance(wanted: wanted, now: .now)
            banned = try fail2ban.banned()
            if banned == Set(expected), try also() { return }
        }
        Issue.record("after \(patience) fail2ban bans \(banned) and not \(expected)")
    }

    @Test mutating func whatIsAnnouncedIsBannedAndWhatIsLiftedIsNot() throws {
        announce(try ban("192.0.2.1"), try ban("2001:db8::1"), try ban("198.51.100.0/24"), try ban("198.51.100.7"))
        try awaitBans(try addresses("192.0.2.1", "2001:db8::1", "198.51.100.0/24", "198.51.100.7"))
        announce(try unban("192.0.2.1"), try unban("198.51.100.0/24"), try unban("2001:db8::1"))
        try awaitBans(try addresses("198.51.100.7"))
    }

    @Test mutating func whatIsBannedAlreadyIsNotBannedAgainSoItsEndStays() throws {
        try fail2ban.client("set", "fail2ban-cluster", "banip", "192.0.2.1")
        announce(try ban("192.0.2.1"), try ban("192.0.2.2"))
        try awaitBans(try addresses("192.0.2.1", "192.0.2.2"))
        announce(try ban("192.0.2.1"), try ban("192.0.2.2"), try ban("192.0.2.3"))
        try awaitBans(try addresses("192.0.2.1", "192.0.2.2", "192.0.2.3"))
        #expect(try !fail2ban.log().contains("already banned"))
    }

    @Test mutating func anOperatorsUnbanReachesTheOtherJails() throws {
        try fail2ban.client("set", "sshd", "banip", "192.0.2.1", "192.0.2.2")
        announce(try ban("192.0.2.1"))
        try awaitBans(try addresses("192.0.2.1"))
        announce(try unban("192.0.2.1", cause: .operator))
        try awaitBans([])
        #expect(try fail2ban.banned(in: "sshd") == [try address("192.0.2.2")])
    }

    @Test mutating func whatWasAnnouncedWhileFail2banWasStoppedIsRightSecondsAfterItsReturn() throws {
        announce(try ban("192.0.2.1"), try ban("192.0.2.2"))
        try awaitBans(try addresses("192.0.2.1", "192.0.2.2"))
        try fail2ban.stop()
        announce(try unban("192.0.2.1"), try ban("192.0.2.3"))
        enforcer.advance(wanted: wanted, now: .now)
        try fail2ban.start()
        try awaitBans(try addresses("192.0.2.2", "192.0.2.3")) { enforcer.isSettled }
    }

    @Test mutating func aFail2banThatIsStoppedIsNoticedThoughNothingIsToBeBanned() throws {
        announce(try ban("192.0.2.1"))
        try awaitBans(try addresses("192.0.2.1"), within: .seconds(120)) { enforcer.isSettled }
        try fail2ban.stop()
        #expect(enforcer.trouble == nil)
        let limit = ContinuousClock.now + .seconds(40)
        while enforcer.trouble == nil, ContinuousClock.now < limit {
            // The clock is a parameter: it is time to ask for the log's level.
            enforcer.advance(wanted: wanted, now: .now + ServerSettings.interval)
            var polled = PollSet()
            enforcer.add(to: &polled)
            try polled.wait(until: .now + .milliseconds(50))
        }
        #expect(enforcer.trouble == "fail2ban is not running. start it: systemctl start fail2ban")
        #expect(!enforcer.isSettled)
    }

    @Test mutating func anOperatorsUnbanRightAfterARestartOfFail2banIsNotUndoneByItsRestoring() throws {
        // Enough bans before it that the restart is still restoring when the order comes.
        let crowd = try (0..<2000).map { try numbered($0).description }
        for first in stride(from: 0, to: crowd.count, by: 500) { try fail2ban.ban(crowd[first..<first + 500], in: "sshd") }
        announce(try ban("192.0.2.1"))
        try fail2ban.client("set", "sshd", "banip", "192.0.2.1")
        try awaitBans(try addresses("192.0.2.1"))
        try fail2ban.stop()
        try fail2ban.start()
        announce(try unban("192.0.2.1", cause: .operator))
        let attacker = try address("192.0.2.1")
        try awaitBans([]) { enforcer.isSettled }
        let left = try fail2ban.banned(in: "sshd")
        #expect(!left.contains(attacker))
        #expect(left.count == crowd.count)
    }

    @Test mutating func aBanThatTheClusterWantsOutlivesTheJailsOwnLimitAndOneThatItDoesNotEnds() throws {
        // Renewed between 8 and 4 s before its end: the other tests may keep this process from its turn for seconds.
        try fail2ban.client("set", "fail2ban-cluster", "bantime", "16")
        announce(try ban("192.0.2.1", for: nil), try ban("192.0.2.2", for: nil))
        try awaitBans(try addresses("192.0.2.1", "192.0.2.2"))
        let end = ContinuousClock.now + .seconds(40)
        var lapses = 0
        try awaitBans(try addresses("192.0.2.1", "192.0.2.2")) {
            if try fail2ban.banned().count != 2 { lapses += 1 }
            return ContinuousClock.now >= end
        }
        let log = try fail2ban.log()
        #expect(lapses == 0)
        #expect(log.ranges(of: " Unban ").isEmpty, "it was never lifted in between")
        #expect(log.ranges(of: "[fail2ban-cluster] Ban ").count == 2)
    }

    @Test mutating func fiveHundredBansArriveInCallsThatLeaveFail2banFree() throws {
        var all: [Address] = []
        for index in 0..<500 {
            var event = try ban("192.0.2.1")
            event.address = try numbered(index)
            all.append(event.address)
            announce(event)
        }
        try awaitBans(all)
    }

    @Test func theCheckSaysWhatIsThereAndWhatIsMissing() throws {
        let good = SubscriberCheck.client(fail2ban.program, .cluster)
        #expect(good.map(\.severity) == [.note])
        #expect(good.first?.text.contains("its jail fail2ban-cluster bans 0 addresses") == true)
        let noJail = SubscriberCheck.client(fail2ban.program, try #require(Jail("nix"))).first
        #expect(noJail?.severity == .warning)
        #expect(noJail?.sentence.contains("has no jail 'nix'. name one that it has") == true)
        try fail2ban.stop()
        #expect(SubscriberCheck.client(fail2ban.program, .cluster).first?.sentence.contains("not running") == true)
        let noProgram = SubscriberCheck.client(["/no/such/fail2ban-client"], .cluster).first
        #expect(noProgram?.severity == .problem)
        #expect(noProgram?.sentence.contains("cannot start /no/such/fail2ban-client: No such file") == true)
    }
}
