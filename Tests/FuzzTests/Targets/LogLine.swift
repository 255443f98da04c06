// Fuzzing: lines of fail2ban.log, from their bytes to the report. Attackers choose parts of them.

import Daemon
import Wire

@testable import Monitor

extension FuzzTarget {
    /// Some lines.
    static let logLine = FuzzTarget(name: "log-line", longest: 4096) { input in
        let host = try Hostname.whenFuzzing
        var intake = LogIntake(reporter: Reporter(host: host, stream: "s"), jails: ReportedJails(MonitorSettings()))
        var position: UInt64 = 0
        for line in input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map({ Array($0) }) {
            if let read = try? LogLineParser.parse(line.span) { try checkLine(read, line) }
            if let told = ServerLine(line.span) { try checkServerLine(told, line) }
            position += UInt64(line.count) + 1
            _ = intake.take(line.span, position: position, arrival: .whenFuzzing)
        }
        let now = ContinuousClock.now
        // fail2ban's database knows nothing of it: each Unban is an admin's, and each ban ends by its jail's ban time.
        while let question = intake.reporter.question(now: now) {
            let jails = Set(question.holds.map(\.jail) + question.jails)
            intake.reporter.take(.testimony(Testimony(rows: [:], jails: jails)), to: question, now: now)
            guard let report = intake.reporter.nextReport(now: .whenFuzzing) else { break }
            try checkReport(report, upTo: position)
            intake.reporter.acknowledge()
        }
    }
}

/// Nothing is reported but what the publisher takes, in the order of the log.
private func checkReport(_ report: Report, upTo position: UInt64) throws(Finding) {
    try require((try? Report(report.message)) == report, "REPORT means something else")
    let positions = report.entries.compactMap(\.position)
    try require(positions == positions.sorted() && positions.last ?? 0 <= position, "positions \(positions)")
    for entry in report.entries {
        guard case .success(let event) = entry.content else { throw Finding("reports what is no event") }
        try checkLine(of: event)
        try require(event.jail != .cluster && event.jail != .legacyCluster, "reports what the cluster bans: \(event.line)")
        guard let seen = event.seen else { throw Finding("seen at no time: \(event.line)") }
        try require(seen <= Timestamp.whenFuzzing.advanced(byMilliseconds: 1000), "seen in the future: \(event.line)")
    }
}

/// A ban stands at the end of its line as fail2ban writes it, and nowhere else.
private func checkLine(_ read: LogLine, _ line: [UInt8]) throws(Finding) {
    let message: (verb: String, target: LogLine.Target)
    switch read.message {
    case .ban(let target): message = ("Ban", target)
    case .unban(let target): message = ("Unban", target)
    case .restore(let target): message = ("Restore Ban", target)
    case .repeal(let target): message = ("Repeal Ban", target)
    case .increase, .reban, .alreadyBanned, .expired, .flush: return
    }
    try require(Address(message.target.id) == message.target.address, "another address than \(message.target.id)")
    try require(line.text.hasSuffix("[\(read.jail)] \(message.verb) \(message.target.id)"), "found where it is not: \(line.text)")
    let longer = line + Array(" x".utf8)
    try require((try? LogLineParser.parse(longer.span)) == nil, "text follows, and it is a ban all the same: \(longer.text)")
    try require(line.count <= LogTail.longestLine, "\(line.count) bytes")
}

private func checkServerLine(_ told: ServerLine, _ line: [UInt8]) throws(Finding) {
    switch told {
    case .stopped(let jail): try require(line.text.hasSuffix("Jail '\(jail)' stopped"), "found where it is not: \(line.text)")
    case .started(let jail): try require(line.text.contains("ail '\(jail)'"), "found where it is not: \(line.text)")
    case .stopping, .starting: break
    }
}
