// Reports, orders and old clients: what counts, what is refused, and that nothing counts twice or before it is on disk.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct LedgerTests {
    let term = Term(id: 7)
    var ledger = Ledger(
        admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week))

    func report(_ entries: [Report.Entry], stream: String = "s1", now: Timestamp = at(100)) -> Report {
        Report(stream: stream, now: now, entries: entries)
    }

    @Test mutating func aHostCanBanInSoManyJailsOnly() throws {
        func take(_ host: String, _ jails: Range<Int>, from position: Int) throws -> [String] {
            let entries = try jails.map { jail in
                Report.Entry(position: UInt64(position + jail), try ban(host, "192.0.2.1", until: 600, jail: "jail\(jail)"))
            }
            let answer = ledger.take(report(entries), from: try PublisherTests.host(host), term: term, now: at(100))
            _ = ledger.commit()
            return answer.refused.map(\.reason)
        }
        let most = Holders.mostJails
        #expect(try take("web1", 0..<most + 1, from: 1) == ["jail jail256 is one too many: 256 jails of web1 have banned already"])
        #expect(ledger.table.holdCount(of: try host("web1")) == most)
        // Those go on, and others have their own.
        #expect(try take("web1", 0..<1, from: 1000).isEmpty)
        #expect(try take("web2", most..<most + 1, from: 1).isEmpty)
    }

    @Test func oldClientsHoldNoMoreThanTheyMayTogether() throws {
        var ledger = Ledger(
            admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week),
            maximumPlainHolds: 2)
        func take(_ event: Event) -> String? {
            let refusal = ledger.take(plain: event, counts: true, now: at(0))
            _ = ledger.commit()
            return refusal?.reason
        }
        var reasons = [
            take(try ban("old1", "192.0.2.1", until: 600)), take(try ban("old2", "192.0.2.1", until: 600)),
            take(try ban("old3", "192.0.2.2", until: 600)),
        ]
        reasons += [take(try unban("old1", "192.0.2.1")), take(try ban("old3", "192.0.2.2", until: 600))]
        #expect(reasons == [nil, nil, "old clients hold 2 bans, as many as they may together", nil, nil])
    }

    @Test mutating func aReportThatIsRepeatedChangesNothing() throws {
        let web1 = try host("web1")
        let first = report([.init(position: 90, try ban("web1", "192.0.2.1", until: 600))])
        #expect(ledger.take(first, from: web1, term: term, now: at(100)).position == 90)
        #expect(brief(ledger.commit().announcements) == ["Ban 192.0.2.1 600 web1/sshd detected"])
        let again = ledger.take(first, from: web1, term: term, now: at(101))
        #expect(again == Acknowledgement(term: term, position: 90, refused: []))
        #expect(ledger.pending.isEmpty)
    }

    @Test mutating func aRepeatWithinOneTransactionCountsOnce() throws {
        let web1 = try host("web1")
        let first = report([.init(position: 90, try ban("web1", "192.0.2.1", until: 600))])
        _ = ledger.take(first, from: web1, term: term, now: at(100))
        _ = ledger.take(first, from: web1, term: term, now: at(100))
        #expect(ledger.pending.entries.count == 1)
    }

    @Test mutating func withdrawingAHostEndsWhatItAloneHolds() throws {
        for (position, event) in [
            try ban("web1", "192.0.2.1", until: 600), try ban("web1", "192.0.2.2", until: 600),
            try ban("web1", "192.0.2.2", until: 600, jail: "x"),
            try ban("web1", "192.0.2.3", until: 700), try ban("web2", "192.0.2.3", until: 600), try ban("web2", "192.0.2.4", until: 600),
        ].enumerated() {
            _ = ledger.take(report([.init(position: UInt64(position + 1), event)]), from: event.host, term: term, now: at(100))
        }
        _ = ledger.commit()
        #expect(ledger.take(Order(withdrawing: try host("web1"), now: at(200)), from: try host("admin"), now: at(200)) == nil)
        let announced = ledger.commit().announcements.map { "\($0.action.rawValue) \($0.address) \($0.host)" }.sorted()
        #expect(announced == ["Ban 192.0.2.3 web2", "Unban 192.0.2.1 web1", "Unban 192.0.2.2 web1"])
        let rest = ledger.table.holds(of: try host("web1"))
        #expect(ledger.table.bannedCount == 2 && rest.isEmpty)
    }

    @Test mutating func aRefusedLineIsRecordedAndBlocksNoneBehindIt() throws {
        let report = report([
            .init(position: 10, try ban("web2", "192.0.2.1", until: 600)),
            .init(position: 20, try ban("web1", "127.0.0.1", until: 600)),
            .init(position: 30, try ban("web1", "192.0.2.2", until: 600)),
        ])
        let answer = ledger.take(report, from: try host("web1"), term: term, now: at(100))
        #expect(answer.position == 30)
        #expect(answer.refused.map(\.position) == [10, 20])
        #expect(answer.refused.first?.reason == "names another host: web2")
        #expect(ledger.pending.entries.count == 3)
        #expect(brief(ledger.commit().announcements) == ["Ban 192.0.2.2 600 web1/sshd detected"])
    }

    @Test mutating func aRefusedLineWithoutAPositionCanComeAgainAndIsNotRecorded() throws {
        let moved = report([.init(position: nil, try ban("web2", "192.0.2.1", until: 600))])
        for _ in 0..<2 {
            #expect(ledger.take(moved, from: try host("web1"), term: term, now: at(100)).refused.map(\.position) == [nil])
        }
        #expect(ledger.pending.isEmpty)
    }

    @Test mutating func announcementsAreNumberedWithoutGapsAcrossRefusalsAndRollBacks() throws {
        let web1 = try host("web1")
        _ = ledger.take(report([.init(position: 1, try ban("web1", "192.0.2.1", until: 600))]), from: web1, term: term, now: at(0))
        #expect(ledger.commit().announcements.map(\.number) == [1])
        let second = report([
            .init(position: 2, try ban("web1", "127.0.0.1", until: 600)), .init(position: 3, try ban("web1", "192.0.2.2", until: 600)),
        ])
        _ = ledger.take(second, from: web1, term: term, now: at(1))
        ledger.rollBack()
        #expect(ledger.position(of: .init(host: web1, name: "s1")) == 1)
        #expect(ledger.take(second, from: web1, term: term, now: at(2)).position == 3)
        #expect(ledger.commit().announcements.map(\.number) == [2])
    }

    @Test mutating func aHostsTimesAreMovedOntoThePublishersClock() throws {
        // The host's clock is one hour behind.
        let event = try ban("web1", "192.0.2.1", until: 600, seen: 0)
        _ = ledger.take(report([.init(position: 1, event)], now: at(5)), from: try host("web1"), term: term, now: at(3605))
        let announcement = try #require(ledger.commit().announcements.first)
        #expect(announcement.seen == at(3600))
        #expect(announcement.end == .at(at(4200)))
    }

    @Test mutating func whatOneHostSaysOfOneMomentStaysOneMomentHoweverLongItsRequestsTake() throws {
        // The host's clock is one hour behind; the first request takes 30 ms and the second one 5 ms.
        let web1 = try host("web1")
        let banned = try ban("web1", "192.0.2.1", until: 600, seen: 1)
        _ = ledger.take(report([.init(position: 1, banned)], now: at(2)), from: web1, term: term, now: at(3602.030))
        _ = ledger.commit()
        _ = ledger.take(report([.init(position: nil, banned)], now: at(4)), from: web1, term: term, now: at(3604.005))
        #expect(ledger.commit().announcements == [], "the same end was announced again")
        let longer = try ban("web1", "192.0.2.1", until: 900, seen: 1)
        _ = ledger.take(report([.init(position: nil, longer)], now: at(6)), from: web1, term: term, now: at(3606.005))
        #expect(ledger.commit().announcements.count == 1, "the end did not move")
    }

    @Test mutating func aLongWayOfARequestDoesNotMoveItsEnds() throws {
        let event = try ban("web1", "192.0.2.1", until: 600, seen: 0)
        _ = ledger.take(report([.init(position: 1, event)], now: at(5)), from: try host("web1"), term: term, now: at(5.9))
        #expect(ledger.commit().announcements.first?.end == .at(at(600)))
    }

    @Test(arguments: [BanEnd.unknown, .permanent, .at(.latest)])
    mutating func theMaximumBanTimeReplacesUnknownEndsAndCapsAllOthers(end: BanEnd) throws {
        var event = try ban("web1", "192.0.2.1", until: 600, seen: 0)
        event.end = end
        _ = ledger.take(report([.init(position: 1, event)]), from: try host("web1"), term: term, now: at(100))
        #expect(ledger.commit().announcements.first?.end == .at(at(Double(week) / 1000)))
    }

    @Test(arguments: [Jail.cluster, Jail.legacyCluster])
    mutating func theClustersOwnJailIsNeverTakenFromAReport(jail: Jail) throws {
        var event = try ban("web1", "192.0.2.1", until: 600)
        event.jail = jail
        let answer = ledger.take(report([.init(position: 1, event)]), from: try host("web1"), term: term, now: at(100))
        #expect(answer.refused.count == 1)
        #expect(ledger.commit().announcements == [])
    }

    @Test mutating func aHostCannotReportAnOperatorsOrder() throws {
        var event = try ban("web1", "192.0.2.1", until: 600)
        event.cause = .operator
        let answer = ledger.take(report([.init(position: 1, event)]), from: try host("web1"), term: term, now: at(100))
        #expect(answer.refused.map(\.reason) == ["a host can't report Ban as operator"])
    }

    @Test mutating func aBanOfAnOldClientEndsAfterTheMaximumBanTimeAndItsUnbanCountsOnlyWhenWanted() throws {
        var event = try ban("old1", "192.0.2.1", until: 0)
        event.end = .unknown
        #expect(ledger.take(plain: event, counts: true, now: at(0)) == nil)
        #expect(brief(ledger.commit().announcements) == ["Ban 192.0.2.1 \(week / 1000) old1/sshd detected"])
        #expect(ledger.take(plain: try unban("old1", "192.0.2.1"), counts: false, now: at(1)) == nil)
        #expect(ledger.commit().announcements == [])
        #expect(ledger.take(plain: try unban("old1", "192.0.2.1"), counts: true, now: at(2)) == nil)
        #expect(brief(ledger.commit().announcements) == ["Unban 192.0.2.1 - old1/sshd lifted"])
    }

    @Test mutating func anOrderIsDoneWholeOrNotAtAll() throws {
        let order = Order(.ban, now: at(0), end: .at(at(60)), addresses: [try address("192.0.2.1"), try address("127.0.0.1")])
        let refusal = try #require(ledger.take(order, from: try host("admin"), now: at(0)))
        #expect(refusal.reason == "127.0.0.1: 127.0.0.0/8 is loopback")
        // Nothing of it is done, and the history has who tried what.
        var refused = try PublisherTests.order(.ban, "127.0.0.1", until: .at(at(60)))
        refused.host = try host("admin")
        #expect(
            ledger.pending.entries.map(\.entry) == [.refused(host: try host("admin"), event: refused, reason: refusal.reason)])
        #expect(ledger.commit().announcements == [])
        #expect(try !ledger.table.isHeld(address("192.0.2.1")))
    }

    @Test mutating func replayingTheJournalGivesTheSameStateAgain() throws {
        for seed in 0..<10 {
            var random = SeededGenerator(seed: UInt64(seed))
            let quorum = 1 + seed % 2
            ledger = Ledger(admission: ledger.admission, table: BanTable(quorum: quorum, maximumBanTime: week))
            var journal: [(admitted: Timestamp, entry: JournalEntry)] = []
            var now = 0.0
            for step in 1...300 {
                now += Double(Int.random(in: 0...3, using: &random))
                let name = "web\(Int.random(in: 1...3, using: &random))"
                let text = "192.0.2.\(Int.random(in: 1...6, using: &random))"
                let event =
                    Bool.random(using: &random)
                    ? try ban(name, text, until: now + Double(Int.random(in: -5...40, using: &random)), seen: now)
                    : try unban(name, text, seen: now)
                let position = Int.random(in: 0...9, using: &random) == 0 ? nil : UInt64(step)
                _ = ledger.take(report([.init(position: position, event)], now: at(now)), from: try host(name), term: term, now: at(now))
                if Int.random(in: 0...20, using: &random) == 0 {
                    let command: Order.Command = [.ban, .unban, .allow][Int.random(in: 0...2, using: &random)]
                    let order = Order(command, now: at(now), end: .at(at(now + 20)), addresses: [try address(text)])
                    _ = ledger.take(order, from: try host("admin"), now: at(now))
                }
                ledger.expire(now: at(now), limit: 100)
                if Int.random(in: 0...9, using: &random) == 0 {
                    ledger.rollBack()
                } else {
                    journal += ledger.pending.entries
                    _ = ledger.commit()
                }
            }
            ledger.expire(now: at(now), limit: 100)
            journal += ledger.pending.entries
            _ = ledger.commit()
            var again = Ledger(admission: ledger.admission, table: BanTable(quorum: quorum, maximumBanTime: week))
            for (admitted, entry) in journal { again.replay(entry, admitted: admitted) }
            try again.finishReplay(positions: [:], now: at(now))
            #expect(again.commit().announcements == [], "seed \(seed)")
            #expect(again.table.banned(after: nil, limit: 100) == ledger.table.banned(after: nil, limit: 100), "seed \(seed)")
            #expect(again.nextNumber == ledger.nextNumber)
            ledger.expire(now: at(now + 100), limit: 100)
            again.expire(now: at(now + 100), limit: 100)
            #expect(Set(brief(again.commit().announcements)) == Set(brief(ledger.commit().announcements)), "seed \(seed)")
        }
    }

    @Test mutating func aBanThatEndedWhileThePublisherWasAwayIsAnnouncedAtItsStart() throws {
        let entry = JournalEntry.admitted(
            try ban("web1", "192.0.2.1", until: 600), isPlain: false, isMove: false, announced: .same(number: 1))
        ledger.replay(entry, admitted: at(0))
        try ledger.finishReplay(positions: [:], now: at(1000))
        let announced = ledger.commit().announcements
        #expect(brief(announced) == ["Unban 192.0.2.1 - web1/sshd expired"])
        #expect(announced.map(\.number) == [2])
    }

    @Test mutating func aStartWithAHigherQuorumLiftsWhatNoLongerCounts() throws {
        ledger = Ledger(admission: ledger.admission, table: BanTable(quorum: 2, maximumBanTime: week))
        let entry = JournalEntry.admitted(
            try ban("web1", "192.0.2.1", until: 600), isPlain: false, isMove: false, announced: .same(number: 1))
        ledger.replay(entry, admitted: at(0))
        try ledger.finishReplay(positions: [:], now: at(10))
        #expect(brief(ledger.commit().announcements) == ["Unban 192.0.2.1 - web1/sshd held"])
    }
}
