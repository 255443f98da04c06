// Tests of what travels: points in time, and the ends of bans.

import Testing
import Wire

@Suite struct TimeTests {
    private func timestamp(_ text: String) -> Timestamp? { Timestamp(bytes: Array(text.utf8).span) }

    private func banEnd(_ text: String) -> BanEnd? { BanEnd(bytes: Array(text.utf8).span) }

    @Test(
        "A time is up to fifteen digits", arguments: [0, 1, 9, 10, 1_795_212_000_123, 253_402_300_799_998, 253_402_300_799_999] as [Int64])
    func timesAreDigits(milliseconds: Int64) throws {
        let time = try #require(timestamp(String(milliseconds)))
        #expect(time.milliseconds == milliseconds)
        #expect(time.description == String(milliseconds))
        #expect(banEnd(String(milliseconds)) == .at(time))
    }

    @Test(
        "What is not a time in range is refused",
        arguments: [
            "", " ", "01", "00", "-1", "+1", "1.5", "1e3", "0x1", " 1", "1 ", "1\n", "1\0", "a", "253402300800000", "999999999999999",
            "9223372036854775807", "9223372036854775808", "18446744073709551616", "99999999999999999999999999", "٣", "--", "**", "-*",
        ])
    func nonsenseIsNoTime(text: String) {
        #expect(timestamp(text) == nil)
        #expect(banEnd(text) == nil)
    }

    @Test func anEndMayBeUnknownOrNever() {
        #expect(banEnd("-") == .unknown)
        #expect(banEnd("*") == .permanent)
        #expect(timestamp("-") == nil && timestamp("*") == nil)
        #expect([BanEnd.unknown, .at(Timestamp(milliseconds: 5)), .permanent].map(\.description) == ["-", "5", "*"])
    }

    @Test func endsAreOrderedByHowLongTheyLast() {
        let ends: [BanEnd] = [.unknown, .at(Timestamp(milliseconds: 0)), .at(Timestamp(milliseconds: 1)), .at(.latest), .permanent]
        #expect(ends.reversed().sorted() == ends)
    }

    @Test func timesThatAreOutOfRangeAreMovedIntoIt() {
        #expect(Timestamp(milliseconds: -1) == Timestamp(milliseconds: 0))
        #expect(Timestamp(milliseconds: .min) == Timestamp(milliseconds: 0))
        #expect(Timestamp(milliseconds: .max) == .latest)
        #expect(Timestamp.latest.milliseconds == 253_402_300_799_999)
    }

    @Test func noArithmeticOnTimesOverflows() {
        let edges: [Int64] = [.min, .min + 1, -253_402_300_799_999, -1, 0, 1, 253_402_300_799_999, .max - 1, .max]
        for start in [Timestamp(milliseconds: 0), Timestamp(milliseconds: 1_795_212_000_123), .latest] {
            for step in edges {
                let moved = start.advanced(byMilliseconds: step)
                #expect(moved == Timestamp(milliseconds: Int64(clamping: Int128(start.milliseconds) + Int128(step))))
            }
            #expect(start.milliseconds(since: .latest) <= 0 && start.milliseconds(since: Timestamp(milliseconds: 0)) >= 0)
        }
    }

    @Test func textGivesTheSameTimeAndEndAgain() {
        forRandomCases(5_000) { random in
            let (time, end) = (random.timestamp(), random.banEnd())
            #expect(timestamp(time.description) == time)
            #expect(banEnd(end.description) == end)
        }
    }
}
