// The clock of ends goes on evenly, whatever is done to the system's.

import Daemon
import Testing
import Wire

@Suite struct SteadyClockTests {
    private let start = Timestamp(milliseconds: 1_795_212_000_000)
    private let origin = ContinuousClock.now

    @Test func itGoesOnAsFastAsTimePasses() {
        let clock = SteadyClock(start: start, at: origin)
        #expect(clock.time(at: origin + .seconds(5)) == start.advanced(byMilliseconds: 5000))
    }

    @Test func aStepOfTheSystemsClockIsToldOnce() {
        var clock = SteadyClock(start: start, at: origin)
        var steps: [Int64?] = []
        for (seconds, system) in [(10, 10_999), (10, 3_610_000), (11, 3_611_500), (12, -48_000), (13, 13_000)] as [(Int, Int64)] {
            steps.append(clock.newStep(system: start.advanced(byMilliseconds: system), at: origin + .seconds(seconds)))
        }
        #expect(steps == [nil, 3_600_000, nil, -60_000, 0])
    }
}
