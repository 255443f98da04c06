// Stage 1: what the monitor tells the publisher of itself every 30 s.

import Daemon
import Wire

/// The JSON of the monitor's `STATE`. Members may be added; readers ignore what they don't know.
struct MonitorState {
    /// Characters of what is said of the log.
    static let longestProblem = 400

    var stream: String
    /// Up to which the publisher has the log.
    var position: UInt64
    /// How often lines of the log were lost.
    var gaps: Int
    /// Unbans that are not proven yet.
    var undecided: Int
    /// Lines that were read and that the publisher has not acknowledged.
    var waiting: Int
    /// fail2ban's log, and why it can't be read, where it can't.
    var log: (path: String, problem: String?)
    /// Why the database said nothing when it was last asked.
    var problem: WitnessProblem?
    /// The last complete list that the publisher has.
    var last: (madeAt: Timestamp, count: Int)?

    var json: [UInt8] {
        var json = JSONText()
        json.set("version", packageVersion)
        json.set("stream", stream)
        json.set("position", position)
        json.set("gaps", gaps)
        json.set("undecided", undecided)
        json.set("waiting", waiting)
        json.set("log", log.path)
        json.set("logProblem", log.problem.map { String($0.prefix(MonitorState.longestProblem)) })
        json.set("database", problem?.word ?? "ok")
        json.set(
            "holds",
            last.map { last in
                var holds = JSONText()
                holds.set("at", last.madeAt.milliseconds)
                holds.set("count", last.count)
                return holds
            })
        return json.bytes
    }
}

extension WitnessProblem {
    /// One word for it.
    var word: String {
        switch self {
        case .none: "none"
        case .missing: "missing"
        case .locked: "locked"
        case .tooOld: "old"
        case .unreadable: "unreadable"
        }
    }
}
