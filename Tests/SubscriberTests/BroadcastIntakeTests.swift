// Broadcasts are applied in the order of their numbers, each announcement once, and what is missing is seen.

import Testing
import Wire

@testable import Subscriber

@Suite struct BroadcastIntakeTests {
    var intake = BroadcastIntake(origin: start)
    private let term = Term(id: 1)

    private mutating func take(
        _ first: UInt64, _ events: [Event], term: Term? = nil, refusal: (Address) -> String? = nobodyRefused
    ) throws -> BroadcastIntake.Result {
        var events = events
        for index in events.indices { events[index].number = first + UInt64(index) }
        let broadcast = Broadcast(term: term ?? self.term, first: first, now: publisherStart, events: events)
        return try intake.take(frame: broadcast.frame, now: start, refusal: refusal)
    }

    @Test mutating func theFirstBroadcastMayHaveAnyNumber() throws {
        let result = try take(1042, [try ban("192.0.2.1")])
        #expect(result.finding == .began(term, from: 1042))
        #expect(result.changes.map(\.kind) == [.banned])
        #expect(intake.tracker.position?.number == 1042)
    }

    @Test mutating func announcementsThatFollowAreAppliedInOrder() throws {
        _ = try take(5, [])
        let result = try take(5, [try ban("192.0.2.1"), try unban("192.0.2.1"), try ban("192.0.2.1")])
        #expect(result.finding == .none)
        #expect(result.changes.map(\.kind) == [.banned, .lifted, .banned])
        #expect(intake.wanted.count == 1)
    }

    @Test mutating func aRepeatedAnnouncementChangesNothing() throws {
        _ = try take(5, [try ban("192.0.2.1"), try unban("192.0.2.1")])
        #expect(try take(5, [try ban("192.0.2.1"), try unban("192.0.2.1")]).changes.isEmpty)
        #expect(try take(5, [try ban("192.0.2.1")]).fresh == 0)
        let overlapping = try take(6, [try unban("192.0.2.1"), try ban("192.0.2.7")])
        #expect(overlapping.changes.map(\.address) == [try address("192.0.2.7")])
        #expect(intake.tracker.position?.number == 7)
    }

    @Test mutating func aGapIsSeenAndWhatFollowsItIsAppliedAllTheSame() throws {
        _ = try take(5, [try ban("192.0.2.1")])
        let result = try take(9, [try ban("192.0.2.2")])
        #expect(result.finding == .missing(6...8))
        #expect(intake.wanted.count == 2)
        #expect(try take(10, [try ban("192.0.2.3")]).finding == .none)
    }

    @Test mutating func aBeatShowsThatTheLastAnnouncementsAreMissing() throws {
        _ = try take(5, [try ban("192.0.2.1")])
        #expect(try take(6, []).finding == .none)
        #expect(try take(8, []).finding == .missing(6...7))
        #expect(try take(8, []).finding == .none)
    }

    @Test mutating func numbersOfAnotherTermAreNotCompared() throws {
        _ = try take(500, [try ban("192.0.2.1")])
        let other = Term(id: 2)
        let result = try take(3, [try ban("192.0.2.2")], term: other)
        #expect(result.finding == .otherTerm(other, before: term))
        #expect(intake.wanted.count == 2, "what was announced before is kept")
        #expect(try take(4, [try ban("192.0.2.3")], term: other).finding == .none)
    }

    @Test mutating func aMalformedFrameChangesNothing() throws {
        _ = try take(1, [try ban("192.0.2.1")])
        var broken = Broadcast(term: term, first: 2, now: publisherStart, events: [try ban("192.0.2.2", number: 2)]).frame
        broken.append(contentsOf: Array("\nweb1|sshd|Ban|999.1.1.1|3|-|-|-|detected".utf8))
        for frame in [broken, [], Array("hello".utf8), [0xff, 0x00]] {
            #expect(throws: BroadcastError.self) { _ = try intake.take(frame: frame, now: start, refusal: nobodyRefused) }
        }
        #expect(intake.wanted.count == 1)
        #expect(try take(2, [try ban("192.0.2.2")]).finding == .none)
    }

    @Test mutating func refusedBansAreReportedWithTheirRule() throws {
        let event = try ban("192.0.2.1", number: 1)
        let result = try take(1, [event, try ban("192.0.2.2")]) { $0 == event.address ? "ignoreip has it" : nil }
        #expect(result.refused == [.init(announcement: event, rule: "ignoreip has it")])
        #expect(result.changes.map(\.address) == [try address("192.0.2.2")])
    }

    @Test func silenceCallsForNewConnectionsWithGrowingPauses() {
        var random = FixedRandom(seed: 1)
        var watch = SilenceWatch(now: start)
        #expect(watch.advance(now: start + .seconds(9), using: &random) == .none)
        #expect(watch.advance(now: start + .seconds(10), using: &random) == .renew(isFirst: true))
        let next = watch.deadline
        #expect(watch.advance(now: next - .milliseconds(1), using: &random) == .none)
        #expect(watch.advance(now: next, using: &random) == .renew(isFirst: false))
        #expect(next.duration(to: watch.deadline) > .seconds(14))
        for _ in 0..<10 { _ = watch.advance(now: watch.deadline, using: &random) }
        let now = watch.deadline
        #expect(watch.advance(now: now, using: &random) == .renew(isFirst: false))
        #expect(now.duration(to: watch.deadline) <= .seconds(75))
        let (first, second) = (watch.heard(now: now), watch.heard(now: now))
        #expect(first && !second, "only the first ends the silence")
        #expect(watch.deadline == now + SilenceWatch.limit)
    }
}
