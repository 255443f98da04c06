// What the daemons share: a time as fail2ban writes it, in this machine's zone and without saying so.

import Wire

/// A date and time of day without a zone. Its fields are in range, but the day need not exist in its month.
public struct LocalTime: Hashable, Sendable {
    public var year: Int
    public var month: Int
    public var day: Int
    public var hour: Int
    public var minute: Int
    public var second: Int
    public var millisecond: Int

    /// `nil` when a field is out of range. Second 60 is a leap second.
    public init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, millisecond: Int = 0) {
        guard (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
            (0...60).contains(second), (0...999).contains(millisecond), (0...9999).contains(year)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.millisecond = millisecond
    }

    /// This time in a zone that is ahead of UTC by `seconds`.
    public func timestamp(offsetSeconds seconds: Int) -> Timestamp {
        // Days since 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March so that leap days come last.
        let shifted = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
        let secondsOfDay = hour * 3600 + minute * 60 + second
        return Timestamp(milliseconds: Int64((days * 86400 + secondsOfDay - seconds) * 1000 + millisecond))
    }
}

extension LocalTime {
    /// Parses exactly `2026-11-20 23:01:24`.
    init?(text: ArraySlice<UInt8>) {
        guard text.count == 19, text.elementsEqual("0000-00-00 00:00:00".utf8, by: { isDigit($0) ? isDigit($1) : $0 == $1 }) else {
            return nil
        }
        func number(_ first: Int, _ count: Int) -> Int {
            text.dropFirst(first).prefix(count).reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        }
        self.init(
            year: number(0, 4), month: number(5, 2), day: number(8, 2), hour: number(11, 2), minute: number(14, 2), second: number(17, 2))
    }
}

private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
