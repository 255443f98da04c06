// Unbans without a database: an admin's are reported after fail2ban was asked, and a stop's never.

import Daemon
import Testing
import Wire

@testable import Monitor

@Suite struct WithoutDatabaseTests {
    private func desk() throws -> Desk {
        var desk = try Desk()
        desk.problem = WitnessProblem.none
        return desk
    }

    private func jail(_ name: String = "sshd") throws -> Jail { try #require(Jail(name)) }

    private func findings(_ banned: String..., logsStops: Bool = true) throws -> ClientInquiry.Findings {
        let bans = try banned.map { ClientInquiry.Ban(address: try #require(Address($0)), seen: nil, end: .unknown) }
        return ClientInquiry.Findings(logsStops: logsStops, jails: [try jail(): ClientInquiry.JailFindings(banTime: nil, bans: bans)])
    }

    @Test func anAdminsUnbanIsReportedWhenItsJailWasQuietAndDoesNotBanIt() throws {
        var desk = try desk()
        try desk.ban("sshd", "192.0.2.1")
        try desk.see(.unban, "sshd", "192.0.2.1")
        #expect(desk.sent().count == 1)
        #expect(desk.reporter.clientQuestion(now: desk.now + .milliseconds(4999)) == [])
        #expect(desk.reporter.holdingBack.deadline == desk.now + .seconds(5))
        let later = desk.now + .seconds(5)
        #expect(desk.reporter.clientQuestion(now: later) == [try jail()])
        let isAsked = desk.reporter.ask([try jail()], now: later)
        #expect(isAsked)
        desk.reporter.take(try findings(), now: later)
        #expect(desk.sent() == ["-|web1|sshd|Unban|192.0.2.1|-|\(desk.milliseconds)|-|-|lifted"])
        #expect(desk.reporter.undecidedCount == 0)
        #expect(desk.reporter.holdingBack.deadline == nil)
    }

    @Test func anAddressThatTheJailStillBansWasNotLifted() throws {
        var desk = try desk()
        try desk.see(.unban, "sshd", "192.0.2.1")
        _ = desk.reporter.ask([try jail()], now: desk.now)
        desk.reporter.take(try findings("192.0.2.1"), now: desk.now)
        #expect(desk.sent() == [])
        #expect(desk.reporter.undecidedCount == 0)
    }

    @Test func aJailThatStopsLiftsNothing() throws {
        var desk = try desk()
        for number in 1...50 { try desk.see(.unban, "sshd", "192.0.2.\(number)") }
        desk.reporter.take(.stopped(try jail()))
        #expect(desk.reporter.undecidedCount == 0)
        #expect(desk.reporter.clientQuestion(now: desk.now + .seconds(60)) == [])
    }

    @Test func aStopDuringWhichTheMonitorWasKilledLiftsNothing() throws {
        var desk = try desk()
        for number in 1...50 { try desk.see(.unban, "sshd", "192.0.2.\(number)") }
        let saved = desk.reporter.savedState
        desk.reporter = Reporter(host: try #require(Hostname("web1")), stream: "test", position: 50, saved: saved, now: desk.now)
        #expect(desk.reporter.undecidedCount == 50)
        // fail2ban has long come back: all is read before anybody was asked.
        for line in [ServerLine.stopped(try jail()), .stopping, .starting, .started(try jail())] { desk.reporter.take(line) }
        desk.look(at: desk.now)
        #expect(desk.reporter.undecidedCount == 0)
        #expect(desk.reporter.clientQuestion(now: desk.now + .seconds(60)) == [])
    }

    @Test func aStopOfOneJailLeavesTheOthersUnbans() throws {
        var desk = try desk()
        try desk.see(.unban, "sshd", "192.0.2.1")
        try desk.see(.unban, "inc", "192.0.2.1")
        desk.reporter.take(.stopped(try jail("inc")))
        #expect(desk.reporter.clientQuestion(now: desk.now + .seconds(5)) == [try jail()])
    }

    @Test func aStopThatIsReadWithItsUnbansTakesOnlyThoseBeforeIt() throws {
        var desk = try desk()
        let key = HoldKey(jail: try jail(), id: "192.0.2.1")
        let address = try #require(Address("192.0.2.1"))
        // One batch: Unban, stopped, and after the start an admin's Unban.
        desk.reporter.take(Sighting(.unban, key: key, address: address, seen: desk.wall, position: 1))
        desk.reporter.take(.stopped(try jail()))
        desk.reporter.take(.started(try jail()))
        let other = HoldKey(jail: try jail(), id: "192.0.2.2")
        desk.reporter.take(
            Sighting(.unban, key: other, address: try #require(Address("192.0.2.2")), seen: desk.wall, position: 2))
        desk.look(at: desk.now)
        #expect(desk.reporter.undecidedCount == 1)
        _ = desk.reporter.ask([try jail()], now: desk.now)
        desk.reporter.take(try findings(), now: desk.now)
        #expect(desk.sent() == ["-|web1|sshd|Unban|192.0.2.2|-|\(desk.milliseconds)|-|-|lifted"])
    }

    @Test func aStopDuringTheQuestionWins() throws {
        var desk = try desk()
        try desk.see(.unban, "sshd", "192.0.2.1")
        _ = desk.reporter.ask([try jail()], now: desk.now)
        desk.reporter.take(.stopped(try jail()))
        desk.reporter.take(try findings(), now: desk.now)
        #expect(desk.sent() == [])
    }

    @Test func whatIsUnbannedAfterAShutdownBeganIsOfTheShutdown() throws {
        var desk = try desk()
        try desk.see(.unban, "sshd", "192.0.2.1")
        desk.reporter.take(.stopping)
        try desk.see(.unban, "sshd", "192.0.2.2")
        #expect(desk.reporter.undecidedCount == 0)
        desk.reporter.take(.starting)
        try desk.see(.unban, "sshd", "192.0.2.3")
        #expect(desk.reporter.undecidedCount == 1)
    }

    @Test func anUnbanAtTheKnownEndIsAnExpiry() throws {
        var desk = try desk()
        desk.reporter.lastBanTimes[try jail()] = 0
        try desk.ban("sshd", "192.0.2.1")
        try desk.see(.unban, "sshd", "192.0.2.1")
        #expect(desk.reporter.undecidedCount == 0)
    }

    @Test func aBanThatFollowsCancelsTheUnban() throws {
        var desk = try desk()
        try desk.see(.unban, "sshd", "192.0.2.1")
        _ = desk.reporter.ask([try jail()], now: desk.now)
        try desk.ban("sshd", "192.0.2.1")
        desk.reporter.take(try findings(), now: desk.now)
        #expect(desk.sent().filter { $0.contains("Unban") } == [])
    }

    @Test func aFail2banThatCannotBeAskedIsAskedAgainAndNothingIsGuessed() throws {
        var desk = try desk()
        try desk.see(.unban, "sshd", "192.0.2.1")
        var now = desk.now + .seconds(5)
        for pause in [5, 10, 20, 40, 60, 60] {
            #expect(desk.reporter.clientQuestion(now: now) == [try jail()])
            _ = desk.reporter.ask([try jail()], now: now)
            desk.reporter.clientFailed(now: now)
            #expect(desk.reporter.holdingBack.deadline == now + .seconds(pause))
            now += .seconds(pause)
        }
        // A jail that does not run is no answer either.
        _ = desk.reporter.ask([try jail()], now: now)
        desk.reporter.take(ClientInquiry.Findings(logsStops: true), now: now)
        #expect(desk.sent() == [])
        #expect(desk.reporter.undecidedCount == 1)
    }

    @Test func aLogThatLacksTheLinesOfStopsProvesNoUnban() throws {
        var desk = try desk()
        try desk.see(.unban, "sshd", "192.0.2.1")
        _ = desk.reporter.ask([try jail()], now: desk.now)
        desk.reporter.take(try findings(logsStops: false), now: desk.now)
        #expect(desk.sent() == [])
        #expect(desk.notices() == [.stopsNotLogged: 1])
    }

    @Test func aLockedDatabaseIsWaitedForAndFail2banNotAsked() throws {
        var desk = try Desk()
        desk.problem = .locked("db")
        try desk.see(.unban, "sshd", "192.0.2.1")
        #expect(desk.reporter.clientQuestion(now: desk.now + .seconds(600)) == [])
        desk.reporter.take(.stopped(try jail()))
        #expect(desk.reporter.undecidedCount == 1)
    }

    @Test func aJailThatIsNeverQuietIsAskedAboutAllTheSame() throws {
        var holding = HoldingBack()
        let start = ContinuousClock.now
        for second in 0...30 {
            let key = HoldKey(jail: try jail(), id: "192.0.2.\(second)")
            let isHeld = holding.unbanned(key, seen: Timestamp(milliseconds: 0), now: start + .seconds(second))
            #expect(isHeld)
            #expect(holding.due(now: start + .seconds(second)).isEmpty == (second < 30))
        }
    }

    @Test func thousandsOfUnbansAtOnceAreAllReported() throws {
        var desk = try Desk()
        desk.problem = WitnessProblem.none
        for number in 0..<1000 { try desk.see(.unban, "sshd", "10.0.\(number / 250).\(number % 250)") }
        _ = desk.reporter.ask([try jail()], now: desk.now)
        desk.reporter.take(try findings(), now: desk.now)
        #expect(Set(desk.sent()).count == 1000)
    }
}

@Suite struct ClientInquiryTests {
    private func answer(_ inquiry: inout ClientInquiry, _ text: String) -> ClientInquiry.Step { inquiry.take(Array(text.utf8)) }

    @Test func aListAsksForEachReportedJailsBanTimeAndBans() throws {
        var inquiry = ClientInquiry(.list(ReportedJails(.init())))
        #expect(inquiry.begin() == "version")
        #expect(answer(&inquiry, "1.0.2\n") == .ask("get loglevel"))
        #expect(answer(&inquiry, "Current logging level is 'INFO'\n") == .ask("status"))
        let status = "Status\n|- Number of jail:\t3\n`- Jail list:\tfail2ban-cluster, my jail, sshd\n"
        #expect(answer(&inquiry, status) == .ask("get sshd bantime"))
        #expect(answer(&inquiry, "600\n") == .ask("get sshd banip --with-time"))
        let bans =
            "192.0.2.1 \t2026-11-20 23:01:24 + 600 = 2026-11-20 23:11:24\nbob smith \t2026-11-20 23:01:24 + 600 = 2026-11-20 23:11:24\n"
            + "2001:db8::1 \t2026-11-20 23:01:24 + -1 = 9999-12-31 23:59:59\n"
        guard case .done(let findings) = answer(&inquiry, bans) else {
            Issue.record("no findings")
            return
        }
        #expect(findings.logsStops)
        let name = try #require(Jail("sshd"))
        let sshd = try #require(findings.jails[name])
        #expect(sshd.banTime == 600)
        #expect(sshd.bans.map(\.address.description) == ["192.0.2.1", "2001:db8::1"])
        let seen = try #require(sshd.bans[0].seen)
        #expect(sshd.bans[0].end == .at(seen.advanced(byMilliseconds: 600_000)))
        #expect(sshd.bans[1].end == .permanent)
    }

    @Test func anOldFail2banIsAskedInItsWords() throws {
        let sshd = try #require(Jail("sshd"))
        var inquiry = ClientInquiry(.proof([sshd]))
        _ = inquiry.begin()
        #expect(answer(&inquiry, "0.10.6\n") == .ask("get loglevel"))
        #expect(answer(&inquiry, "Current logging level is 'NOTICE'\n") == .ask("status sshd"))
        guard case .done(let findings) = answer(&inquiry, "`- Actions\n   `- Banned IP list:\t192.0.2.1 192.0.2.2\n") else {
            Issue.record("no findings")
            return
        }
        #expect(!findings.logsStops)
        #expect(findings.jails[sshd]?.bans.map(\.address.description) == ["192.0.2.1", "192.0.2.2"])
    }

    @Test func aJailThatIsNotThereIsNoFindingAndNoFailure() throws {
        let sshd = try #require(Jail("sshd"))
        var inquiry = ClientInquiry(.proof([sshd]))
        _ = inquiry.begin()
        _ = answer(&inquiry, "1.0.2\n")
        _ = answer(&inquiry, "Current logging level is 'INFO'\n")
        let text = "2026-11-21 02:05:54,185 fail2ban   [21488]: ERROR   NOK: ('sshd',)\nSorry but the jail 'sshd' does not exist\n"
        #expect(answer(&inquiry, text) == .done(ClientInquiry.Findings(logsStops: true)))
    }

    @Test func anAnswerThatIsNotUnderstoodIsAFailure() {
        var inquiry = ClientInquiry(.proof([]))
        _ = inquiry.begin()
        guard case .failed(.unclear(_)) = answer(&inquiry, "what?\n") else {
            Issue.record("took nonsense for a version")
            return
        }
    }
}
