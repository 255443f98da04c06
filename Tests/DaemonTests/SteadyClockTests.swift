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

    @Test func aStepOfTheSystemsClockIsTold() {
        let clock = SteadyClock(start: start, at: origin)
        let later = origin + .seconds(10)
        #expect(clock.step(of: start.advanced(byMilliseconds: 10_999), at: later) == 0)
        #expect(clock.step(of: start.advanced(byMilliseconds: 3_610_000), at: later) == 3_600_000)
        #expect(clock.step(of: start.advanced(byMilliseconds: -50_000), at: later) == -60_000)
    }
}
