// Broadcasts are applied in the order of their numbers, each announcement once, and what is missing is seen.

import TestSupport
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

    /// Answers what is asked, as a publisher without any ban would, at a number.
    private mutating func begin(at number: UInt64) {
        _ = intake.begin(now: start)
        let none = SyncAnswer.Content.snapshot([], number: number, next: nil, isKnownPlace: true)
        _ = intake.take(SyncAnswer(term: term, now: publisherStart, none), now: start, refusal: nobodyRefused)
        let end = SyncAnswer.Content.announcements([], isLast: true)
        let result = intake.take(SyncAnswer(term: term, now: publisherStart, end), now: start, refusal: nobodyRefused)
        #expect(result.isUpToDate)
    }

    @Test mutating func aPlaceIsNotRememberedWhileSomethingStaysInDoubt() throws {
        begin(at: 4)
        _ = try take(5, [try ban("192.0.2.1")])
        #expect(intake.certainPosition(isExplained: true, now: start)?.last == 5)
        // Another publisher, which lacks it.
        _ = try take(3, [], term: Term(id: 2))
        let none = SyncAnswer.Content.snapshot([], number: 2, next: nil, isKnownPlace: false)
        _ = intake.take(SyncAnswer(term: Term(id: 2), now: publisherStart, none), now: start, refusal: nobodyRefused)
        let end = SyncAnswer.Content.announcements([], isLast: true)
        _ = intake.take(SyncAnswer(term: Term(id: 2), now: publisherStart, end), now: start, refusal: nobodyRefused)
        #expect(intake.wanted.count == 1 && intake.position?.last == 2)
        #expect(intake.certainPosition(isExplained: true, now: start) == nil)
        let later = start + WantedSet.doubt
        #expect(intake.certainPosition(isExplained: false, now: later)?.last == 2)
        // Told again by its host, it is no doubt any more.
        _ = try take(3, [try ban("192.0.2.1")], term: Term(id: 2))
        #expect(intake.certainPosition(isExplained: true, now: start)?.last == 3)
        #expect(intake.certainPosition(isExplained: false, now: start) == nil)
    }

    @Test mutating func announcementsThatFollowAreAppliedInOrder() throws {
        begin(at: 4)
        let result = try take(5, [try ban("192.0.2.1"), try unban("192.0.2.1"), try ban("192.0.2.1")])
        #expect(result.question == nil)
        #expect(result.changes.map(\.kind) == [.banned, .lifted, .banned])
        #expect(intake.wanted.count == 1)
    }

    @Test mutating func aRepeatedAnnouncementChangesNothing() throws {
        begin(at: 4)
        _ = try take(5, [try ban("192.0.2.1"), try unban("192.0.2.1")])
        #expect(try take(5, [try ban("192.0.2.1"), try unban("192.0.2.1")]).changes.isEmpty)
        #expect(try take(5, [try ban("192.0.2.1")]).fresh == 0)
        let overlapping = try take(6, [try unban("192.0.2.1"), try ban("192.0.2.7")])
        #expect(overlapping.changes.map(\.address) == [try address("192.0.2.7")])
        #expect(intake.position?.last == 7)
    }

    @Test mutating func aGapIsAskedForAndNothingBehindItIsAppliedBefore() throws {
        begin(at: 5)
        let result = try take(9, [try ban("192.0.2.2")])
        #expect(result.question == SyncRequest(term: term, last: 5))
        #expect(result.changes.isEmpty)
        let missed = try (6...9).map { number in try ban("192.0.2.\(number)", number: UInt64(number)) }
        let answer = SyncAnswer(term: term, now: publisherStart, .announcements(missed, isLast: true))
        let caughtUp = intake.take(answer, now: start, refusal: nobodyRefused)
        #expect(caughtUp.isUpToDate)
        #expect(caughtUp.changes.count == 4)
        #expect(intake.position?.last == 9)
    }

    @Test mutating func whatASnapshotOfAKnownTermLacksIsLiftedAndOfAnUnknownOneEndsWithinTenMinutes() throws {
        begin(at: 0)
        _ = try take(1, [try ban("192.0.2.1"), try ban("192.0.2.2")])
        for (isKnown, other) in [(true, Term(id: 2)), (false, Term(id: 3))] {
            _ = try take(1, [try ban("192.0.2.1")])
            let result = try adopt([try ban("192.0.2.2")], of: other, isKnown: isKnown)
            #expect(result.adopted == .init(count: 1, isCertain: isKnown))
            #expect(intake.wanted.contains(try address("192.0.2.1")) == !isKnown)
            if isKnown {
                _ = try adopt([try ban("192.0.2.1"), try ban("192.0.2.2")], of: term, isKnown: true)
            } else {
                #expect(intake.wanted.end(of: try address("192.0.2.1")) == start + .seconds(600))
            }
        }
    }

    /// Another term shows, and its publisher's answer is taken over.
    private mutating func adopt(_ bans: [Event], of other: Term, isKnown: Bool, at number: UInt64 = 0) throws -> BroadcastIntake.Result {
        _ = try take(number + 1, [], term: other)
        let snapshot = SyncAnswer.Content.snapshot(bans, number: number, next: nil, isKnownPlace: isKnown)
        let result = intake.take(SyncAnswer(term: other, now: publisherStart, snapshot), now: start, refusal: nobodyRefused)
        let end = SyncAnswer.Content.announcements([], isLast: true)
        _ = intake.take(SyncAnswer(term: other, now: publisherStart, end), now: start, refusal: nobodyRefused)
        return result
    }

    @Test mutating func whatIsDoubtedIsNotLiftedSoonerBecauseASecondSnapshotIsOfAKnownTerm() throws {
        begin(at: 0)
        _ = try take(1, [try ban("192.0.2.1"), try ban("192.0.2.2")])
        // One that has lost its journal; then 192.0.2.3 comes and goes while this host is cut off.
        _ = try adopt([], of: Term(id: 2), isKnown: false)
        _ = try take(1, [try ban("192.0.2.3")], term: Term(id: 2))
        let result = try adopt([try ban("192.0.2.2")], of: Term(id: 3), isKnown: true, at: 9)
        #expect(result.changes.filter { $0.kind == .lifted }.map(\.address) == [try address("192.0.2.3")])
        #expect(intake.wanted.contains(try address("192.0.2.1")))
        #expect(intake.wanted.completeFrom == start + WantedSet.doubt, "fail2ban's other bans are in doubt as long")
        #expect(intake.certainPosition(isExplained: true, now: start) == nil)
        _ = intake.expire(now: start + WantedSet.doubt + WantedSet.grace, limit: 10)
        #expect(intake.wanted.count == 0, "none of them was said to last longer")
    }

    @Test(arguments: [1, 2]) mutating func twoPublishersThatContradictEachOtherLiftNothing(_ rounds: Int) throws {
        begin(at: 0)
        _ = try take(1, [try ban("192.0.2.1", for: nil), try ban("192.0.2.2", for: nil)])
        for _ in 0..<rounds {
            #expect(try adopt([try ban("192.0.2.2", for: nil)], of: Term(id: 2), isKnown: false).changes.allSatisfy { $0.kind != .lifted })
            #expect(try adopt([try ban("192.0.2.1", for: nil)], of: term, isKnown: false).changes.allSatisfy { $0.kind != .lifted })
        }
        #expect(intake.wanted.count == 2)
    }

    @Test mutating func aRefusedBanThatASnapshotLacksIsNotBannedWhenTheRuleGoes() throws {
        begin(at: 0)
        _ = try take(1, [try ban("192.0.2.1", for: nil)]) { _ in "ignoreip has it" }
        #expect(intake.wanted.refusedCount == 1)
        _ = try adopt([], of: Term(id: 2), isKnown: true)
        #expect(intake.wanted.refusedCount == 0)
        #expect(intake.review(refusal: nobodyRefused).isEmpty)
    }

    @Test mutating func aMalformedFrameChangesNothing() throws {
        begin(at: 0)
        _ = try take(1, [try ban("192.0.2.1")])
        var broken = Broadcast(term: term, first: 2, now: publisherStart, events: [try ban("192.0.2.2", number: 2)]).frame
        broken.append(contentsOf: Array("\nweb1|sshd|Ban|999.1.1.1|3|-|-|-|detected".utf8))
        for frame in [broken, [], Array("hello".utf8), [0xff, 0x00]] {
            #expect(throws: BroadcastError.self) { _ = try intake.take(frame: frame, now: start, refusal: nobodyRefused) }
        }
        #expect(intake.wanted.count == 1)
        #expect(try take(2, [try ban("192.0.2.2")]).question == nil)
    }

    @Test mutating func refusedBansAreReportedWithTheirRule() throws {
        begin(at: 0)
        let event = try ban("192.0.2.1", number: 1)
        let result = try take(1, [event, try ban("192.0.2.2")]) { $0 == event.address ? "ignoreip has it" : nil }
        #expect(result.refused == [.init(announcement: event, rule: "ignoreip has it")])
        #expect(result.changes.map(\.address) == [try address("192.0.2.2")])
    }

    @Test func silenceCallsForNewConnectionsWithGrowingPauses() {
        var random = SeededGenerator(seed: 1)
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

    @Test func whileAKeyIsReplacedASilenceIsShorterAndTriesFollowAtTheSamePace() {
        var random = SeededGenerator(seed: 1)
        var watch = SilenceWatch(now: start)
        watch.hasSeveralKeys = true
        _ = watch.heard(now: start)
        #expect(watch.deadline == start + .seconds(4))
        var now = watch.deadline
        #expect(watch.advance(now: now, using: &random) == .renew(isFirst: true))
        for _ in 0..<20 {
            let pause = now.duration(to: watch.deadline)
            #expect(pause >= .seconds(3) && pause <= .seconds(5))
            now = watch.deadline
            #expect(watch.advance(now: now, using: &random) == .renew(isFirst: false))
        }
        watch.hasSeveralKeys = false
        let isBack = watch.heard(now: now)
        #expect(isBack && watch.deadline == now + SilenceWatch.limit)
    }
}
