// A log in a folder of its own, and a reader that waits for it as the loop does.

import Glibc
import TestSupport
import Testing

@testable import Monitor

/// A temporary folder with a log; removed at the end.
final class LogFolder {
    private let temporary: TemporaryFolder
    var folder: String { temporary.path }
    var path: String { temporary("fail2ban.log") }

    init() throws { temporary = try TemporaryFolder() }

    /// A log of which a monitor has read the first line, and the place that it remembers.
    static func started() throws -> (log: LogFolder, place: LogPlace) {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        log.append("line 1\n")
        #expect(try reader.available() == ["line 1"])
        return (log, reader.place)
    }

    /// Runs a command of the system in the folder.
    func run(_ command: String) throws {
        let status = system("cd '\(folder)' && \(command)")
        try #require(status == 0, "\(command)")
    }

    func create() { LogFolder.append("", to: path) }

    func append(_ text: String, to suffix: String = "") { LogFolder.append(text, to: path + suffix) }

    static func append(_ text: String, to path: String) {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT, 0o600)
        var text = text
        _ = text.withUTF8 { write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
    }
}

/// Reads a log as the monitor's loop does.
struct LogReader: ~Copyable {
    private var tail: LogTail
    var now = ContinuousClock.now
    /// Lines that are taken at once.
    var limit = Int.max

    init(_ path: String, from start: LogTail.Start = .end) throws { tail = try LogTail(path: path, from: start, now: now) }

    var position: UInt64 { tail.position }
    var problem: LogTailError? { tail.problem }
    var place: LogPlace { tail.place }
    var openFiles: Int { tail.place.files.count }
    var longLines: Int { tail.longLines }
    var gaps: Int { tail.gaps }
    var changes: Int { tail.changes }

    mutating func losses() -> [LogLoss] { tail.takeLosses() }

    /// Takes up what changed, and reads nothing.
    mutating func glance() throws { try tail.look(now: now) }

    /// All lines that are there, up to the limit.
    mutating func available() throws -> [String] { try positioned().map(\.line) }

    /// As ``available()``, with the position behind each line.
    mutating func positioned() throws -> [(position: UInt64, line: String)] {
        try glance()
        return try unlooked()
    }

    /// As ``positioned()``, of what the last look knew of: what changed since is not taken up.
    mutating func unlooked() throws -> [(position: UInt64, line: String)] {
        var lines: [(UInt64, String)] = []
        while true {
            let limit = limit
            let progress = try tail.readLines(now: now) { line, position in
                lines.append((position, line.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }))
                return lines.count < limit
            }
            if progress != .more { return lines }
        }
    }

    /// Waits until there is at least one line, at most 5 s, and then takes all.
    mutating func next() throws -> [String] {
        while true {
            var waited = pollfd(fd: tail.descriptor, events: Int16(POLLIN), revents: 0)
            try #require(poll(&waited, 1, 5000) == 1, "nothing happened to the log")
            let lines = try available()
            if !lines.isEmpty { return lines }
        }
    }

    /// One turn of the loop.
    mutating func turn() throws -> (lines: Int, LogTail.Progress) {
        try tail.look(now: now)
        var lines = 0
        let progress = try tail.readLines(now: now) { _, _ in
            lines += 1
            return true
        }
        return (lines, progress)
    }
}
