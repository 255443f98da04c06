// Lists of what hosts hold: what the publisher missed is healed by them, newer events win, and nothing happens twice.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct HoldsTests {
    let term = Term(id: 7)
    var ledger = Ledger(
        admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week),
        maximumHolds: 1000)

    func held(_ text: String, until end: Double, seen: Double = 0, jail: String = "sshd", host: String = "web1") throws -> Event {
        var event = try ban(host, text, until: end, seen: seen, jail: jail)
        event.cause = .held
        return event
    }

    func page(
        _ bans: [Event], id: String = "l1", page: UInt64 = 1, isLast: Bool = true, isComplete: Bool = true, madeAt: Double = 100,
        now: Double = 100
    ) -> HoldsPage {
        HoldsPage(
            stream: "s1", position: 90, now: at(now), madeAt: at(madeAt), id: id, page: page, isLast: isLast, isComplete: isComplete,
            bans: bans)
    }

    mutating func report(_ events: Event..., stream: String = "s1", from position: UInt64 = 1, now: Double = 100) throws -> [String] {
        let entries = events.enumerated().map { Report.Entry(position: position + UInt64($0.offset), $0.element) }
        _ = ledger.take(Report(stream: stream, now: at(now), entries: entries), from: try host("web1"), term: term, now: at(now))
        return brief(ledger.commit().announcements)
    }

    /// Takes a page and compares to the end; what was announced.
    mutating func take(_ page: HoldsPage, now: Double = 100) throws -> [String] {
        _ = try ledger.take(page, from: try host("web1"), term: term, now: at(now))
        var announced: [String] = []
        while ledger.hasListsToCompare {
            ledger.compareLists(now: at(now), limit: 2)
            announced += brief(ledger.commit().announcements)
        }
        return announced.sorted()
    }

    @Test mutating func aBanThatThePublisherMissedIsHealed() throws {
        #expect(try take(page([held("192.0.2.1", until: 600)])) == ["Ban 192.0.2.1 600 web1/sshd held"])
        #expect(ledger.takeComparedLists() == [HoldsDesk.Outcome(host: try host("web1"), listed: 1, begun: 1)])
    }

    @Test mutating func anUnbanThatThePublisherMissedIsHealed() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600), ban("web1", "192.0.2.2", until: 600))
        #expect(try take(page([held("192.0.2.1", until: 600)])) == ["Unban 192.0.2.2 - web1/sshd lifted"])
    }

    /// A page that a slow link still had when its connection was given up comes behind what was sent on the next one.
    @Test mutating func aListFromBeforeWhatWasReportedEndsNothing() throws {
        let late = page([try held("192.0.2.1", until: 600)], id: "late")
        _ = try report(ban("web1", "192.0.2.1", until: 600), ban("web1", "192.0.2.2", until: 600), from: 90)
        #expect(try take(late) == [])
    }

    @Test mutating func aListGoesOnWhileItsHostReports() throws {
        let first = page([try held("192.0.2.1", until: 600)], isLast: false)
        _ = try ledger.take(first, from: try host("web1"), term: term, now: at(100))
        _ = try report(ban("web1", "192.0.2.2", until: 600), from: 95)
        #expect(
            try take(page([held("192.0.2.3", until: 600)], page: 2)) == [
                "Ban 192.0.2.1 600 web1/sshd held", "Ban 192.0.2.3 600 web1/sshd held",
            ])
    }

    @Test mutating func aListThatSaysWhatIsKnownChangesNothing() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600, seen: 0.7))
        let page = page([try held("192.0.2.1", until: 600.9)])
        _ = try ledger.take(page, from: try host("web1"), term: term, now: at(100))
        ledger.compareLists(now: at(100), limit: 10)
        #expect(ledger.pending.isEmpty && !ledger.hasListsToCompare)
        #expect(ledger.takeComparedLists() == [HoldsDesk.Outcome(host: try host("web1"), listed: 1)])
        #expect(ledger.takeComparedLists().isEmpty)
    }

    @Test mutating func anEndThatMovedMeanwhileIsHealed() throws {
        // The row's time is that of the failure, earlier than the log line's.
        _ = try report(ban("web1", "192.0.2.1", until: 600, seen: 3))
        #expect(try take(page([held("192.0.2.1", until: 900)])) == ["Ban 192.0.2.1 900 web1/sshd held"])
    }

    @Test mutating func holdsOfOtherHostsAndOfOldClientsStay() throws {
        _ = ledger.take(
            Report(stream: "s", now: at(1), entries: [.init(position: 1, try ban("web2", "192.0.2.1", until: 600))]),
            from: try host("web2"),
            term: term, now: at(1))
        _ = ledger.take(plain: try ban("web1", "192.0.2.2", until: 600), counts: true, now: at(1))
        _ = ledger.commit()
        #expect(try take(page([])) == [])
    }

    @Test mutating func aListThatIsNotCompleteLiftsNothing() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600))
        #expect(try take(page([held("192.0.2.2", until: 600)], isComplete: false)) == ["Ban 192.0.2.2 600 web1/sshd held"])
    }

    @Test mutating func whatWasSeenAfterTheListWasMadeStays() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 900, seen: 99.5))
        #expect(try take(page([], madeAt: 99)) == [])
        #expect(try take(page([held("192.0.2.1", until: 600)], id: "l2", madeAt: 99)) == [])
    }

    @Test mutating func whatTheHostReportedWhileItsListWasOnTheWayWins() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600), ban("web1", "192.0.2.2", until: 600))
        #expect(try take(page([held("192.0.2.1", until: 600)], isLast: false)) == [])
        // Lifted after the list was made, so the list still has it.
        #expect(try report(unban("web1", "192.0.2.1", seen: 101), from: 10) == ["Unban 192.0.2.1 - web1/sshd lifted"])
        #expect(try take(page([], page: 2), now: 102) == ["Unban 192.0.2.2 - web1/sshd lifted"])
    }

    @Test mutating func whatTheHostLiftedBeforeItsListCameIsNotRevived() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600), ban("web1", "192.0.2.2", until: 600))
        // The list was made at 100 and has both; the log told sooner than the list's first page that one was lifted.
        #expect(try report(unban("web1", "192.0.2.1", seen: 101), from: 10, now: 101) == ["Unban 192.0.2.1 - web1/sshd lifted"])
        let bans = [try held("192.0.2.1", until: 600), try held("192.0.2.2", until: 600)]
        #expect(try take(page(bans, madeAt: 100, now: 102), now: 102) == [])
        // A list that was made later knows.
        #expect(try take(page(bans, id: "l2", madeAt: 103, now: 104), now: 104) == ["Ban 192.0.2.1 600 web1/sshd held"])
    }

    @Test mutating func aHostThatReportsMoreThanAListHoldsWhileItsListIsOnTheWayMustMakeAnother() throws {
        _ = try take(page([], isLast: false))
        for index in 0...1000 {
            _ = try report(ban("web1", "198.51.\(index / 256).\(index % 256)", until: 600), from: UInt64(index + 1))
        }
        #expect(throws: RequestRefusal(.malformed, "page 2 of list l1: expected 1")) { try take(page([], page: 2)) }
    }

    @Test mutating func aListFromTheFutureWasMadeNow() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600))
        _ = try ledger.take(page([], madeAt: 5000, now: 100), from: try host("web1"), term: term, now: at(100))
        ledger.compareLists(now: at(100), limit: 10)
        #expect(ledger.commit().announcements.map(\.seen) == [at(100)])
    }

    @Test mutating func whatIsReportedDuringTheComparisonWins() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600))
        _ = try ledger.take(page([]), from: try host("web1"), term: term, now: at(100))
        _ = try report(ban("web1", "192.0.2.1", until: 900, seen: 99), from: 10)
        ledger.compareLists(now: at(101), limit: 10)
        #expect(ledger.pending.isEmpty && ledger.table.bannedCount == 1)
    }

    @Test mutating func bansThatAreOverOrProtectedAreNotRevived() throws {
        let bans = [
            try held("192.0.2.1", until: 99), try held("127.0.0.1", until: 600), try held("192.0.2.2", until: 600, host: "web2"),
            try held("192.0.2.3", until: 600, jail: "fail2ban-cluster"),
        ]
        let answer = try ledger.take(page(bans), from: try host("web1"), term: term, now: at(100))
        #expect(answer.refused.count == 3 && answer.refused.allSatisfy { $0.position == nil })
        ledger.compareLists(now: at(100), limit: 10)
        #expect(ledger.pending.entries.count == 3 && ledger.pending.entries.allSatisfy { $0.entry.address == nil })
        #expect(ledger.commit().announcements == [] && ledger.table.heldAddresses == [])
    }

    @Test mutating func whatMaxbantimeEndedIsNotRevived() throws {
        var permanent = try held("192.0.2.1", until: 0)
        permanent.end = .permanent
        let day: Double = 24 * 3600
        #expect(try take(page([permanent], madeAt: 6 * day, now: 6 * day), now: 6 * day) == ["Ban 192.0.2.1 604800 web1/sshd held"])
        ledger.expire(now: at(7 * day), limit: 10)
        _ = ledger.commit()
        #expect(try take(page([permanent], id: "l2", madeAt: 8 * day, now: 8 * day), now: 8 * day) == [])
    }

    @Test mutating func aCapOfMaxbantimeIsNoMovedEnd() throws {
        var permanent = try ban("web1", "192.0.2.1", until: 0, seen: 3)
        permanent.end = .permanent
        _ = try report(permanent)
        permanent.seen = at(0)
        permanent.cause = .held
        #expect(try take(page([permanent])) == [])
    }

    @Test mutating func whatAnOperatorLiftedIsNotRevived() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600))
        let order = Order(.unban, now: at(50), addresses: [try address("192.0.2.1")])
        #expect(ledger.take(order, from: try host("admin"), now: at(50)) == nil)
        _ = ledger.commit()
        #expect(try take(page([held("192.0.2.1", until: 600)])) == [])
        #expect(ledger.pending.isEmpty)
        #expect(try take(page([held("192.0.2.1", until: 600, seen: 60)], id: "l2")) == ["Ban 192.0.2.1 600 web1/sshd held"])
    }

    @Test mutating func aPageThatComesTwiceCountsOnce() throws {
        let first = page([try held("192.0.2.1", until: 600)], isLast: false)
        #expect(try take(first) == [] && take(first) == [])
        let last = page([try held("192.0.2.2", until: 600)], page: 2)
        #expect(try take(last) == ["Ban 192.0.2.1 600 web1/sshd held", "Ban 192.0.2.2 600 web1/sshd held"])
        // The whole list was compared and is forgotten.
        #expect(throws: RequestRefusal.self) { try take(last) }
    }

    @Test mutating func pagesOutOfOrderAndListsThatAreTooLongAreRefused() throws {
        #expect(throws: RequestRefusal(.malformed, "page 2 of list l1: expected 1")) { try take(page([], page: 2)) }
        _ = try take(page([], isLast: false))
        #expect(throws: RequestRefusal(.malformed, "page 3 of list l1: expected 2")) { try take(page([], page: 3)) }
        let many = try (0..<1001).map { try held("198.51.\($0 / 256).\($0 % 256)", until: 600) }
        #expect(throws: RequestRefusal(.toolarge, "web1 holds more than 1000 bans (maxholds)")) { try take(page(many, id: "l2")) }
    }

    @Test mutating func whatIsRefusedOfAListIsRecordedOnce() throws {
        func recorded() -> [String] {
            ledger.pending.entries.compactMap {
                guard case .refused(let host, let event, let reason) = $0.entry else { return nil }
                return "\(host) \(event?.address.description ?? "-") \(reason)"
            }
        }
        let web1 = try host("web1")
        let bans = try [held("127.0.0.1", until: 600), held("127.0.0.1", until: 600), held("192.0.2.1", until: 600)]
        let answer = try ledger.take(page(bans), from: web1, term: term, now: at(100))
        #expect(answer.refused.map(\.reason) == Array(repeating: "127.0.0.1: 127.0.0.0/8 is loopback", count: 2))
        #expect(recorded() == ["web1 127.0.0.1 127.0.0.0/8 is loopback"])
        _ = ledger.commit()
        let next = try bans + [held("10.0.0.1", until: 600, host: "web2")]
        _ = try ledger.take(page(next, id: "l2"), from: web1, term: term, now: at(200))
        #expect(recorded() == ["web1 10.0.0.1 names another host: web2"])
    }

    @Test mutating func whatIsRefusedOfAListIsRecordedLaterWhenItCouldNotBeWritten() throws {
        let web1 = try host("web1")
        let bans = try [held("127.0.0.1", until: 600)]
        _ = try ledger.take(page(bans), from: web1, term: term, now: at(100))
        #expect(ledger.pending.entries.count == 1)
        ledger.rollBack()
        // It comes again at once, and with the next list.
        _ = try ledger.take(page(bans), from: web1, term: term, now: at(101))
        _ = try ledger.take(page(bans, id: "l2"), from: web1, term: term, now: at(3700))
        #expect(ledger.pending.entries.count == 1)
        _ = ledger.commit()
        _ = try ledger.take(page(bans, id: "l3"), from: web1, term: term, now: at(7300))
        #expect(ledger.pending.isEmpty)
    }

    @Test mutating func listsOfAHostAddUpToNoMoreThanItMayHold() throws {
        for list in 0..<3 {
            let bans = try (1...250).flatMap { number in
                try ["sshd", "smtp"].map { try held("192.0.\(list).\(number)", until: 600, jail: $0) }
            }
            _ = try take(page(bans, id: "l\(list)", isComplete: false))
        }
        #expect(ledger.table.holdCount(of: try host("web1")) == 1000)
        #expect(ledger.takeComparedLists().map(\.leftOut) == [0, 0, 500])
        // A list that ends what it lacks has room for as many.
        let bans = try (1...250).flatMap { number in try (1...4).map { try held("198.51.\($0).\(number)", until: 600) } }
        _ = try take(page(bans, id: "l3"))
        #expect(ledger.table.holdCount(of: try host("web1")) == 1000)
        #expect(
            ledger.takeComparedLists() == [HoldsDesk.Outcome(host: try host("web1"), listed: 1000, begun: 1000, ended: 1000)])
    }

    @Test mutating func aNewListTakesThePlaceOfOneThatNeverEnded() throws {
        _ = try take(page([held("192.0.2.1", until: 600)], isLast: false))
        #expect(try take(page([held("192.0.2.2", until: 600)], id: "l2")) == ["Ban 192.0.2.2 600 web1/sshd held"])
    }

    @Test mutating func whatTheJournalRefusedIsComparedAgain() throws {
        _ = try report(ban("web1", "192.0.2.9", until: 600))
        _ = try ledger.take(
            page([held("192.0.2.1", until: 600), held("192.0.2.2", until: 600)]), from: try host("web1"), term: term, now: at(100))
        ledger.compareLists(now: at(100), limit: 2)
        ledger.rollBack()
        var announced: [String] = []
        while ledger.hasListsToCompare {
            ledger.compareLists(now: at(100), limit: 2)
            announced += brief(ledger.commit().announcements)
        }
        #expect(
            announced.sorted() == [
                "Ban 192.0.2.1 600 web1/sshd held", "Ban 192.0.2.2 600 web1/sshd held", "Unban 192.0.2.9 - web1/sshd lifted",
            ])
        #expect(ledger.takeComparedLists().map(\.ended) == [1])
    }

    @Test mutating func aListIsOnThePublishersClock() throws {
        // The host's clock is an hour ahead.
        let hour: Double = 3600
        #expect(
            try take(page([held("192.0.2.1", until: hour + 600, seen: hour)], madeAt: hour + 100, now: hour + 100))
                == ["Ban 192.0.2.1 600 web1/sshd held"])
    }

    @Test mutating func whatListsChangedIsTheSameAfterAReplay() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600), ban("web1", "192.0.2.2", until: 600))
        _ = try ledger.take(
            page([held("192.0.2.1", until: 900), held("192.0.2.3", until: 600)]), from: try host("web1"), term: term, now: at(100))
        ledger.compareLists(now: at(100), limit: 10)
        let healed = ledger.pending.entries
        var again = Ledger(
            admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week))
        for (position, event) in [try ban("web1", "192.0.2.1", until: 600), try ban("web1", "192.0.2.2", until: 600)].enumerated() {
            let number = UInt64(position + 1)
            again.replay(.admitted(event, isPlain: false, isMove: false, announced: .same(number: number)), admitted: at(100))
        }
        for (admitted, entry) in healed { again.replay(entry, admitted: admitted) }
        _ = ledger.commit()
        #expect(again.table.banned(after: nil, limit: 10) == ledger.table.banned(after: nil, limit: 10))
        #expect(again.nextNumber == ledger.nextNumber)
    }
}
