// Stage 1, event -> report: what is decided and not acknowledged, cut into reports.

import Wire

/// Lines of one report after the other, one report under way at a time. Its owner bounds it.
struct ReportQueue {
    private struct Line {
        var entry: Report.Entry
        var bytes: Int
    }

    private var lines: [Line] = []
    private var underWay: [Line] = []
    /// To measure a line in.
    private var text: [UInt8] = []

    /// How many lines wait for the next report.
    var waiting: Int { lines.count }
    /// How many wait or are under way.
    var count: Int { lines.count + underWay.count }
    /// Whether nothing waits, and nothing is under way.
    var isEmpty: Bool { lines.isEmpty && underWay.isEmpty }
    /// Whether ``next()`` has anything.
    var hasNext: Bool { underWay.isEmpty && !lines.isEmpty }
    /// What a restart must send, in its order.
    var all: [Report.Entry] { (underWay + lines).map(\.entry) }

    mutating func append(_ position: UInt64?, _ event: Event) {
        text.removeAll(keepingCapacity: true)
        event.appendLine(to: &text)
        // The position, its bar and the newline; see ``Wire/Report/longestEntry``.
        lines.append(Line(entry: Report.Entry(position: position, event), bytes: text.count + 21))
    }

    /// The lines of the next report, as many as fit; none while one is under way.
    mutating func next() -> [Report.Entry] {
        guard underWay.isEmpty else { return [] }
        var bytes = 0
        let count = lines.prefix(Reporter.batchLimit).prefix { line in
            bytes += line.bytes
            return bytes <= Message.sizeLimit
        }.count
        underWay = Array(lines[..<count])
        lines.removeFirst(count)
        return underWay.map(\.entry)
    }

    /// The publisher has the report under way.
    /// - Returns: its last position.
    mutating func acknowledge() -> UInt64? {
        defer { underWay = [] }
        return underWay.last { $0.entry.position != nil }?.entry.position
    }
}
