// The harness: a program of the project as a process of its own, and what the kernel knows of it.

import Foundation
import Synchronization

/// One daemon in the foreground, as systemd runs it. What it logs is read all the time and can be waited for.
final class Daemon: Sendable {
    let name: String
    let pid: Int32
    /// The line that said it is there.
    let readiness: String
    private let process: Mutex<Process>
    private let log: LogLines

    /// Starts it and waits for the line that says it is there.
    init(_ executable: String, _ arguments: [String], ready: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardError = pipe
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        name = URL(fileURLWithPath: executable).lastPathComponent
        pid = process.processIdentifier
        self.process = Mutex(process)
        log = LogLines(pipe.fileHandleForReading)
        readiness = try Daemon.wait(for: ready, in: log, name, .seconds(300))
    }

    deinit { stop() }

    /// Waits for a line that has this text, from where the last wait ended.
    @discardableResult
    func wait(for text: String, within limit: Duration = .seconds(300)) throws -> String {
        try Daemon.wait(for: text, in: log, name, limit)
    }

    private static func wait(for text: String, in log: LogLines, _ name: String, _ limit: Duration) throws -> String {
        guard let line = log.next(with: text, until: .now + limit) else {
            throw BenchError("\(name) never said '\(text)'; its last words: \(log.last)")
        }
        return line
    }

    func stop() {
        process.withLock { process in
            guard process.isRunning else { return }
            process.terminate()
            process.waitUntilExit()
        }
    }

    /// Bytes of memory of its own (RssAnon of proc_pid_status(5)).
    var memory: Double {
        get throws {
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
                let kibibytes = Double(line.filter(\.isNumber))
            else { throw BenchError("\(name) has no RssAnon") }
            return kibibytes * 1024
        }
    }

    /// Time on a processor of all its threads so far (schedstat, in nanoseconds).
    var processorTime: Duration {
        get throws {
            var sum: Int64 = 0
            for task in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task") {
                let text = try String(contentsOfFile: "/proc/\(pid)/task/\(task)/schedstat", encoding: .utf8)
                sum += text.split(separator: " ").first.flatMap { Int64($0) } ?? 0
            }
            return .nanoseconds(sum)
        }
    }
}

/// The lines of a daemon's log, read by a thread of their own.
private final class LogLines: Sendable {
    private struct State {
        var lines: [String] = []
        var last = ""
    }

    private let state = Mutex(State())
    private let came = DispatchSemaphore(value: 0)

    init(_ handle: FileHandle) {
        let descriptor = handle.fileDescriptor
        Thread.detachNewThread { [self] in
            withExtendedLifetime(handle) {
                guard let stream = fdopen(dup(descriptor), "r") else { return }
                defer { fclose(stream) }
                var text: UnsafeMutablePointer<CChar>?
                var size = 0
                defer { free(text) }
                while getline(&text, &size, stream) > 0, let text { take(String(cString: text)) }
            }
        }
    }

    var last: String { state.withLock { $0.last } }

    /// Only what is waited for is kept: an enforcer that says what it does would fill the memory.
    private func take(_ line: String) {
        let isOfUse = !line.contains("would ban")
        state.withLock {
            $0.last = line
            if isOfUse { $0.lines.append(line) }
        }
        if isOfUse { came.signal() }
    }

    func next(with text: String, until deadline: ContinuousClock.Instant) -> String? {
        while true {
            let found = state.withLock { state -> String? in
                guard let index = state.lines.firstIndex(where: { $0.contains(text) }) else { return nil }
                defer { state.lines.removeFirst(index + 1) }
                return state.lines[index]
            }
            if let found { return found }
            let rest = ContinuousClock.now.duration(to: deadline)
            guard rest > .zero, came.wait(timeout: .now() + rest.seconds) == .success else { return nil }
        }
    }
}
