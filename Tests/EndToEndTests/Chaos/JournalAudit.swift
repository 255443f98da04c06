// Fault test: compares the publisher's journal with what fail2ban wrote into its logs and with what was ordered.

import TestSupport
import Testing

/// A row of the journal's table `event`, as far as the audit needs it.
struct JournalLine: Hashable, Sendable {
    var row: Int64
    var number: Int64?
    /// When it was admitted, in milliseconds since the epoch.
    var time: Int64
    var kind: String
    var name: HoldName?
    var action: String
    var cause: String
    /// Decided later than its place in the log, such as a moved end: no event of its own.
    var isMove: Bool

    /// All rows behind `row` of a journal, read by SQLite's own tool while the publisher may run.
    static func read(_ path: String, after row: Int64 = 0) async throws -> [JournalLine] {
        let columns =
            "row, ifnull(number, ''), kind, host, ifnull(jail, ''), ifnull(action, ''), ifnull(address, ''), ifnull(cause, ''), move, admitted"
        let outcome = try await execute(
            [
                "sqlite3", "-readonly", "-cmd", ".timeout 10000", "-separator", "|", path,
                "SELECT \(columns) FROM event WHERE row > \(row) ORDER BY row",
            ], limit: 1 << 28)
        try #require(outcome.status == 0, "\(outcome.error)")
        return outcome.output.split(separator: "\n").compactMap { JournalLine($0.split(separator: "|", omittingEmptySubsequences: false)) }
    }

    init?(_ fields: [Substring]) {
        guard fields.count == 10, let row = Int64(fields[0]), let time = Int64(fields[9]) else { return nil }
        (self.row, self.time) = (row, time)
        number = Int64(fields[1])
        kind = String(fields[2])
        name = Int(fields[3].dropFirst("web".count)).map { HoldName(host: $0, jail: String(fields[4]), address: String(fields[6])) }
        action = String(fields[5])
        cause = String(fields[7])
        isMove = fields[8] == "1"
    }

    /// A ban that a host detected, one for each Ban line of its log.
    var isDetection: Bool { kind == "admitted" && action == "Ban" && cause == "detected" && !isMove }
}

/// How often fail2ban's logs have each Ban and Unban line.
struct LogCounts: Sendable {
    var bans: [HoldName: Int] = [:]
    var unbans: [HoldName: Int] = [:]

    /// Reads all logs of a host, rotated and compressed ones too.
    mutating func read(_ host: ChaosHost) async throws {
        let outcome = try await execute(
            [
                "sh", "-c", #"zcat -f "$0"/fail2ban.log* | grep -oE '\[[a-z0-9-]+\] (Ban|Unban) [0-9a-f.:]+$' | sort | uniq -c"#,
                host.lab.folder,
            ],
            limit: 1 << 28)
        try #require(outcome.status == 0, "\(outcome.error)")
        for line in outcome.output.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 4, let count = Int(words[0]) else { continue }
            let name = HoldName(host: host.number, jail: String(words[1].dropFirst().dropLast()), address: String(words[3]))
            guard ChaosJail(rawValue: name.jail) != nil else { continue }
            if words[2] == "Ban" { bans[name] = count } else { unbans[name] = count }
        }
    }
}

/// What is wrong with a journal, and what is in it.
///
/// - Each Ban line of a log is one row with cause `detected`: no less and no more. Bans with cause `held` may stand beside them.
/// - A hold that an admin lifted doesn't stand after the last row; any other that lasts does.
/// - Holds end by `lifted` as often as an admin lifted them at most; less when they were banned again before the monitor had read
///   the line. An Unban of what isn't held changes nothing and is counted only.
/// - What a restore took away is in the rows that it lacks; such a ban may stand there, in the journal as `held`, or in both.
struct JournalAudit: Sendable {
    private(set) var problems: [String] = []
    private(set) var summary = ""

    init(journal: [JournalLine], lost: [JournalLine], logs: LogCounts, oracle: Oracle) {
        var detected: [HoldName: Int] = [:]
        var detectedAndLost: [HoldName: Int] = [:]
        for line in journal where line.isDetection { if let name = line.name { detected[name, default: 0] += 1 } }
        for line in lost where line.isDetection { if let name = line.name { detectedAndLost[name, default: 0] += 1 } }

        for name in Set(detected.keys).union(logs.bans.keys).union(detectedAndLost.keys) {
            let rows = detected[name, default: 0]
            let lostRows = detectedAndLost[name, default: 0]
            let lines = logs.bans[name, default: 0]
            if rows > lines { problems.append("\(name): \(rows) times detected in the journal, \(lines) Ban lines in the log") }
            if rows + lostRows < lines {
                problems.append("\(name): \(rows) times detected in the journal (and \(lostRows) lost), \(lines) Ban lines in the log")
            }
        }
        for (name, history) in oracle.histories {
            let lines = logs.bans[name, default: 0]
            if lines < history.bans { problems.append("\(name): banned \(history.bans) times, \(lines) Ban lines in the log") }
        }
        checkLifts(journal, lost, oracle)
        checkNumbers(journal)
        let refused = journal.filter { $0.kind == "refused" }
        if let first = refused.first { problems.append("\(refused.count) lines were refused, the first in row \(first.row)") }
        problems.sort()
        summary += "\(journal.count) rows, \(detected.values.reduce(0, +)) detected, "
        summary += "\(journal.count { $0.cause == "held" && $0.kind == "admitted" }) held, \(lost.count) taken away by restores"
    }

    private mutating func checkLifts(_ journal: [JournalLine], _ lost: [JournalLine], _ oracle: Oracle) {
        var standing: Set<HoldName> = []
        var lifted: [HoldName: Int] = [:]
        var idle = 0
        for line in journal where line.kind == "admitted" {
            guard let name = line.name else { continue }
            if line.action == "Ban" {
                standing.insert(name)
            } else if standing.remove(name) != nil {
                if let lacked = oracle.histories[name]?.lacked, line.time >= lacked { continue }
                lifted[name, default: 0] += 1
            } else {
                idle += 1
            }
        }
        for (name, count) in lifted {
            let history = oracle.histories[name] ?? Oracle.History()
            // A lift that a restore took away is made good by another.
            let lostLifts = lost.count { $0.name == name && $0.action == "Unban" && $0.kind == "admitted" }
            if count > history.lifts + history.doubtfulLifts + lostLifts {
                problems.append("\(name): \(count) times lifted in the journal, \(history.lifts) times by an admin")
            }
        }
        let lasting = oracle.lastingHolds
        for name in lasting.subtracting(standing) { problems.append("\(name): is held, and not by the journal") }
        for name in standing.subtracting(lasting) where ChaosJail(rawValue: name.jail)?.isLong ?? true {
            problems.append("\(name): is not held, but by the journal")
        }
        summary += "\(lifted.values.reduce(0, +)) lifted, \(idle) Unbans of what was not held, "
    }

    private mutating func checkNumbers(_ journal: [JournalLine]) {
        var last: Int64 = 0
        for line in journal {
            guard let number = line.number else { continue }
            if number != last + 1 { problems.append("announcement \(number) follows \(last) in row \(line.row)") }
            last = number
        }
    }
}
