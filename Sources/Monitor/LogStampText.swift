// Stage 1, log line -> event: the text forms of a line's time.

import Daemon
import Wire

extension LogPrefix {
    /// `2026-11-20 23:09:04,040`, also without milliseconds.
    static func localTime(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) -> LocalTime {
        let (year, month, day) = try date(line, &at)
        try skip(" ", line, &at)
        let (hour, minute, second) = try timeOfDay(line, &at)
        var millisecond = 0
        if byte(line, at) == UInt8(ascii: ",") {
            at += 1
            millisecond = try number(line, &at, digits: 3)
        }
        guard
            let time = LocalTime(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second, millisecond: millisecond)
        else { throw .form }
        return time
    }

    /// `2026-11-20T23:09:04.040123+01:00` (rsyslog), `2026-11-20T23:09:04+0100` (journalctl -o short-iso); `Z` is a zone too.
    static func zonedTime(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) -> Timestamp {
        let (year, month, day) = try date(line, &at)
        try skip("T", line, &at)
        let (hour, minute, second) = try timeOfDay(line, &at)
        var millisecond = 0
        if byte(line, at) == UInt8(ascii: ".") {
            at += 1
            var scale = 100
            let start = at
            while let digit = byte(line, at), isDigit(digit) {
                millisecond += Int(digit - UInt8(ascii: "0")) * scale
                scale /= 10
                at += 1
            }
            guard (1...9).contains(at - start) else { throw .form }
        }
        guard
            let time = LocalTime(
                year: year, month: month, day: day, hour: hour, minute: minute, second: second, millisecond: millisecond)
        else { throw .form }
        if byte(line, at) == UInt8(ascii: "Z") {
            at += 1
            return time.timestamp(offsetSeconds: 0)
        }
        let isBehind = byte(line, at) == UInt8(ascii: "-")
        guard isBehind || byte(line, at) == UInt8(ascii: "+") else { throw .form }
        at += 1
        let hours = try number(line, &at, digits: 2)
        if byte(line, at) == UInt8(ascii: ":") { at += 1 }
        let seconds = (hours * 60 + (try number(line, &at, digits: 2))) * 60
        return time.timestamp(offsetSeconds: isBehind ? -seconds : seconds)
    }

    /// `Nov 20 23:09:04`; a day under 10 has a blank before it.
    static func yearlessTime(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) -> LocalTime {
        var month = 0
        for name in ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as [StaticString] {
            month += 1
            if starts(name, line, at) { break }
            if month == 12 { throw .form }
        }
        at += 3
        try skip(" ", line, &at)
        let isPadded = byte(line, at) == UInt8(ascii: " ")
        if isPadded { at += 1 }
        let day = try number(line, &at, digits: isPadded ? 1 : 2)
        try skip(" ", line, &at)
        let (hour, minute, second) = try timeOfDay(line, &at)
        guard let time = LocalTime(year: 0, month: month, day: day, hour: hour, minute: minute, second: second) else { throw .form }
        return time
    }

    private static func date(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) -> (Int, Int, Int) {
        let year = try number(line, &at, digits: 4)
        try skip("-", line, &at)
        let month = try number(line, &at, digits: 2)
        try skip("-", line, &at)
        return (year, month, try number(line, &at, digits: 2))
    }

    private static func timeOfDay(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) -> (Int, Int, Int) {
        let hour = try number(line, &at, digits: 2)
        try skip(":", line, &at)
        let minute = try number(line, &at, digits: 2)
        try skip(":", line, &at)
        return (hour, minute, try number(line, &at, digits: 2))
    }

    private static func number(_ line: Span<UInt8>, _ at: inout Int, digits: Int) throws(LogLine.Nothing) -> Int {
        var value = 0
        for _ in 0..<digits {
            guard let digit = byte(line, at), isDigit(digit) else { throw .form }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
            at += 1
        }
        return value
    }
}

// MARK: - Steps through a line

/// The byte at `at`; `nil` behind the end.
func byte(_ line: Span<UInt8>, _ at: Int) -> UInt8? { at < line.count ? line[at] : nil }

func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// Whether `text`, which is ASCII, stands at `at`.
func starts(_ text: StaticString, _ line: Span<UInt8>, _ at: Int) -> Bool {
    text.withUTF8Buffer { text in
        guard at + text.count <= line.count else { return false }
        for i in text.indices where line[at + i] != text[i] { return false }
        return true
    }
}

/// Passes `text`.
func skip(_ text: StaticString, _ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) {
    guard starts(text, line, at) else { throw .form }
    at += text.utf8CodeUnitCount
}

func skipBlanks(_ line: Span<UInt8>, _ at: inout Int) {
    while byte(line, at) == UInt8(ascii: " ") { at += 1 }
}

/// - Returns: how many digits were passed.
func skipDigits(_ line: Span<UInt8>, _ at: inout Int) -> Int {
    let start = at
    while let next = byte(line, at), isDigit(next) { at += 1 }
    return at - start
}
