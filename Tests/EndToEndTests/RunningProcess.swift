// What the kernel tells of a running daemon: proc(5).

import FoundationEssentials
import Glibc
import Testing

/// A process, asked from outside.
struct RunningProcess: Equatable, Sendable {
    let pid: pid_t

    init(_ pid: pid_t) { self.pid = pid }

    /// Whether it runs: neither gone nor a zombie that nobody has waited for yet.
    var isAlive: Bool { stat.first.map { $0 != "Z" } ?? false }

    /// Its command line, with blanks between the words.
    var arguments: String { file("cmdline").split(separator: "\0").joined(separator: " ") }

    /// The processor time that it and its threads have used, in user and system mode.
    var processorTime: Duration {
        // Fields 14 and 15 of the line, in ticks; behind the name in parentheses the first is the third.
        let ticks = stat.dropFirst(11).prefix(2).compactMap { Int64($0) }.reduce(0, +)
        return .microseconds(ticks * 1_000_000 / Int64(sysconf(Int32(_SC_CLK_TCK))))
    }

    /// The memory that it has in RAM, in bytes.
    var residentMemory: Int { kilobytes("VmRSS") * 1024 }

    /// The same without what is of files, such as its program and the journal: what it has allocated, in bytes.
    var anonymousMemory: Int { kilobytes("RssAnon") * 1024 }

    private func kilobytes(_ name: String) -> Int {
        let line = file("status").split(separator: "\n").first { $0.hasPrefix("\(name):") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
    }

    private var stat: [Substring] { file("stat").split(separator: ")").last?.split(separator: " ") ?? [] }

    private func file(_ name: String) -> String { (try? String(contentsOfFile: "/proc/\(pid)/\(name)", encoding: .utf8)) ?? "" }
}
