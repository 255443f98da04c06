// Stamps without a zone, at the times of the year when clocks change.

import Daemon
import Glibc
import Testing
import Wire

@testable import Monitor

@Suite struct LogTimeTests {
    /// 2026-11-21 02:01:24.947 UTC
    private static let november = Timestamp(milliseconds: 1_795_226_484_947)

    /// Berlin in 2026: summer time from March 29, 01:00 UTC, to October 25, 01:00 UTC.
    private static let berlin = LocalZone(
        beginOfHour: { local, isSummer in
            let summer = Int64(1_774_746_000)..<Int64(1_792_890_000)
            func begin(_ offset: Int) -> Int64 {
                let hour = LocalTime(year: local.year, month: local.month, day: local.day, hour: local.hour, minute: 0, second: 0)
                return (hour?.timestamp(offsetSeconds: offset).milliseconds ?? 0) / 1000
            }
            guard let isSummer else { return begin(3600) }
            let seconds = begin(isSummer ? 7200 : 3600)
            return summer.contains(seconds) == isSummer ? seconds : nil
        },
        year: { Int(($0.milliseconds / 1000 + 3600) / 31_556_952) + 1970 })

    private func local(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int = 0, _ second: Int = 0) throws -> LocalTime {
        try #require(LocalTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second))
    }

    @Test func localTimeIsReadInThisMachinesZone() throws {
        var time = LogTime(zone: LogTimeTests.berlin)
        var stamp = try local(2026, 11, 21, 3, 1, 24)
        stamp.millisecond = 947
        #expect(time.seen(.local(stamp), arrival: LogTimeTests.november) == LogTimeTests.november)
        stamp.minute = 0
        #expect(time.seen(.local(stamp), arrival: LogTimeTests.november) == LogTimeTests.november.advanced(byMilliseconds: -60_000))
    }

    @Test func theMachinesOwnZoneTurnsLocalTimeBack() throws {
        var time = LogTime()
        for seconds in stride(from: time_t(1_700_000_000), to: 1_800_000_000, by: 1_234_567) {
            var seconds = seconds
            var fields = tm()
            try #require(localtime_r(&seconds, &fields) != nil)
            let stamp = try local(
                Int(fields.tm_year) + 1900, Int(fields.tm_mon) + 1, Int(fields.tm_mday), Int(fields.tm_hour), Int(fields.tm_min),
                Int(fields.tm_sec))
            let arrival = Timestamp(milliseconds: Int64(seconds) * 1000 + 500)
            #expect(time.seen(.local(stamp), arrival: arrival).milliseconds == Int64(seconds) * 1000)
        }
    }

    @Test func aLineWithoutAStampWasSeenWhenItArrived() {
        var time = LogTime()
        #expect(time.seen(.none, arrival: LogTimeTests.november) == LogTimeTests.november)
    }

    @Test(arguments: [60_000, 86_400_000, 3_000_000_000_000] as [Int64])
    func aStampInTheFutureIsReplacedByTheArrival(ahead: Int64) {
        var time = LogTime()
        let arrival = LogTimeTests.november
        #expect(time.seen(.exact(arrival.advanced(byMilliseconds: ahead)), arrival: arrival) == arrival)
        #expect(time.seen(.exact(arrival.advanced(byMilliseconds: 900)), arrival: arrival).milliseconds(since: arrival) == 900)
    }

    @Test func aStampFromBeforeFail2banIsReplacedByTheArrival() throws {
        var time = LogTime(zone: LogTimeTests.berlin)
        #expect(time.seen(.local(try local(1970, 1, 1, 0)), arrival: LogTimeTests.november) == LogTimeTests.november)
    }

    @Test func aStampWithoutAYearIsOfTheLastTimeThatDateWas() throws {
        var time = LogTime(zone: LogTimeTests.berlin)
        // 2027-01-01 00:00:05 in Berlin
        let newYear = Timestamp(milliseconds: 1_798_758_005_000)
        #expect(time.seen(.yearless(try local(0, 12, 31, 23, 59, 59)), arrival: newYear).milliseconds(since: newYear) == -6000)
        #expect(time.seen(.yearless(try local(0, 1, 1, 0, 0, 4)), arrival: newYear).milliseconds(since: newYear) == -1000)
    }

    /// On 2026-10-25 in Berlin, 02:30 was at 00:30 UTC and again at 01:30 UTC.
    @Test func anHourThatHappensTwiceIsTheLaterOneUnlessThatIsStillToCome() throws {
        var time = LogTime(zone: LogTimeTests.berlin)
        let first = Timestamp(milliseconds: 1_792_888_200_000)
        let second = first.advanced(byMilliseconds: 3_600_000)
        let stamp = LogStamp.local(try local(2026, 10, 25, 2, 30))
        #expect(time.seen(stamp, arrival: first) == first)
        #expect(time.seen(stamp, arrival: second) == second)
        #expect(time.end(try local(2026, 10, 25, 2, 30)) == second)
    }

    /// On 2026-03-29 in Berlin clocks went from 02:00 to 03:00; 02:30 can only be a slip of somebody's clock.
    @Test func anHourThatIsSkippedIsStillATime() throws {
        var time = LogTime(zone: LogTimeTests.berlin)
        // 01:00 UTC on that day
        let change = Timestamp(milliseconds: 1_774_746_000_000)
        let later = change.advanced(byMilliseconds: 7_200_000)
        #expect(abs(time.seen(.local(try local(2026, 3, 29, 2, 30)), arrival: later).milliseconds(since: change)) <= 3_600_000)
    }

    @Test func aZonedStampNeedsNoZoneOfTheMachine() throws {
        #expect(try local(2026, 11, 21, 3, 2, 23).timestamp(offsetSeconds: 3600).milliseconds == 1_795_226_543_000)
        #expect(try local(2024, 2, 29, 0).timestamp(offsetSeconds: 0).milliseconds == 1_709_164_800_000)
        #expect(try local(1970, 1, 1, 0).timestamp(offsetSeconds: 0).milliseconds == 0)
    }
}
