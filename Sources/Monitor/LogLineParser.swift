// Stage 1, log line -> event: reads one line of fail2ban's log. Its specification is Tests/MonitorTests/Corpus/log-lines.txt.

import Wire

/// Reads lines of fail2ban's log, of every version from 0.8 to 1.1.1.
///
/// It works on bytes and allocates nothing for a line that is not of a ban. A message is taken only as a whole: its verb at the
/// beginning, and nothing but a strictly parsed address in the place of the id, which may be any text with `<F-ID>`.
public enum LogLineParser {
    /// - Parameter line: without its newline; any bytes, not only UTF-8.
    /// - Throws: why the line is nothing to act on.
    public static func parse(_ line: Span<UInt8>) throws(LogLine.Nothing) -> LogLine {
        guard line.count <= LogTail.longestLine else { throw .tooLong }
        let prefix = try LogPrefix(line)
        guard prefix.writer != .server else { throw .logger }
        guard byte(line, prefix.message) == UInt8(ascii: "[") else { throw .message }
        let name = (prefix.message + 1)..<jailEnd(line, prefix.message + 1)
        var at = name.upperBound
        guard starts("] ", line, at) else { throw try refusalOfBadJail(line, prefix) }
        at += 2
        guard let form = Form(line, at, prefix.writer) else { throw .message }
        guard prefix.isBanLevel || !form.isAlwaysNotice else { throw .level }
        guard let jail = jail(line.extracting(name)) else { throw .jail }
        return LogLine(stamp: prefix.stamp, jail: jail, message: try form.message(line))
    }

    /// Where the run of characters that a jail's name may have ends.
    private static func jailEnd(_ line: Span<UInt8>, _ start: Int) -> Int {
        var at = start
        while let next = byte(line, at), next != UInt8(ascii: "]"), next > 0x20, next < 0x7f { at += 1 }
        return at
    }

    private static func jail(_ name: Span<UInt8>) -> Jail? {
        Jail(bytes: name)
    }

    /// fail2ban allows any text as a jail's name. A ban in one with a blank or bracket is refused by name, not passed over.
    private static func refusalOfBadJail(_ line: Span<UInt8>, _ prefix: LogPrefix) throws(LogLine.Nothing) -> LogLine.Nothing {
        var at = prefix.message + 1
        while at < line.count {
            if starts("] ", line, at), Form(line, at + 2, prefix.writer) != nil { return .jail }
            at += 1
        }
        return .message
    }
}

/// A message's verb, and where in the line its id lies.
private enum Form {
    case ban(Range<Int>)
    case unban(Range<Int>)
    case restore(Range<Int>)
    case repeal(Range<Int>)
    case reban(Range<Int>)
    case alreadyBanned(Range<Int>)
    case expired(Range<Int>)
    case increase(Range<Int>)
    case flush

    /// - Parameter at: behind `[jail] `.
    init?(_ line: Span<UInt8>, _ at: Int, _ writer: LogPrefix.Writer) {
        let end = line.count
        if writer != .actions {
            if starts("Increase Ban ", line, at) {
                self = .increase((at + 13)..<end)
                return
            }
            guard writer == .unnamed else { return nil }
        }
        if starts("Ban ", line, at) {
            self = .ban((at + 4)..<end)
        } else if starts("Unban ", line, at) {
            self = .unban((at + 6)..<end)
        } else if starts("Restore Ban ", line, at) {
            self = .restore((at + 12)..<end)
        } else if starts("Repeal Ban ", line, at) {
            self = .repeal((at + 11)..<end)
        } else if starts("Reban ", line, at) {
            self = .reban((at + 6)..<end)
        } else if starts("Flush ticket(s) with ", line, at) {
            self = .flush
        } else if starts("Ignore ", line, at), ends(", expired bantime", line), end - 17 > at + 7 {
            self = .expired((at + 7)..<(end - 17))
        } else if ends(" already banned", line), end - 15 > at {
            self = .alreadyBanned(at..<(end - 15))
        } else {
            return nil
        }
    }

    /// What fail2ban may log at other levels than NOTICE (WARNING in 0.8) is never acted on.
    var isAlwaysNotice: Bool {
        switch self {
        case .alreadyBanned, .expired: false
        default: true
        }
    }

    func message(_ line: Span<UInt8>) throws(LogLine.Nothing) -> LogLine.Message {
        switch self {
        case .ban(let id): return .ban(try target(line, id))
        case .unban(let id): return .unban(try target(line, id))
        case .restore(let id): return .restore(try target(line, id))
        case .repeal(let id): return .repeal(try target(line, id))
        case .reban(let id): return .reban(try target(line, rebanned(line, id)))
        case .alreadyBanned(let id): return .alreadyBanned(try target(line, id))
        case .expired(let id): return .expired(try target(line, id))
        case .flush: return .flush
        case .increase(let rest):
            var at = rest.lowerBound
            while let next = byte(line, at), next != UInt8(ascii: " ") { at += 1 }
            let target = try target(line, rest.lowerBound..<at)
            return .increase(target, until: try increasedEnd(line, at))
        }
    }

    private func target(_ line: Span<UInt8>, _ id: Range<Int>) throws(LogLine.Nothing) -> LogLine.Target {
        let bytes = line.extracting(id)
        guard let address = Address(bytes: bytes) else { throw .address }
        return LogLine.Target(address: address, id: bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) })
    }

    /// `Reban ID, action 'x'`: the action is named when there is only one.
    private func rebanned(_ line: Span<UInt8>, _ id: Range<Int>) -> Range<Int> {
        for at in id where starts(", action '", line, at) { return id.lowerBound..<at }
        return id
    }

    /// ` (2 # 8s -> 2026-11-20 23:08:35)`, ` (3 # permanent -> infinite)`
    private func increasedEnd(_ line: Span<UInt8>, _ start: Int) throws(LogLine.Nothing) -> LogLine.IncreasedEnd {
        var at = start
        try skip(" (", line, &at)
        guard (1...10).contains(skipDigits(line, &at)) else { throw .address }
        try skip(" # ", line, &at)
        // A duration as fail2ban writes it: `1d 2h`, `8s`, `1.5h`, `permanent`.
        while let next = byte(line, at), isDurationByte(next), !starts(" -> ", line, at) { at += 1 }
        try skip(" -> ", line, &at)
        let end: LogLine.IncreasedEnd
        if starts("infinite", line, at) {
            at += 8
            end = .permanent
        } else {
            end = .at(try LogPrefix.localTime(line, &at))
        }
        try skip(")", line, &at)
        guard at == line.count else { throw .address }
        return end
    }

    private func isDurationByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: " ") || byte == UInt8(ascii: ".")
            || byte == UInt8(ascii: ":")
    }
}

private func ends(_ text: StaticString, _ line: Span<UInt8>) -> Bool {
    let start = line.count - text.utf8CodeUnitCount
    return start >= 0 && starts(text, line, start)
}
