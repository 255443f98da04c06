// Stage 1, log line -> event: what stands before a line's message, in every form in which fail2ban's log reaches a file.

import Daemon
import Wire

/// The part of a line up to its message. Everything is anchored at the line's first byte: text further inside, which an attacker
/// can choose through `<F-ID>`, is never taken for the beginning of a line.
struct LogPrefix {
    enum Writer {
        /// `fail2ban.actions`, which bans.
        case actions
        /// `fail2ban.observer`, which increases ban times.
        case observer
        /// `fail2ban.server` and `fail2ban.jail`, which start and stop.
        case server
        /// The journal's messages since 1.0 name no logger (1.0.2 server/server.py:760).
        case unnamed
    }

    var stamp: LogStamp
    var writer: Writer
    /// Whether the level is one at which a ban is logged.
    var isBanLevel: Bool
    /// Where the message begins.
    var message: Int

    init(_ line: Span<UInt8>) throws(LogLine.Nothing) {
        guard let first = byte(line, 0) else { throw .form }
        var at = 0
        stamp = .none
        switch first {
        case UInt8(ascii: "f"):
            break
        case UInt8(ascii: "<"):
            at = try LogPrefix.syslogVersion(line)
            stamp = .exact(try LogPrefix.zonedTime(line, &at))
            try LogPrefix.skipHost(line, &at)
            (writer, isBanLevel, message) = try LogPrefix.structuredRecord(line, &at)
            return
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            if byte(line, 10) == UInt8(ascii: " ") {
                stamp = .local(try LogPrefix.localTime(line, &at))
                try skip(" ", line, &at)
            } else {
                stamp = .exact(try LogPrefix.zonedTime(line, &at))
                try LogPrefix.skipHost(line, &at)
                if let unnamed = try LogPrefix.skipTag(line, &at, &stamp), unnamed {
                    (writer, isBanLevel, message) = (.unnamed, true, at)
                    return
                }
            }
        case UInt8(ascii: "A")...UInt8(ascii: "Z"):
            stamp = .yearless(try LogPrefix.yearlessTime(line, &at))
            try LogPrefix.skipHost(line, &at)
            if let unnamed = try LogPrefix.skipTag(line, &at, &stamp), unnamed {
                (writer, isBanLevel, message) = (.unnamed, true, at)
                return
            }
        default:
            throw .form
        }
        (writer, isBanLevel, message) = try LogPrefix.record(line, &at)
    }

    // MARK: - From the logger's name on

    /// `fail2ban.actions        [22599]: NOTICE  `; the process id is missing before 0.8.12, the padding where it is turned off.
    private static func record(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) -> (Writer, Bool, Int) {
        let writer = try writer(line, &at)
        skipBlanks(line, &at)
        try skipProcess(line, &at)
        try skip(":", line, &at)
        return (writer, try isBanLevel(line, &at), at)
    }

    /// RFC 5424 after the host: `fail2ban.actions 22599 - -  NOTICE `.
    private static func structuredRecord(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) -> (Writer, Bool, Int) {
        let writer = try writer(line, &at)
        try skip(" ", line, &at)
        guard skipDigits(line, &at) > 0 else { throw .form }
        try skip(" - -", line, &at)
        return (writer, try isBanLevel(line, &at), at)
    }

    private static func writer(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) -> Writer {
        try skip("fail2ban.", line, &at)
        let writer: Writer
        if starts("actions", line, at) {
            at += 7
            writer = .actions
        } else if starts("observer", line, at) {
            at += 8
            writer = .observer
        } else if starts("server", line, at) {
            at += 6
            writer = .server
        } else if starts("jail", line, at) {
            at += 4
            writer = .server
        } else {
            throw .logger
        }
        // Another logger may have a longer name that begins like ours.
        switch byte(line, at) {
        case UInt8(ascii: " "), UInt8(ascii: "["), UInt8(ascii: ":"): return writer
        default: throw .logger
        }
    }

    private static func isBanLevel(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) -> Bool {
        try skip(" ", line, &at)
        skipBlanks(line, &at)
        let start = at
        while let letter = byte(line, at), (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(letter) { at += 1 }
        guard at > start else { throw .form }
        let isBanLevel = (at - start == 6 && starts("NOTICE", line, start)) || (at - start == 7 && starts("WARNING", line, start))
        try skip(" ", line, &at)
        skipBlanks(line, &at)
        return isBanLevel
    }

    // MARK: - What syslog puts before it

    private static func skipHost(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) {
        try skip(" ", line, &at)
        let start = at
        while let next = byte(line, at), next != UInt8(ascii: " ") { at += 1 }
        guard at > start, at - start <= 255 else { throw .form }
        try skip(" ", line, &at)
    }

    /// Passes `fail2ban-server[123]: ` (a service's standard output in the journal) or `fail2ban[123]: ` (logtarget
    /// SYSTEMD-JOURNAL), and the second stamp that fail2ban up to 0.11 writes behind the latter.
    ///
    /// - Returns: `nil` without a tag, and whether the message follows the tag at once.
    private static func skipTag(_ line: Span<UInt8>, _ at: inout Int, _ stamp: inout LogStamp) throws(LogLine.Nothing) -> Bool? {
        guard starts("fail2ban", line, at), byte(line, at + 8) != UInt8(ascii: ".") else { return nil }
        at += 8
        let isServer = starts("-server", line, at)
        if isServer { at += 7 }
        try skipProcess(line, &at)
        try skip(": ", line, &at)
        if !isServer, isUnnamed(line, at) { return true }
        if let digit = byte(line, at), isDigit(digit) {
            let inner = try localTime(line, &at)
            try skip(" ", line, &at)
            // The inner one has milliseconds; the outer one, where it has a zone, needs no guess.
            if case .yearless = stamp { stamp = .local(inner) }
        }
        return false
    }

    /// Whether a message of the journal's form begins here, and not another stamp or a logger's name.
    private static func isUnnamed(_ line: Span<UInt8>, _ at: Int) -> Bool {
        byte(line, at).map { !isDigit($0) } ?? false && !starts("fail2ban.", line, at)
    }

    /// `<29>1 `
    private static func syslogVersion(_ line: Span<UInt8>) throws(LogLine.Nothing) -> Int {
        var at = 1
        guard (1...3).contains(skipDigits(line, &at)) else { throw .form }
        try skip(">1 ", line, &at)
        return at
    }

    private static func skipProcess(_ line: Span<UInt8>, _ at: inout Int) throws(LogLine.Nothing) {
        guard byte(line, at) == UInt8(ascii: "[") else { return }
        at += 1
        guard (1...10).contains(skipDigits(line, &at)) else { throw .form }
        try skip("]", line, &at)
    }
}
