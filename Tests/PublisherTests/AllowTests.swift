// What an operator allows: no host's ban of it counts until its end, whatever comes and whenever the publisher ends.

import Daemon
import GRDB
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct AllowTests {
    let folder: TemporaryFolder
    let term = Term(id: 7)
    var ledger = AllowTests.emptyLedger()

    init() throws { folder = try TemporaryFolder() }

    static func emptyLedger(quorum: Int = 1) -> Ledger {
        Ledger(admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: quorum, maximumBanTime: week))
    }

    /// An operator's order; why it was refused.
    @discardableResult
    mutating func order(_ command: Order.Command, _ texts: String..., until end: BanEnd = .unknown, now: Double = 0) throws -> String? {
        let order = Order(command, now: at(now), end: end, addresses: try texts.map { try address($0) })
        return ledger.take(order, from: try host("admin"), now: at(now))?.reason
    }

    mutating func allow(_ texts: String..., until end: Double, now: Double = 0) throws {
        for text in texts { try order(.allow, text, until: .at(at(end)), now: now) }
    }

    /// A host's report of what it does now; why each line was refused.
    mutating func report(_ events: Event..., now: Double = 0) throws -> [String] {
        events.flatMap { event in
            let report = Report(stream: "s\(ledger.pending.entries.count)-\(now)", now: at(now), entries: [.init(position: 9, event)])
            return ledger.take(report, from: event.host, term: term, now: at(now)).refused.map(\.reason)
        }
    }

    mutating func commit() -> [String] { brief(ledger.commit().announcements) }

    mutating func reviewAll(now: Double = 0) throws -> [String] {
        var announced: [String] = []
        while ledger.hasMoreToReview {
            ledger.review(as: try host("hub"), now: at(now), limit: 2)
            announced += commit()
        }
        return announced.sorted()
    }

    static let until = "allowed by an operator until 2026-11-21T00:00:00Z"
    /// Seconds from the tests' start to that time.
    static let end = 7200.0

    // MARK: What it does

    @Test mutating func itEndsAllHoldsAndTheOperatorsBanAndIsAnnouncedLikeAnUnban() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600), ban("web2", "192.0.2.1", until: 700))
        try order(.ban, "192.0.2.1", until: .permanent)
        _ = commit()
        try allow("192.0.2.1", until: 1000, now: 10)
        #expect(commit() == ["Unban 192.0.2.1 - admin/fail2ban-cluster operator"])
        #expect(ledger.table.bannedCount == 0 && !ledger.hasMoreToReview)
    }

    @Test mutating func untilItsEndNoReportBansItAndTheRefusalNamesTheRuleAndIsRecorded() throws {
        try allow("192.0.2.1", until: Self.end)
        _ = commit()
        #expect(try report(ban("web1", "192.0.2.1", until: 9000, seen: 10), now: 10) == [Self.until])
        #expect(
            ledger.pending.entries.map(\.entry) == [
                .refused(host: try host("web1"), event: try ban("web1", "192.0.2.1", until: 9000, seen: 10), reason: Self.until)
            ])
        #expect(commit() == [])
        // Others come as before, and so do Unbans.
        #expect(try report(unban("web1", "192.0.2.1", seen: 11), ban("web1", "192.0.2.2", until: 600, seen: 11), now: 11) == [])
        #expect(commit() == ["Ban 192.0.2.2 600 web1/sshd detected"])
        let atTheEnd = try ban("web1", "192.0.2.1", until: 9000, seen: Self.end)
        #expect(try report(atTheEnd, now: Self.end) == [], "whether its end was looked at or not")
        #expect(commit() == ["Ban 192.0.2.1 9000 web1/sshd detected"])
    }

    @Test mutating func noOldClientBansIt() throws {
        try allow("192.0.2.1", until: Self.end)
        #expect(ledger.take(plain: try ban("old1", "192.0.2.1", until: 600), counts: true, now: at(1))?.reason == Self.until)
    }

    @Test mutating func noListBansItWhetherItsPagesCameBeforeTheOrderOrAfter() throws {
        func page(_ id: String, now: Double = 10) throws -> HoldsPage {
            var event = try ban("web1", "192.0.2.1", until: 9000, seen: 5)
            event.cause = .held
            return HoldsPage(
                stream: "s", position: 1, now: at(now), madeAt: at(now - 1), id: id, page: 1, isLast: true, isComplete: true, bans: [event])
        }
        let web1 = try host("web1")
        #expect(try ledger.take(page("before"), from: web1, term: term, now: at(10)).refused == [])
        try allow("192.0.2.1", until: Self.end, now: 4)
        ledger.compareLists(now: at(10), limit: 10)
        #expect(ledger.takeComparedLists() == [] && commit() == [])
        #expect(ledger.takeComparedLists() == [HoldsDesk.Outcome(host: web1, listed: 1)])

        let refused = try ledger.take(page("after"), from: web1, term: term, now: at(10)).refused
        #expect(refused.map(\.reason) == ["192.0.2.1: \(Self.until)"])
        ledger.compareLists(now: at(10), limit: 10)
        #expect(ledger.pending.isEmpty, "what is refused of a list is not recorded")

        // When it is over, the next list brings the ban back that the host still has.
        _ = try ledger.take(page("over", now: Self.end), from: web1, term: term, now: at(Self.end))
        ledger.compareLists(now: at(Self.end), limit: 10)
        #expect(commit() == ["Ban 192.0.2.1 9000 web1/sshd held"])
    }

    @Test mutating func whatWasSeenBeforeItDoesNotComeBackWithItsEnd() throws {
        try allow("192.0.2.1", until: 100, now: 50)
        #expect(try report(ban("web1", "192.0.2.1", until: 9000, seen: 49), now: 200) == [])
        #expect(commit() == [])
        #expect(try report(ban("web1", "192.0.2.1", until: 9000, seen: 51), now: 200) == [])
        #expect(commit() == ["Ban 192.0.2.1 9000 web1/sshd detected"])
    }

    @Test mutating func itsEndIsNotAnnouncedAndNothingOfItIsKept() throws {
        ledger = Ledger(admission: Admission(neverBan: NeverBan(), maximumBanTime: 1000), table: BanTable(quorum: 1, maximumBanTime: 1000))
        try allow("192.0.2.1", until: 100)
        try order(.allow, "192.0.2.2", until: .permanent)
        _ = commit()
        ledger.settle(now: at(100))
        #expect(commit() == [] && ledger.table.records.keys.map(\.description) == ["192.0.2.2"])
        #expect(ledger.table.allowedAddresses.count == 1 && ledger.nextDue == nil)
        #expect(try report(ban("web1", "192.0.2.2", until: 9000, seen: 10), now: 10) == ["allowed by an operator for ever"])
    }

    @Test mutating func whatTheJournalRefusedIsNotAllowed() throws {
        _ = try report(ban("web1", "192.0.2.1", until: 600))
        _ = commit()
        try allow("192.0.2.1", until: 1000, now: 10)
        ledger.rollBack()
        #expect(ledger.table.bannedCount == 1 && ledger.table.allowedAddresses.count == 0)
        #expect(try report(ban("web1", "192.0.2.1", until: 900, seen: 11), now: 11) == [])
        #expect(commit() == ["Ban 192.0.2.1 900 web1/sshd detected"])
    }

    // MARK: One order after another

    @Test mutating func theOperatorsBanOfTheSameAddressEndsIt() throws {
        try allow("192.0.2.1", until: 1000)
        try order(.ban, "192.0.2.1", until: .at(at(60)), now: 10)
        #expect(commit() == ["Ban 192.0.2.1 60 admin/fail2ban-cluster operator"])
        ledger.settle(now: at(60))
        #expect(try report(ban("web1", "192.0.2.1", until: 900, seen: 61), now: 61) == [])
    }

    @Test mutating func aPlainUnbanLeavesItAsItIs() throws {
        try allow("192.0.2.1", until: Self.end)
        try order(.unban, "192.0.2.1", now: 10)
        #expect(try report(ban("web1", "192.0.2.1", until: 900, seen: 11), now: 11) == [Self.until])
    }

    @Test(arguments: [(20.0, 20.0), (5.0, 10.0), (10.0, 10.0)])
    mutating func theLatestOneCountsAndOneWhoseEndHasPassedEndsIt(end: Double, over: Double) throws {
        try allow("192.0.2.1", until: 1000)
        try allow("192.0.2.1", until: end, now: 10)
        let isAllowed = ledger.table.allowedAddresses.has(try address("192.0.2.1"), now: at(over - 0.001))
        #expect(isAllowed == (over > 10))
        #expect(try report(ban("web1", "192.0.2.1", until: 900, seen: over), now: over) == [])
    }

    @Test mutating func soManyMayBeAllowedAndNoMore() throws {
        let most = AllowedAddresses.most
        for start in stride(from: 0, to: most, by: 1000) {
            let addresses = try (start..<start + 1000).map { try #require(Address(ipv4: UInt32(0x0b00_0000 + $0))) }
            #expect(
                ledger.take(Order(.allow, now: at(0), end: .permanent, addresses: addresses), from: try host("admin"), now: at(0)) == nil)
        }
        _ = commit()
        let refused = try order(.allow, "11.0.0.0", "192.0.2.1", "192.0.2.1", until: .permanent)
        #expect(refused == "10001 addresses would be allowed, and 10000 may be; what must never be banned belongs into ignoreip")
        #expect(ledger.pending.isEmpty)
        // Those that are allowed may be so longer, or no more.
        #expect(try order(.allow, "11.0.0.0", "192.0.2.1", until: .at(at(0))) == nil)
        #expect(try order(.allow, "192.0.2.1", until: .permanent) == nil)
    }

    // MARK: Prefixes

    @Test mutating func aBanThatHasAnAddressInCommonWithItIsRefusedAndNamesIt() throws {
        try allow("192.0.2.1", "198.51.100.0/25", "2001:db8::/64", until: Self.end)
        let cases = [
            ("192.0.2.0/24", "192.0.2.1 is \(Self.until)"), ("192.0.2.0/31", "192.0.2.1 is \(Self.until)"),
            ("198.51.100.127", "198.51.100.0/25 is \(Self.until)"), ("198.51.100.64/26", "198.51.100.0/25 is \(Self.until)"),
            ("198.51.100.0/24", "198.51.100.0/25 is \(Self.until)"), ("2001:db8::9", "2001:db8::/64 is \(Self.until)"),
            ("2001:db8::/56", "2001:db8::/64 is \(Self.until)"),
        ]
        for (text, reason) in cases {
            #expect(try report(ban("web1", text, until: 900, seen: 1), now: 1) == [reason], "\(text)")
        }
        for text in ["192.0.2.2", "192.0.2.2/31", "198.51.100.128", "198.51.100.128/25", "2001:db8:0:1::/64"] {
            #expect(try report(ban("web1", text, until: 900, seen: 1), now: 1) == [], "\(text)")
        }
    }

    @Test mutating func bansAroundItAndInItEndSoonWhoeverMadeThem() throws {
        try order(.ban, "198.51.100.0/24", "203.0.113.9", until: .permanent)
        _ = try report(
            ban("web1", "192.0.2.0/24", until: 600), ban("web1", "192.0.2.7", until: 600), ban("web2", "203.0.113.7", until: 600),
            ban("web2", "203.0.114.1", until: 600))
        _ = commit()
        try allow("192.0.2.1", "198.51.100.200", "203.0.113.0/24", until: 1000, now: 10)
        #expect(commit() == [])
        #expect(
            try reviewAll(now: 10) == [
                "Unban 192.0.2.0/24 - hub/fail2ban-cluster operator", "Unban 198.51.100.0/24 - hub/fail2ban-cluster operator",
                "Unban 203.0.113.7 - hub/fail2ban-cluster operator", "Unban 203.0.113.9 - hub/fail2ban-cluster operator",
            ])
        #expect(ledger.table.banned(after: nil, limit: 9).map(\.address.description) == ["192.0.2.7", "203.0.114.1"])
    }

    @Test mutating func aHoldThatDidNotYetMakeABanEndsToo() throws {
        ledger = Self.emptyLedger(quorum: 2)
        _ = try report(ban("web1", "192.0.2.7", until: 6000))
        _ = commit()
        try allow("192.0.2.0/24", until: 20, now: 10)
        _ = try reviewAll(now: 10)
        #expect(try report(ban("web2", "192.0.2.7", until: 6000, seen: 21), now: 21) == [])
        #expect(commit() == [])
    }

    @Test mutating func anOperatorsBanAroundItOrInItIsRefusedAndSaysWhatEndsIt() throws {
        try allow("192.0.2.1", "198.51.100.0/24", until: Self.end)
        _ = commit()
        #expect(
            try order(.ban, "203.0.113.1", "192.0.2.0/24", until: .permanent)
                == "192.0.2.0/24: 192.0.2.1 is \(Self.until); fail2ban-cluster unban 192.0.2.1 --for 0 ends that")
        #expect(
            try order(.ban, "198.51.100.9")
                == "198.51.100.9: 198.51.100.0/24 is \(Self.until); fail2ban-cluster unban 198.51.100.0/24 --for 0 ends that")
        #expect(ledger.pending.isEmpty)
        try allow("192.0.2.1", until: 0)
        #expect(try order(.ban, "192.0.2.0/24") == nil)
    }

    // MARK: What is on disk

    @Test mutating func itIsThereAgainFromRowsAndFromTablesAndThenWithoutAnyRow() throws {
        try allow("192.0.2.1", "2001:db8::/64", until: Self.end)
        try order(.allow, "192.0.2.2", until: .permanent)
        let journal = try Journal(path: folder("journal.sqlite"))
        try journal.append(ledger.pending)
        _ = commit()

        func resumed() throws -> Ledger {
            var again = Self.emptyLedger()
            _ = try Resumption(&again, from: journal, now: at(100))
            #expect(again.pending.isEmpty)
            return again
        }
        #expect(try resumed().table.named == ledger.table.named)
        var tables = KeptTables(now: .now)
        tables.begin(&ledger, lastRow: journal.lastRow, now: .now)
        let portion = tables.nextPortion(of: ledger.table, lastRow: journal.lastRow, limit: 10)
        try journal.keep(portion)
        tables.written(portion)
        #expect(try resumed().table.named == ledger.table.named)
        while try journal.removeRows(before: at(1_000_000), truth: tables.truth, limit: 10) {}
        #expect(try journal.database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM event") } == 0)
        ledger = try resumed()
        #expect(try report(ban("web1", "192.0.2.1", until: 9000, seen: 101), now: 101) == [Self.until])
        #expect(try report(ban("web1", "192.0.2.2", until: 9000, seen: 101), now: 101) == ["allowed by an operator for ever"])
    }

    @Test mutating func oneThatEndedWhileThePublisherWasAwayIsOver() throws {
        try allow("192.0.2.1", until: 50)
        let journal = try Journal(path: folder("journal.sqlite"))
        try journal.append(ledger.pending)
        var again = Self.emptyLedger()
        _ = try Resumption(&again, from: journal, now: at(100))
        #expect(again.table.allowedAddresses.count == 0)
    }
}
