// The way between the stages: when a request is repeated, shown with instants only.

import TestSupport
import Testing
import ZeroMQ

/// Gives the same numbers each time. Not one number for ever: `Double.random` asks again until it likes what it gets.
private struct Constant: RandomNumberGenerator {
    var value: UInt64
    mutating func next() -> UInt64 {
        value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return value
    }
}

@Suite struct RetryScheduleTests {
    private let start = ContinuousClock.now
    private var middle = Constant(value: 0)
    private let exact = RetryTiming(
        answerTimeout: .milliseconds(2500), firstPause: .milliseconds(100), longestPause: .seconds(10), jitter: 0)

    @Test func anIdleScheduleHasNoDeadlineAndDoesNothing() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 1)
        #expect(schedule.isIdle)
        #expect(schedule.deadline == nil)
        #expect(schedule.advance(to: start + .seconds(100), using: &random) == .none)
    }

    @Test func aRequestIsSentAtOnceAndItsAnswerEndsIt() {
        var schedule = RetrySchedule(exact, endpoints: 1)
        #expect(schedule.begin(now: start) == .transmit(endpoint: 0))
        #expect(schedule.deadline == start + .milliseconds(2500))
        #expect(schedule.isWaiting)
        schedule.answered()
        #expect(schedule.isIdle)
        #expect(schedule.deadline == nil)
    }

    @Test func anOverdueAnswerClosesTheConnectionAndTheRequestGoesOutAgainAfterThePause() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 1)
        _ = schedule.begin(now: start)
        #expect(schedule.advance(to: start + .milliseconds(2499), using: &random) == .none)
        #expect(schedule.advance(to: start + .milliseconds(2500), using: &random) == .disconnect)
        #expect(schedule.deadline == start + .milliseconds(2600))
        #expect(schedule.advance(to: start + .milliseconds(2599), using: &random) == .none)
        #expect(schedule.advance(to: start + .milliseconds(2600), using: &random) == .transmit(endpoint: 0))
        #expect(schedule.deadline == start + .milliseconds(5100))
    }

    @Test func pausesDoubleUpToTheLongestOne() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 1)
        var now = start
        _ = schedule.begin(now: now)
        var pauses: [Duration] = []
        for _ in 0..<40 {
            now += .milliseconds(2500)
            #expect(schedule.advance(to: now, using: &random) == .disconnect)
            guard let next = schedule.deadline else { break }
            pauses.append(now.duration(to: next))
            now = next
            #expect(schedule.advance(to: now, using: &random) == .transmit(endpoint: 0))
        }
        #expect(Array(pauses.prefix(8)) == [100, 200, 400, 800, 1600, 3200, 6400, 10000].map { Duration.milliseconds($0) })
        #expect(pauses.dropFirst(7).allSatisfy { $0 == .seconds(10) })
        #expect(pauses.count == 40)
    }

    @Test func eachFailureAsksTheNextEndpointAndTheLastOneIsFollowedByTheFirst() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 3)
        var now = start
        var asked: [RetrySchedule.Action] = [schedule.begin(now: now)]
        for _ in 0..<3 {
            now += .seconds(20)
            #expect(schedule.advance(to: now, using: &random) == .disconnect)
            now += .seconds(20)
            asked.append(schedule.advance(to: now, using: &random))
        }
        #expect(asked == [0, 1, 2, 0].map { RetrySchedule.Action.transmit(endpoint: $0) })
    }

    @Test func aRoundIsOverWhenTheFirstEndpointIsNextAgainWhateverKeptTheOthersFromAnswering() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 2)
        _ = schedule.begin(now: start)
        #expect(schedule.failed(now: start, using: &random) == .disconnect)
        #expect(schedule.rounds == 0)
        _ = schedule.begin(now: start)
        schedule.answered()
        schedule.postpone(now: start, toNextEndpoint: true, using: &random)
        #expect(schedule.rounds == 1)
        schedule.postpone(now: start, toNextEndpoint: false, using: &random)
        #expect(schedule.rounds == 1)
    }

    @Test func theEndpointThatAnsweredIsAskedNextTime() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 2)
        _ = schedule.begin(now: start)
        _ = schedule.advance(to: start + .seconds(3), using: &random)
        #expect(schedule.advance(to: start + .seconds(6), using: &random) == .transmit(endpoint: 1))
        schedule.answered()
        #expect(schedule.begin(now: start + .seconds(7)) == .transmit(endpoint: 1))
    }

    @Test func anAnswerThatSaysLaterKeepsTheConnectionAndDoublesThePause() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 2)
        var now = start
        _ = schedule.begin(now: now)
        for pause in [100, 200, 400] {
            schedule.answered()
            schedule.postpone(now: now, toNextEndpoint: false, using: &random)
            #expect(!schedule.isIdle)
            #expect(schedule.deadline == now + .milliseconds(pause))
            now += .milliseconds(pause)
            #expect(schedule.advance(to: now, using: &random) == .transmit(endpoint: 0))
        }
    }

    @Test func anAnswerOfAStandbyTurnsToTheNextEndpoint() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 2)
        _ = schedule.begin(now: start)
        schedule.answered()
        schedule.postpone(now: start, toNextEndpoint: true, using: &random)
        #expect(schedule.advance(to: start + .milliseconds(100), using: &random) == .transmit(endpoint: 1))
    }

    @Test func aNewRequestBeginsWithTheShortestPause() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 1)
        _ = schedule.begin(now: start)
        for second in [3, 6, 9, 12] { _ = schedule.advance(to: start + .seconds(second), using: &random) }
        schedule.answered()
        _ = schedule.begin(now: start)
        _ = schedule.advance(to: start + .milliseconds(2500), using: &random)
        #expect(schedule.deadline == start + .milliseconds(2600))
    }

    @Test(arguments: [0, UInt64.max / 4, UInt64.max / 2, UInt64.max - (1 << 11)])
    func jitterMovesAPauseByAQuarterAtMost(of random: UInt64) throws {
        var random = Constant(value: random)
        var schedule = RetrySchedule(RetryTiming(), endpoints: 1)
        _ = schedule.begin(now: start)
        let now = start + .milliseconds(2500)
        #expect(schedule.advance(to: now, using: &random) == .disconnect)
        let pause = now.duration(to: try #require(schedule.deadline))
        #expect(pause >= .milliseconds(75) && pause <= .milliseconds(125))
    }

    @Test func jitterSpreadsThePauses() throws {
        var random = SeededGenerator(seed: 1)
        var pauses: Set<Duration> = []
        for _ in 0..<50 {
            var schedule = RetrySchedule(RetryTiming(), endpoints: 1)
            _ = schedule.begin(now: start)
            _ = schedule.advance(to: start + .seconds(3), using: &random)
            pauses.insert((start + .seconds(3)).duration(to: try #require(schedule.deadline)))
        }
        #expect(pauses.count > 25)
    }

    @Test func aRequestThatIsNotWantedAnyMoreClosesItsConnectionOnlyWhileItsAnswerMayCome() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 1)
        _ = schedule.begin(now: start)
        #expect(schedule.cancel() == .disconnect)
        #expect(schedule.isIdle)
        _ = schedule.begin(now: start)
        _ = schedule.advance(to: start + .seconds(3), using: &random)
        #expect(schedule.cancel() == .none)
        #expect(schedule.deadline == nil)
    }

    @Test func aRequestThatCouldNotBeSentIsRepeatedAfterThePause() {
        var random = middle
        var schedule = RetrySchedule(exact, endpoints: 2)
        _ = schedule.begin(now: start)
        #expect(schedule.failed(now: start, using: &random) == .disconnect)
        #expect(schedule.advance(to: start + .milliseconds(100), using: &random) == .transmit(endpoint: 1))
    }
}
