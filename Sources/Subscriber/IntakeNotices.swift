// Stage 3, reception: what the operator reads of what was received, at a bounded rate.

import Daemon
import Logging
import Wire

/// Says what announcements and answers amounted to.
struct IntakeNotices {
    private let log: Logger
    private var refusals = RateLimit(burst: 20, interval: .seconds(1))
    /// Two publishers that both broadcast differ in each frame.
    private var surprises = RateLimit(burst: 10, interval: .seconds(10))

    init(log: Logger) { self.log = log }

    /// - Parameter position: Where this host is now.
    mutating func report(_ result: BroadcastIntake.Result, at position: CatchUp.Position?, _ now: ContinuousClock.Instant) {
        if let adopted = result.adopted {
            let doubt =
                adopted.isCertain
                ? "" : "; what it lacks stays for \(WantedSet.doubt.components.seconds / 60) minutes, since it is new to this host"
            say("the publisher has \(adopted.count) bans\(doubt)", now)
        }
        if let question = result.question, question.after == nil, !question.wantsAll, result.adopted == nil {
            say("asking for what was announced behind number \(question.last)", now)
        }
        if result.isUpToDate, let position {
            say("up to date, at number \(position.last) of term \(position.term)", now)
        }
        for refused in result.refused {
            guard let note = refusals.heldBackNote(at: now) else { continue }
            let event = refused.announcement
            log.notice("not banned here: \(event.address) of \(event.host), jail \(event.jail): \(refused.rule)\(note)")
        }
    }

    private mutating func say(_ text: String, _ now: ContinuousClock.Instant) {
        if let note = surprises.heldBackNote(at: now) { log.notice("\(text)\(note)") }
    }
}
