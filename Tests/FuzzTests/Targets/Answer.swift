// Fuzzing: broadcasts and answers, as a host takes them from a publisher that may be another than it was.

import Wire

@testable import Subscriber

extension FuzzTarget {
    /// Messages in the order in which they arrive: one of one frame is a broadcast, others are answers.
    static let answer = FuzzTarget(name: "answer", longest: 8192) { input in
        let now = ContinuousClock.now
        var intake = BroadcastIntake(origin: now, former: CatchUp.Position(term: Term(id: 6), last: 40))
        try checkQuestion(intake.begin(now: now))
        let refusal: (Address) -> String? = { $0.description.hasPrefix("198.51.") ? "ours" : nil }
        for frames in input.messages {
            let result: BroadcastIntake.Result
            if frames.count == 1, let frame = frames.first {
                guard let broadcast = try? Broadcast(frame: frame.span) else { continue }
                let again = broadcast.frame
                try require((try? Broadcast(frame: again.span)) == broadcast, "the broadcast means something else")
                guard let taken = try? intake.take(frame: frame, now: now, refusal: refusal) else { throw Finding("not taken") }
                result = taken
            } else {
                guard let message = try? Message(frames: frames) else { continue }
                try checkOthers(message)
                guard let answer = try? SyncAnswer(message) else { continue }
                if case .announcements(let events, _) = answer.content {
                    let first = message.header.number("first") ?? 0
                    try require((try? SyncAnswer(answer.message(first: first))) == answer, "EVENTS mean something else")
                    try require(events.first.map { $0.number == first } ?? true, "not numbered from \(first)")
                } else {
                    try require((try? SyncAnswer(answer.message(first: 0))) == answer, "SNAPSHOT means something else")
                }
                result = intake.take(answer, now: now, refusal: refusal)
            }
            try checkQuestion(result)
            for change in result.changes where change.kind != .lifted {
                try require(refusal(change.address) == nil, "\(change.address) is enforced, and refused")
            }
        }
        for address in intake.wanted.addresses { try require(refusal(address) == nil, "\(address) is wanted, and refused") }
        _ = intake.expire(now: now + .seconds(1), limit: 1000)
        // All over again: nothing that came may make the time of the end overflow.
        _ = intake.expire(now: now + .seconds(3_000_000_000), limit: .max)
    }
}

/// What is asked travels.
private func checkQuestion(_ result: BroadcastIntake.Result) throws(Finding) {
    guard let question = result.question else { return }
    try require((try? SyncRequest(question.message)) == question, "SYNC means something else")
}

/// What answers a monitor and an operator.
private func checkOthers(_ message: Message) throws(Finding) {
    if let acknowledgement = try? Acknowledgement(message) {
        try require((try? Acknowledgement(acknowledgement.message)) == acknowledgement, "ACK means something else")
    }
    if let refusal = RequestRefusal(message) {
        try require(RequestRefusal(refusal.message(term: message.header.term)) == refusal, "NAK means something else")
    }
    if let term = try? DaemonState.term(of: message) { try require(Term(term.description) == term, "OK means something else") }
}
