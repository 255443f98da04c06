// One sequence of announcements out of broadcasts and answers: whatever is lost, doubled or late, each is applied once and in order.

import TestSupport
import Testing
import Wire

@testable import Subscriber

/// A publisher as a value: announcements by number, of which any may be asked for again.
private struct Announcer {
    var term = Term(id: 1)
    var events: [Event] = []
    let now = Timestamp(milliseconds: 1_795_212_000_000)

    mutating func announce(_ action: Event.Action, _ number: Int) throws -> Broadcast {
        var event = Event(
            host: try #require(Hostname("web1")), jail: try #require(Jail("sshd")), action: action,
            address: try #require(Address(ipv4: 0xcb00_7100 + UInt32(number))), end: .permanent, cause: .detected)
        event.number = UInt64(events.count + 1)
        event.admitted = now
        events.append(event)
        return Broadcast(term: term, first: UInt64(events.count), now: now, events: [event])
    }

    var beat: Broadcast { Broadcast(term: term, first: UInt64(events.count + 1), now: now, events: []) }

    var banned: Set<Address> {
        events.reduce(into: []) { if $1.action == .ban { $0.insert($1.address) } else { $0.remove($1.address) } }
    }

    /// Announcements for who is in this term, two bans a page for others.
    func answer(_ request: SyncRequest) -> SyncAnswer {
        guard request.after == nil, request.term == term, !request.wantsAll else {
            let keys = banned.sorted().filter { key in request.after.map { key > $0 } ?? true }
            let page = keys.prefix(2).compactMap { key in
                events.last { $0.address == key }.map { event in
                    var event = event
                    event.number = nil
                    return event
                }
            }
            return SyncAnswer(
                term: term, now: now,
                .snapshot(
                    page, number: UInt64(events.count), next: keys.count > 2 ? page.last?.address : nil,
                    isKnownPlace: request.term == term))
        }
        let part = events.dropFirst(Int(request.last)).prefix(3)
        let isLast = Int(request.last) + part.count == events.count
        return SyncAnswer(term: term, now: now, .announcements(Array(part), isLast: isLast))
    }
}

@Suite struct CatchUpTests {
    @Test func itBeginsWithASnapshotAndGoesOnWithBroadcasts() throws {
        var announcer = Announcer()
        for i in 1...5 { _ = try announcer.announce(.ban, i) }
        var host = Host()
        host.perform(host.catchUp.begin())
        while let request = host.asked { host.perform(host.catchUp.take(announcer.answer(request))) }
        #expect(host.catchUp.isLive)
        #expect(host.banned == announcer.banned)
        host.perform(host.catchUp.take(try announcer.announce(.unban, 3)))
        #expect(host.banned == announcer.banned)
        #expect(host.asked == nil)
        #expect(host.catchUp.position == CatchUp.Position(term: announcer.term, last: 6))
    }

    @Test func afterAStartItSaysWhereItWasAndAsksForAllBans() {
        let former = CatchUp.Position(term: Term(id: 9), last: 41)
        var catchUp = CatchUp(former: former)
        #expect(catchUp.begin() == [.ask(SyncRequest(term: former.term, last: 41, wantsAll: true))])
    }

    @Test func aBeatShowsThatTheLastAnnouncementWasLost() throws {
        var announcer = Announcer()
        var host = Host()
        host.settle(with: announcer)
        _ = try announcer.announce(.ban, 1)
        host.perform(host.catchUp.take(announcer.beat))
        #expect(host.asked == SyncRequest(term: announcer.term, last: 0))
        host.settle(with: announcer)
        #expect(host.banned == announcer.banned)
    }

    @Test func anotherTermIsAskedAboutAndWhatItLacksIsNotCertain() throws {
        var announcer = Announcer()
        for i in 1...3 { _ = try announcer.announce(.ban, i) }
        var host = Host()
        host.settle(with: announcer)
        #expect(host.wasCertain == [false])
        var restored = Announcer(term: Term(id: 2), events: Array(announcer.events.prefix(1)))
        host.perform(host.catchUp.take(restored.beat))
        host.settle(with: restored)
        #expect(host.wasCertain == [false, false])
        #expect(host.banned == restored.banned)
        host.perform(host.catchUp.take(try restored.announce(.ban, 7)))
        #expect(host.banned == restored.banned)
    }

    @Test func whateverIsLostDoubledOrLateTheHostEndsUpWithTheSame() throws {
        for seed in 0..<300 {
            var random = SeededGenerator(seed: UInt64(seed))
            var announcer = Announcer()
            var host = Host()
            host.perform(host.catchUp.begin())
            for _ in 0..<200 {
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5:
                    let broadcast = try announcer.announce(
                        Bool.random(using: &random) ? .ban : .unban, Int.random(in: 1...9, using: &random))
                    if Int.random(in: 0..<4, using: &random) > 0 { host.perform(host.catchUp.take(broadcast)) }
                    if Int.random(in: 0..<8, using: &random) == 0 { host.perform(host.catchUp.take(broadcast)) }
                case 5: host.perform(host.catchUp.take(announcer.beat))
                case 6 where Int.random(in: 0..<10, using: &random) == 0: announcer.term = Term(id: .random(in: 1 ... .max, using: &random))
                default: if let request = host.asked { host.perform(host.catchUp.take(announcer.answer(request))) }
                }
            }
            host.perform(host.catchUp.take(announcer.beat))
            host.settle(with: announcer)
            host.perform(host.catchUp.take(announcer.beat))
            host.settle(with: announcer)
            #expect(host.banned == announcer.banned, "seed \(seed)")
            #expect(host.catchUp.isLive)
        }
    }
}

/// A host that does what is decided.
private struct Host {
    var catchUp = CatchUp()
    var banned: Set<Address> = []
    var asked: SyncRequest?
    var wasCertain: [Bool] = []

    mutating func perform(_ steps: [CatchUp.Step]) {
        asked = isAnswer(steps) ? nil : asked
        for step in steps {
            switch step {
            case .apply(let events, _):
                for event in events { if event.action == .ban { banned.insert(event.address) } else { banned.remove(event.address) } }
            case .adopt(let bans, _, let isCertain):
                banned = Set(bans.joined().map(\.address))
                wasCertain.append(isCertain)
            case .ask(let request): asked = request
            case .upToDate: asked = nil
            }
        }
    }

    /// Answers until nothing is asked any more.
    mutating func settle(with announcer: Announcer) {
        if asked == nil, catchUp.position == nil { perform(catchUp.begin()) }
        while let request = asked { perform(catchUp.take(announcer.answer(request))) }
    }

    private func isAnswer(_ steps: [CatchUp.Step]) -> Bool { steps.contains { if case .upToDate = $0 { true } else { false } } }
}
