// What a subscriber gets that missed something: announcements while the journal's numbers are its own, otherwise all bans page by page.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite final class SyncDeskTests {
    let folder: TemporaryFolder
    let journal: Journal
    var ledger: Ledger
    var desk: SyncDesk
    var now = 0.0

    init() throws {
        folder = try TemporaryFolder()
        journal = try Journal(path: folder("journal.sqlite"))
        ledger = Ledger(
            admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week))
        try journal.begin(Term(id: 1), first: 1, now: at(0))
        desk = SyncDesk(terms: try journal.terms())
    }

    func order(_ command: Order.Command, _ texts: String...) throws {
        now += 1
        let order = Order(command, now: at(now), addresses: try texts.map { try address($0) })
        _ = ledger.take(order, from: try host("admin"), now: at(now))
    }

    func commit() throws {
        try journal.append(ledger.pending)
        _ = ledger.commit()
    }

    func ask(_ term: UInt64?, last: UInt64, after: Address? = nil) throws -> SyncAnswer {
        let request = SyncRequest(term: term.map { Term(id: $0) }, last: last, after: after)
        // Through the wire, as a subscriber would.
        let sent = try SyncRequest(Message(frames: request.message.frames))
        let answer = try desk.answer(sent, ledger: ledger, journal: journal, now: at(now))
        return try SyncAnswer(Message(frames: answer.frames))
    }

    @Test func whoIsInAKnownTermGetsTheAnnouncementsBehindItsNumber() throws {
        for i in 1...5 { try order(.ban, "192.0.2.\(i)") }
        try order(.unban, "192.0.2.3")
        try commit()
        guard case .announcements(let events, let isLast) = try ask(1, last: 2).content else {
            Issue.record("not announcements")
            return
        }
        #expect(isLast)
        #expect(events.map(\.number) == [3, 4, 5, 6])
        #expect(
            events.map { "\($0.action.rawValue) \($0.address)" } == ["Ban 192.0.2.3", "Ban 192.0.2.4", "Ban 192.0.2.5", "Unban 192.0.2.3"])
        #expect(try ask(1, last: 6).content == .announcements([], isLast: true))
    }

    @Test func numbersContinueFromOneTermOfThisJournalIntoTheNext() throws {
        try order(.ban, "192.0.2.1", "192.0.2.2")
        try commit()
        try journal.begin(Term(id: 2), first: 3, now: at(now))
        desk = SyncDesk(terms: try journal.terms())
        try order(.ban, "192.0.2.3")
        try commit()
        let answer = try ask(1, last: 1)
        #expect(answer.term == Term(id: 2))
        guard case .announcements(let events, _) = answer.content else {
            Issue.record("not announcements")
            return
        }
        #expect(events.map(\.number) == [2, 3])
    }

    @Test(arguments: [(nil, 0), (99, 1), (1, 3), (2, 1), (2, 99)] as [(UInt64?, UInt64)])
    func whoIsInAnUnknownPlaceGetsASnapshot(term: UInt64?, last: UInt64) throws {
        try order(.ban, "192.0.2.1", "192.0.2.2")
        try commit()
        try journal.begin(Term(id: 2), first: 3, now: at(now))
        desk = SyncDesk(terms: try journal.terms())
        guard case .snapshot(let bans, let number, let next, let isKnown) = try ask(term, last: last).content else {
            Issue.record("not a snapshot")
            return
        }
        #expect(
            bans.map { "\($0.address) \($0.host)/\($0.jail)" } == ["192.0.2.1 admin/fail2ban-cluster", "192.0.2.2 admin/fail2ban-cluster"])
        #expect(number == 2)
        #expect(!isKnown, "a known term with a number that isn't its own is no known place: the journal may be an older backup")
        #expect(next == nil)
    }

    @Test func whoHasJustStartedGetsAllBansAndIsToldWhetherItsPlaceIsKnown() throws {
        try order(.ban, "192.0.2.1", "192.0.2.2")
        try commit()
        for (last, isExpected) in [(0, true), (2, true), (3, false)] as [(UInt64, Bool)] {
            let request = SyncRequest(term: Term(id: 1), last: last, wantsAll: true)
            let answer = try SyncAnswer(desk.answer(request, ledger: ledger, journal: journal, now: at(now)))
            guard case .snapshot(let bans, _, _, let isKnown) = answer.content else {
                Issue.record("not a snapshot")
                return
            }
            #expect(bans.count == 2)
            #expect(isKnown == isExpected)
        }
    }

    @Test func whatIsNotOnDiskYetIsInNoAnswerOfAnnouncements() throws {
        try order(.ban, "192.0.2.1")
        try commit()
        try order(.ban, "192.0.2.2")
        #expect(try ask(1, last: 1).content == .announcements([], isLast: true))
    }

    /// Whatever happens between the pages, the snapshot and the announcements behind its number give what is banned in the end.
    @Test func aSnapshotTakenWhileBansComeAndGoIsMadeExactByTheAnnouncementsBehindIt() throws {
        for seed in 0..<5 {
            var random = SeededGenerator(seed: UInt64(seed))
            for _ in 0..<1500 { try order(.ban, "2001:db8::\(String(Int.random(in: 1...4000, using: &random), radix: 16))") }
            try commit()
            var banned: Set<Address> = []
            var after: Address?
            var from: UInt64 = 0
            var pages = 0
            repeat {
                guard
                    case .snapshot(let bans, let number, let next, _) = try ask(nil, last: 0, after: after)
                        .content
                else {
                    Issue.record("not a snapshot")
                    return
                }
                if pages == 0 { from = number }
                banned.formUnion(bans.map(\.address))
                after = next
                pages += 1
                for _ in 0..<40 {
                    let text = "2001:db8::\(String(Int.random(in: 1...4000, using: &random), radix: 16))"
                    try Bool.random(using: &random) ? order(.ban, text) : order(.unban, text)
                }
                try commit()
            } while after != nil
            #expect(pages > 1)
            var isLast = false
            while !isLast {
                guard case .announcements(let events, let last) = try ask(1, last: from).content else {
                    Issue.record("not announcements")
                    return
                }
                for event in events { if event.action == .ban { banned.insert(event.address) } else { banned.remove(event.address) } }
                from = events.last?.number ?? from
                isLast = last
            }
            #expect(banned == Set(ledger.table.banned(after: nil, limit: 10_000).map(\.address)), "seed \(seed)")
        }
    }
}
