// Stage 2, report -> admission -> journal -> broadcast: what a turn of the loop takes from the request endpoints, and answers in the end.

import Daemon
import Logging
import Wire
import ZeroMQ

extension PublisherService {
    /// An answer that waits until the journal has what it acknowledges.
    struct Answer {
        /// The routing id and the delimiter that came with the request.
        var envelope: [[UInt8]]
        var message: Message
    }

    /// Whether requests are taken: while a batch is on its way to the disk, as many as one turn may have.
    var takesRequests: Bool {
        !turnstile.isTurnOver && ledger.pending.entries.count < TurnLimits.rows && answers.requests.count < TurnLimits.requests
    }

    /// The same of old clients.
    var takesPlainRequests: Bool { answers.plain.count < TurnLimits.plainRequests }

    /// What comes from hosts and operators, up to the limits of a turn.
    mutating func takeRequests() throws(ZeroMQError) {
        for _ in answers.requests.count..<TurnLimits.requests {
            guard takesRequests, let delivery = try sockets.requests.receive() else { return }
            let frames = delivery.frames
            // Behind the routing id a REQ socket puts an empty frame; anything else can't be answered.
            guard frames.count > 2, frames[1].isEmpty, !delivery.isTruncated else { continue }
            let sender = delivery.userID.flatMap { Hostname($0) }
            let message = answer(to: Array(frames[2...]), from: sender)
            answers.requests.append(Answer(envelope: Array(frames[..<2]), message: message))
        }
    }

    /// What becomes of a request: its answer, once what it changed is on disk.
    private mutating func answer(to frames: [[UInt8]], from sender: Hostname?) -> Message {
        let start = ContinuousClock.now
        if let sender, !turnstile.admits(sender, now: start) {
            return noted(RequestRefusal(.busy, "\(sender) sends requests without waiting for answers").message(term: term))
        }
        let outcome = Reception(hosts: gate.hosts).take(frames, from: sender, ledger: &ledger, term: term, now: clock.now)
        let message = noted(answer(to: outcome))
        if let sender {
            turnstile.count(sender, bytes: frames.reduce(message.body.count) { $0 + $1.count }, took: .now - start)
        }
        return message
    }

    /// Says in the log that a host is slowed down.
    private mutating func noted(_ answer: Message) -> Message {
        if let refusal = RequestRefusal(answer), refusal.code == .busy, let note = busyHosts.heldBackNote(at: .now) {
            logger.warning("\(refusal.reason)\(note)")
        }
        return answer
    }

    private mutating func answer(to outcome: Reception.Outcome) -> Message {
        do throws(JournalError) {
            return try desk.answer(outcome, ledger: ledger, journal: journal, hosts: gate.hosts, now: clock.now)
        } catch {
            if let note = storageTrouble.heldBackNote(at: .now) { logger.error("\(error)\(note)") }
            return RequestRefusal(.storage, "the journal can't be read: \(error.reason)").message(term: term)
        }
    }

    /// The same from old clients.
    mutating func takePlainRequests() throws(ZeroMQError) {
        for _ in answers.plain.count..<TurnLimits.plainRequests {
            guard let delivery = try sockets.plain.receive() else { return }
            guard delivery.frames.count >= 2, delivery.frames[1].isEmpty else { continue }
            let hosts = gate.hosts
            let (frame, refusal) = plainReception.answer(
                Array(delivery.frames[2...]), ledger: &ledger, isAuthorized: { hosts.roles(of: $0) != nil }, now: clock.now)
            if let refusal, let note = plainRefusals.heldBackNote(at: .now) {
                logger.warning("NAK to the old client at \(delivery.peerAddress ?? "-"): \(refusal)\(note)")
            }
            answers.plain.append([delivery.frames[0], [], frame])
        }
    }

    /// Sends what waited for the journal; when that could not be written, what is said instead.
    func send(_ answers: Answers, unless trouble: RequestRefusal? = nil) throws(ZeroMQError) {
        for answer in answers.requests {
            var message = answer.message
            // A list of bans too: it may show what has not happened.
            if let trouble, message.verb != .refused { message = trouble.message(term: term) }
            // A ROUTER drops what a peer that is gone or doesn't read can't take; it asks again.
            _ = try sockets.requests.send(answer.envelope + message.frames)
        }
        for answer in answers.plain {
            try sockets.plain.answer(trouble == nil ? answer : [answer[0], [], PlainReception.refusal])
        }
    }
}
