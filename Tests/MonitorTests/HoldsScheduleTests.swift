// When the complete list is sent: every occasion, its failures, and that nothing else is one.

import TestSupport
import Testing
import Wire

@testable import Monitor

@Suite struct HoldsScheduleTests {
    private let start = ContinuousClock.now
    private let one = Term(id: 1)
    private let two = Term(id: 2)

    private func schedule(healed: Term? = nil, _ random: inout SeededGenerator) -> HoldsSchedule {
        HoldsSchedule(healedTerm: healed, now: start, using: &random)
    }

    /// The schedule of a new stream, to which the publisher has just answered in term 1: its list is due.
    private func answered(_ random: inout SeededGenerator) -> HoldsSchedule {
        var schedule = schedule(&random)
        schedule.answered(one, now: start, using: &random)
        return schedule
    }

    /// The same with its list on its way: the publisher has the first page.
    private func onItsWay(_ random: inout SeededGenerator) -> HoldsSchedule {
        var schedule = answered(&random)
        schedule.began(now: start)
        schedule.pageTaken(one)
        return schedule
    }

    /// A schedule whose list has just arrived in term 1.
    private func settled(_ random: inout SeededGenerator) -> HoldsSchedule {
        var schedule = onItsWay(&random)
        schedule.completed(now: start, using: &random)
        return schedule
    }

    @Test func aNewStreamSendsItsListAtOnceWhenThePublisherIsThere() {
        var random = SeededGenerator(seed: 1)
        var schedule = schedule(&random)
        #expect(!schedule.isDue(now: start, isIdle: true))
        #expect(schedule.deadline(isIdle: true) == nil)
        schedule.answered(one, now: start, using: &random)
        #expect(schedule.isDue(now: start, isIdle: true))
    }

    @Test func aStreamThatWentOnSendsNoneToThePublisherThatHasIt() {
        var random = SeededGenerator(seed: 1)
        var schedule = schedule(healed: one, &random)
        schedule.answered(one, now: start, using: &random)
        #expect(!schedule.isDue(now: start + .seconds(3000), isIdle: true))
        #expect(schedule.isDue(now: start + .seconds(4000), isIdle: true))
    }

    @Test func itWaitsForTheReporterToBeIdleButNotForLong() {
        var random = SeededGenerator(seed: 1)
        let schedule = answered(&random)
        #expect(!schedule.isDue(now: start + .milliseconds(4999), isIdle: false))
        #expect(schedule.deadline(isIdle: false) == start + .seconds(5))
        #expect(schedule.isDue(now: start + .seconds(5), isIdle: false))
    }

    @Test func aNewTermIsMetByAListWithinTwoSeconds() {
        for seed in 1...20 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            var schedule = settled(&random)
            schedule.answered(two, now: start + .seconds(10), using: &random)
            #expect(schedule.isDue(now: start + .seconds(12), isIdle: true))
            #expect(schedule.healedTerm == one)
        }
    }

    @Test func theDelayAfterANewTermIsNotPutOffByFurtherAnswers() {
        var random = SeededGenerator(seed: 1)
        var schedule = settled(&random)
        for milliseconds in stride(from: 0, through: 2000, by: 10) {
            schedule.answered(two, now: start + .milliseconds(milliseconds), using: &random)
        }
        #expect(schedule.isDue(now: start + .seconds(2), isIdle: true))
    }

    @Test func theListIsKnownWhenItsLastPageIsAcknowledged() {
        var random = SeededGenerator(seed: 1)
        var schedule = onItsWay(&random)
        #expect(schedule.healedTerm == nil)
        schedule.completed(now: start, using: &random)
        #expect(schedule.healedTerm == one)
    }

    @Test func itComesEveryHourAndNotFromAllHostsAtOnce() throws {
        var dues: Set<ContinuousClock.Instant> = []
        for seed in 1...50 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            let schedule = settled(&random)
            let due = try #require(schedule.deadline(isIdle: true))
            #expect(due >= start + .seconds(3240) && due <= start + .seconds(3960))
            dues.insert(due)
        }
        #expect(dues.count == 50)
    }

    @Test func linesThatAreLostCallForAListButNotForOneEachSecond() {
        var random = SeededGenerator(seed: 1)
        var schedule = settled(&random)
        schedule.require(now: start + .seconds(1))
        #expect(!schedule.isDue(now: start + .seconds(59), isIdle: true))
        #expect(schedule.isDue(now: start + .seconds(60), isIdle: true))
        var later = settled(&random)
        later.require(now: start + .seconds(100))
        #expect(later.isDue(now: start + .seconds(100), isIdle: true))
    }

    @Test func linesThatAreLostWhileAListIsOnItsWayCallForAnother() {
        var random = SeededGenerator(seed: 1)
        var schedule = onItsWay(&random)
        schedule.require(now: start + .seconds(1))
        schedule.completed(now: start + .seconds(2), using: &random)
        #expect(schedule.healedTerm == nil)
        schedule.answered(one, now: start + .seconds(2), using: &random)
        #expect(!schedule.isDue(now: start + .seconds(59), isIdle: true))
        #expect(schedule.isDue(now: start + .seconds(60), isIdle: true))
    }

    @Test func aClockThatWasSetCallsForAListInPlaceOfTheOneThatIsMade() {
        var random = SeededGenerator(seed: 1)
        var schedule = settled(&random)
        schedule.clockSet(now: start + .seconds(100))
        #expect(schedule.isDue(now: start + .seconds(100), isIdle: true))
        // A start before it has arrived begins with one too.
        #expect(schedule.healedTerm == nil)
        schedule.began(now: start + .seconds(100))
        schedule.clockSet(now: start + .seconds(101))
        #expect(!schedule.isDue(now: start + .seconds(159), isIdle: true))
        #expect(schedule.isDue(now: start + .seconds(160), isIdle: true))
    }

    @Test func aListThatFailsComesAgainLaterAndLater() {
        var random = SeededGenerator(seed: 1)
        var schedule = answered(&random)
        var now = start
        var pauses: [Double] = []
        for _ in 0..<8 {
            schedule.began(now: now)
            schedule.failed(now: now, using: &random)
            let due = schedule.deadline(isIdle: true) ?? now
            pauses.append((due - now) / .seconds(1))
            now = due
        }
        #expect((45...75).contains(pauses[0]))
        #expect((90...150).contains(pauses[1]))
        #expect(pauses.allSatisfy { $0 <= 4500 })
    }

    @Test func aTermThatChangesBetweenPagesMakesANewList() {
        var random = SeededGenerator(seed: 1)
        var schedule = onItsWay(&random)
        let sameTermEnds = schedule.answered(one, now: start, using: &random)
        let otherTermEnds = schedule.answered(two, now: start, using: &random)
        #expect(!sameTermEnds && otherTermEnds)
        schedule.outdated(now: start)
        #expect(schedule.healedTerm == nil)
        #expect(schedule.isDue(now: start + .seconds(2), isIdle: true))
    }
}
