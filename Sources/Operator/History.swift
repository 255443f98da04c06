// The operator's command: what happened, as the publisher's journal has it, and the sentence that says each of it.

import Daemon
import Foundation
import Wire

/// One row of the history.
struct HistoryEvent: Codable, Equatable {
    /// The journal's row.
    var row: Int64
    /// The number of the announcement that it caused; `nil` when it changed nothing for the cluster.
    var number: UInt64?
    /// `admitted`, `refused` or `announced` (by the publisher itself).
    var kind: String
    /// When the publisher took it in; milliseconds since the epoch, as all times.
    var at: Int64
    /// When the host's log told of it.
    var seen: Int64?
    var host: String
    var jail: String?
    /// `Ban` or `Unban`.
    var action: String?
    var address: String?
    var end: Int64?
    var permanent: Bool?
    var cause: String?
    /// Whether it came from a client of fail2ban-zmq-tools.
    var plain: Bool?
    /// Why it was refused.
    var refusal: String?
    /// Whether it was decided later than its place in the log: the end of a ban was moved, or an Unban proven.
    var move: Bool?
}

/// The answer to `QUERY what=history`, newest first.
struct HistoryPage: Decodable {
    var events: [HistoryEvent]
    /// Before which row it goes on; `nil` at the end.
    var next: Int64?
    /// The publisher's clock.
    var now: Int64
    /// The journal's last row.
    var row: Int64
}

extension Conversation {
    /// The newest events that match, the oldest of them first.
    ///
    /// - Parameters:
    ///   - question: the filter's fields.
    ///   - limit: the most events.
    mutating func history(_ question: Header, limit: Int) throws -> [HistoryEvent] {
        var question = question
        question["what"] = "history"
        var events: [HistoryEvent] = []
        // A publisher that is asked much answers with an empty page, to be asked for the same again.
        var before: Int64?
        var progress = Progress()
        repeat {
            question["limit"] = String(limit - events.count)
            let page = try query(question, as: HistoryPage.self)
            if let next = page.next, let before, next > before { throw ServiceError("the publisher's history does not come to an end") }
            before = page.next
            events += page.events
            question["before"] = page.next.map { String($0) }
            progress.tell("\(page.row &- (page.next ?? 0)) of \(page.row) rows of the journal searched")
            if page.next == nil { break }
        } while events.count < limit
        progress.end()
        return events.reversed()
    }
}

extension HistoryEvent {
    /// `web1/sshd`.
    private var origin: String { jail.map { "\(host)/\($0)" } ?? host }

    /// `banned 203.0.113.9 until 2026-11-21T09:00:00Z`: what happened, without when.
    var sentence: String {
        let subject = address ?? "a line"
        if kind == "refused" {
            let what = action.map { "\($0) of \(subject)" } ?? subject
            return "\(origin): \(what) refused: \(refusal ?? "-")"
        }
        let effect = number.map { " (announcement \($0))" } ?? ""
        let same = "; nothing changed for the cluster"
        switch (action, cause) {
        case ("Ban", "operator"): return "operator on \(host): banned \(subject) \(until)\(effect)"
        case ("Unban", "operator"):
            let allowed = end == nil && permanent != true ? "" : ", and allowed it \(until)"
            return "operator on \(host): lifted every ban of \(subject)\(allowed)\(effect)"
        case ("Ban", "held") where kind == "announced": return "\(subject) stays banned \(until), held by \(origin)\(effect)"
        case ("Ban", _):
            let how = move == true ? "moved the end of its ban of \(subject):" : cause == "held" ? "holds \(subject)" : "banned \(subject)"
            return "\(origin)\(plain == true ? " (old client)" : ""): \(how) \(until)\(effect)\(number == nil ? same : "")"
        case (_, "expired"): return "\(subject) is not banned any more: its time came\(effect)"
        case (_, "lifted"):
            return "\(origin): lifted its ban of \(subject)\(effect)\(number == nil ? same : "")"
        default: return "\(subject) is not banned any more, by the publisher's quorum\(effect)"
        }
    }

    private var until: String {
        if permanent == true { return "for ever" }
        return end.map { "until \(Timestamp(milliseconds: $0).utcText)" } ?? "for an unknown time"
    }

    /// Time and sentence.
    var line: String { LogText.escaped("\(Timestamp(milliseconds: at).utcText)  \(sentence)") + "\n" }
}
