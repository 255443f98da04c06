// How long bans take, measured in a bounded space.

import Testing
import Wire

@testable import Subscriber

@Suite struct LatencyTests {
    private func event(_ text: String, _ action: Event.Action = .ban, _ cause: Event.Cause = .detected, seen: Int64? = 0) throws -> Event {
        Event(
            host: try #require(Hostname("web2")), jail: try #require(Jail("sshd")), action: action, address: try address(text),
            seen: seen.map { publisherStart.advanced(byMilliseconds: $0) }, cause: cause)
    }

    @Test func aPercentileIsExactToNineHundredths() throws {
        var histogram = LatencyHistogram()
        #expect(histogram.percentile(0.5) == nil)
        for value in 1...1000 { histogram.add(milliseconds: Int64(value)) }
        for fraction in [0.1, 0.5, 0.9, 0.99] {
            let found = Double(try #require(histogram.percentile(fraction)))
            #expect(found >= fraction * 1000 && found <= fraction * 1000 * 1.1 + 1, "\(fraction): \(found)")
        }
        #expect(histogram.count == 1000)
    }

    @Test func timesBeyondAnyReasonAreCountedAtTheEnds() {
        var histogram = LatencyHistogram()
        for value in [Int64.min, -5, 0, 1, .max] { histogram.add(milliseconds: value) }
        #expect(histogram.count == 5)
        #expect(histogram.percentile(0.5) == 2)
        #expect(histogram.percentile(1) == 1 << 32)
    }

    @Test func aBanIsMeasuredFromItsLogLineToItsBeingAppliedOnce() throws {
        var meter = LatencyMeter(now: start)
        let one = try address("192.0.2.1")
        meter.announced(try event("192.0.2.1"), publisherNow: publisherStart.advanced(byMilliseconds: 100), now: start)
        meter.applied(one, now: start + .milliseconds(60))
        meter.applied(one, now: start + .seconds(60))
        meter.applied(try address("192.0.2.2"), now: start)
        #expect(meter.recent.count == 1)
        let time = try #require(meter.recent.percentile(0.5))
        #expect((160...176).contains(time))
    }

    @Test func whatHasNoLogLineOrWasLiftedBeforeIsNotMeasured() throws {
        var meter = LatencyMeter(now: start)
        let now = publisherStart.advanced(byMilliseconds: 100)
        meter.announced(try event("192.0.2.1", .ban, .operator), publisherNow: now, now: start)
        meter.announced(try event("192.0.2.2", .ban, .held), publisherNow: now, now: start)
        meter.announced(try event("192.0.2.3", seen: nil), publisherNow: now, now: start)
        meter.announced(try event("192.0.2.4"), publisherNow: now, now: start)
        meter.announced(try event("192.0.2.4", .unban, .expired), publisherNow: now, now: start)
        for last in 1...4 { meter.applied(try address("192.0.2.\(last)"), now: start) }
        #expect(meter.recent.count == 0)
    }

    @Test func bansThatAreNeverAppliedTakeABoundedSpaceAndMakeRoom() throws {
        var meter = LatencyMeter(now: start)
        for i in 0...LatencyMeter.mostOpen {
            meter.announced(try event("10.0.\(i / 256).\(i % 256)"), publisherNow: publisherStart, now: start)
        }
        let beyond = try address("10.0.\(LatencyMeter.mostOpen / 256).\(LatencyMeter.mostOpen % 256)")
        meter.applied(beyond, now: start)
        #expect(meter.recent.count == 0)
        let later = start + LatencyMeter.longest
        meter.announced(try event("192.0.2.1"), publisherNow: publisherStart, now: later)
        meter.applied(try address("192.0.2.1"), now: later)
        #expect(meter.recent.count == 1)
    }

    @Test func whatIsOlderThanTwoPeriodsIsForgotten() throws {
        var meter = LatencyMeter(now: start)
        for hour in 0..<5 {
            let now = start + LatencyMeter.period * hour
            meter.announced(try event("192.0.2.1"), publisherNow: publisherStart, now: now)
            meter.applied(try address("192.0.2.1"), now: now)
            #expect(meter.recent.count == min(hour + 1, 2))
        }
    }
}
