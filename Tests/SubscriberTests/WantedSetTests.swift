// The wanted set follows announcements, ends and this host's own rules.

import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct WantedSetTests {
    var wanted = WantedSet(origin: start)

    private mutating func apply(_ event: Event, at now: ContinuousClock.Instant = start) -> WantedSet.Outcome {
        wanted.apply(event, publisherNow: publisherStart, now: now, refusal: nobodyRefused)
    }

    @Test mutating func anAnnouncedBanIsWantedUntilItsEnd() throws {
        let event = try ban("192.0.2.1", for: .seconds(600))
        #expect(apply(event) == .changed(.init(.banned, event.address, announcement: event)))
        #expect(wanted.contains(event.address))
        #expect(wanted.end(of: event.address) == start + .seconds(600))
        #expect(wanted.expire(now: start + .seconds(600), limit: 10).isEmpty, "the publisher has a moment to say it itself")
        #expect(wanted.nextExpiry == start + .seconds(600) + WantedSet.grace)
        #expect(wanted.expire(now: start + .seconds(601), limit: 10) == [.init(.lifted, event.address)])
        #expect(!wanted.contains(event.address))
        #expect(wanted.nextExpiry == nil)
    }

    @Test mutating func aSecondBanMovesTheEndLaterAndEarlier() throws {
        _ = apply(try ban("192.0.2.1", for: .seconds(600)))
        let longer = try ban("192.0.2.1", for: .seconds(900))
        #expect(apply(longer) == .changed(.init(.moved, longer.address, announcement: longer)))
        #expect(wanted.expire(now: start + .seconds(800), limit: 10).isEmpty)
        _ = apply(try ban("192.0.2.1", for: .seconds(100)))
        #expect(wanted.expire(now: start + .seconds(101), limit: 10).map(\.address) == [longer.address])
    }

    @Test mutating func theEndIsCountedOnThePublishersClock() throws {
        let event = try ban("192.0.2.1", for: .seconds(600))
        let sent = publisherStart.advanced(byMilliseconds: 590_000)
        _ = wanted.apply(event, publisherNow: sent, now: start + .seconds(3), refusal: nobodyRefused)
        #expect(wanted.end(of: event.address) == start + .seconds(13))
    }

    @Test mutating func aPermanentBanAndOneWithoutAKnownEndStayUntilTheyAreLifted() throws {
        var unknown = try ban("192.0.2.2")
        unknown.end = .unknown
        _ = apply(try ban("192.0.2.1", for: nil))
        _ = apply(unknown)
        #expect(wanted.expire(now: start + .seconds(1_000_000_000), limit: 10).isEmpty)
        #expect(wanted.count == 2)
        #expect(apply(try unban("192.0.2.1")) == .changed(.init(.lifted, try address("192.0.2.1"), announcement: try unban("192.0.2.1"))))
        #expect(wanted.count == 1)
    }

    @Test mutating func aBanThatIsOverBeforeItArrivesIsNotWanted() throws {
        #expect(apply(try ban("192.0.2.1", for: .zero)) == .unchanged)
        _ = apply(try ban("192.0.2.1", for: .seconds(600)))
        guard case .changed(let change) = apply(try ban("192.0.2.1", for: .seconds(-1))) else {
            Issue.record("it lifts the one that stood")
            return
        }
        #expect(change.kind == .lifted)
    }

    @Test mutating func anUnbanOfAnUnknownAddressIsPassedOnForItMayBeOlderThanThisProcess() throws {
        guard case .changed(let change) = apply(try unban("192.0.2.1")) else {
            Issue.record("nothing was passed on")
            return
        }
        #expect(change.kind == .lifted)
    }

    @Test mutating func aRefusedAddressIsNotWantedAndTheRuleIsNamed() throws {
        let event = try ban("192.0.2.1")
        let outcome = wanted.apply(event, publisherNow: publisherStart, now: start) { _ in "ignoreip has 192.0.2.1" }
        #expect(outcome == .refused(rule: "ignoreip has 192.0.2.1", lifted: nil))
        #expect(wanted.count == 0)
        #expect(wanted.refusedCount == 1)
        #expect(wanted.expire(now: start + .seconds(601), limit: 10).isEmpty)
        #expect(wanted.refusedCount == 0)
    }

    @Test mutating func anAddressThatBecomesProtectedIsLiftedAndBannedAgainWhenItIsNotAnyMore() throws {
        let event = try ban("192.0.2.1", for: .seconds(600))
        _ = apply(event)
        _ = apply(try ban("192.0.2.2"))
        #expect(wanted.review { $0 == event.address ? "own address" : nil } == [.init(.lifted, event.address)])
        #expect(wanted.review { $0 == event.address ? "own address" : nil }.isEmpty)
        #expect(wanted.review(refusal: nobodyRefused) == [.init(.banned, event.address)])
        #expect(wanted.end(of: event.address) == start + .seconds(600))
        #expect(wanted.expire(now: start + .seconds(601), limit: 10).count == 2)
    }

    @Test mutating func manyEndsAtOneTimeAreTakenInSlices() throws {
        for index in 0..<1000 {
            var event = try ban("192.0.2.1", for: .seconds(60))
            event.address = try numbered(index)
            _ = apply(event)
        }
        var ended = 0
        for _ in 0..<10 {
            let slice = wanted.expire(now: start + .seconds(61), limit: 100)
            #expect(slice.count == 100)
            ended += slice.count
        }
        #expect(ended == 1000)
        #expect(wanted.expire(now: start + .seconds(61), limit: 100).isEmpty)
    }

    @Test mutating func endsThatMoveAgainAndAgainTakeNoMoreMemory() throws {
        for length in 1...100_000 { _ = apply(try ban("192.0.2.1", for: .milliseconds(1_000_000 + length))) }
        #expect(wanted.end(of: try address("192.0.2.1")) == start + .milliseconds(1_100_000))
        // What is left behind of former ends counts too, so that these take no more time than others.
        #expect(wanted.expire(now: start + .milliseconds(1_102_000), limit: 10).isEmpty)
        #expect(wanted.expire(now: start + .milliseconds(1_102_000), limit: 2000).count == 1)
        #expect(wanted.nextExpiry == nil)
    }

    @Test mutating func whatEndsFirstIsLiftedFirst() throws {
        var random = SeededGenerator(seed: 7)
        var lengths: [Address: Int] = [:]
        for index in 0..<300 {
            var event = try ban("192.0.2.1", for: .seconds(Int.random(in: 1..<100, using: &random)))
            event.address = try numbered(index)
            guard case .at(let end) = event.end else { continue }
            lengths[event.address] = Int(end.milliseconds(since: publisherStart))
            _ = apply(event)
        }
        let ended = wanted.expire(now: start + .seconds(200), limit: 1000).compactMap { lengths[$0.address] }
        #expect(ended.count == 300)
        #expect(ended == ended.sorted())
    }
}
