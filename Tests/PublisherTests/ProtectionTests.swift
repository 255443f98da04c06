// What no host can make the cluster ban: where hosts connect from is kept, and bans that become forbidden end.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct ProtectionTests {
    let term = Term(id: 7)
    var ledger = Ledger(
        admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week))

    mutating func report(_ events: Event...) throws {
        for (position, event) in events.enumerated() {
            let entry = Report.Entry(position: UInt64(position + 1), event)
            _ = ledger.take(Report(stream: "s", now: at(100), entries: [entry]), from: event.host, term: term, now: at(100))
        }
        _ = ledger.commit()
    }

    mutating func reviewAll() throws -> [String] {
        var announced: [String] = []
        while ledger.hasMoreToReview {
            ledger.review(as: try host("hub"), now: at(200), limit: 2)
            announced += brief(ledger.commit().announcements)
        }
        return announced.sorted()
    }

    @Test mutating func bansThatIgnoreipCoversWhenItGrowsEnd() throws {
        try report(
            ban("web1", "192.0.2.1", until: 600), ban("web2", "192.0.2.0/24", until: 600), ban("web1", "198.51.100.1", until: 600),
            ban("web2", "198.51.100.2", until: 600))
        let rule = try #require(IgnoreRule("192.0.2.1"))
        ledger.admission.neverBan.reconfigure(ignoreip: [rule], minPrefix4: 24, minPrefix6: 56)
        ledger.beginReview()
        #expect(
            try reviewAll() == [
                "Unban 192.0.2.0/24 - hub/fail2ban-cluster operator", "Unban 192.0.2.1 - hub/fail2ban-cluster operator",
            ])
        #expect(ledger.table.bannedCount == 2)
        ledger.beginReview()
        #expect(try reviewAll() == [])
    }

    @Test mutating func aReviewThatTheJournalRefusedIsMadeAgain() throws {
        try report(ban("web1", "192.0.2.1", until: 600), ban("web1", "192.0.2.2", until: 600), ban("web1", "192.0.2.3", until: 600))
        let rule = try #require(IgnoreRule("192.0.2.0/24"))
        ledger.admission.neverBan.reconfigure(ignoreip: [rule], minPrefix4: 24, minPrefix6: 56)
        ledger.beginReview()
        ledger.review(as: try host("hub"), now: at(200), limit: 2)
        ledger.rollBack()
        #expect(try reviewAll().count == 3)
    }

    @Test mutating func aReviewComesToItsEndThoughEverMoreIsProtected() throws {
        for index in 1...5 { try report(ban("web\(index)", "192.0.2.\(index)", until: 600)) }
        let rule = try #require(IgnoreRule("192.0.2.0/24"))
        ledger.admission.neverBan.reconfigure(ignoreip: [rule], minPrefix4: 24, minPrefix6: 56)
        for _ in 1...5 {
            ledger.beginReview()
            ledger.review(as: try host("hub"), now: at(200), limit: 1)
            _ = ledger.commit()
        }
        #expect(ledger.table.bannedCount == 0)
        // What was asked for meanwhile follows, once.
        _ = try reviewAll()
        #expect(!ledger.hasMoreToReview)
    }

    @Test func whereAHostConnectedFromIsKept() throws {
        var peers = PeerAddresses()
        #expect(peers.note(try host("web1"), at: try address("192.0.2.1")))
        #expect(!peers.note(try host("web1"), at: try address("192.0.2.1")))
        #expect(peers.note(try host("web2"), at: try address("2001:db8::1")))
        #expect(PeerAddresses(text: peers.text) == peers)
        #expect(PeerAddresses(text: "nonsense\nweb1 x\n\(peers.text)") == peers)
        let isLess = peers.keep { $0.description == "web2" }
        #expect(try isLess && peers.all == [address("2001:db8::1")])
    }

    @Test func aHostProtectsNoMoreThanItsLatestAddresses() throws {
        var peers = PeerAddresses()
        for i in 1...20 { _ = peers.note(try host("web1"), at: try address("192.0.2.\(i)")) }
        #expect(Set(peers.all) == Set(try (13...20).map { try address("192.0.2.\($0)") }))
        #expect(PeerAddresses(text: peers.text) == peers)
        // One that it comes from again is later than the others.
        #expect(!peers.note(try host("web1"), at: try address("192.0.2.13")))
        #expect(peers.note(try host("web1"), at: try address("192.0.2.21")))
        #expect(try peers.all.contains(address("192.0.2.13")) && !peers.all.contains(address("192.0.2.14")))
    }
}
