// What the daemons share: what a log line may hold, and how its time is written.

import Glibc
import Wire

/// Text made safe for one line of a log or a terminal: whoever can put text into a message must not be able to end the line, forge the next
/// one, or drive the terminal that shows it.
public enum LogText {
    /// Longer messages are cut, so that no line of ours fills a disk.
    static let longest = 8192

    /// Control characters, line and paragraph separators and changes of writing direction as `\n`, `\t`, `\x1b` or `\u{202e}`.
    /// At most ``longest`` bytes, then `…`.
    public static func escaped(_ text: String) -> String {
        if text.utf8.count <= longest, text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) { return text }
        var safe = ""
        for scalar in text.unicodeScalars {
            guard safe.utf8.count < longest else { return safe + "…" }
            switch scalar.value {
            case 0x0a: safe += "\\n"
            case 0x0d: safe += "\\r"
            case 0x09: safe += "\\t"
            case 0..<0x20, 0x7f...0x9f: safe += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            // Separators, and the marks that reorder what follows them (Unicode, UAX 9).
            case 0x2028, 0x2029, 0x200e, 0x200f, 0x202a...0x202e, 0x2066...0x2069: safe += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: safe.unicodeScalars.append(scalar)
            }
        }
        return safe
    }

    /// `2026-11-21T09:05:03.042+01:00`: local time with its zone, ISO 8601.
    static func time(_ time: timespec) -> String {
        var seconds = time.tv_sec
        var local = tm()
        guard localtime_r(&seconds, &local) != nil else { return "-" }
        let offset = local.tm_gmtoff / 60
        let milliseconds = String(time.tv_nsec / 1_000_000 + 1000).dropFirst()
        let zone = "\(offset < 0 ? "-" : "+")\(two(abs(offset) / 60)):\(two(abs(offset) % 60))"
        return "\(dateAndClock(local)).\(milliseconds)\(zone)"
    }

    /// `2026-11-21T09:05:03`: the fields of a broken-down time.
    fileprivate static func dateAndClock(_ parts: tm) -> String {
        let date = "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        return "\(date)T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }

    static func now() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return time(now)
    }

    private static func two(_ number: some BinaryInteger) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension Timestamp {
    /// `2026-11-22T08:00:00Z`: in UTC to the second, for people.
    public var utcText: String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "-" }
        return LogText.dateAndClock(parts) + "Z"
    }
}
