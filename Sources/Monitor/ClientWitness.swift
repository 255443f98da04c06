// Stage 1, event -> report: asks a running fail2ban where there is no database, beside the loop.

import Daemon
import ZeroMQ

/// Carries an inquiry to `fail2ban-client -i`, a child that lives as long as the inquiry: between them it would only take memory.
struct ClientWitness: ~Copyable {
    /// How long an answer is waited for: fail2ban finishes everybody else's commands first.
    static let answerTimeout = Duration.seconds(30)

    private let program: [String]
    private var channel: ClientChannel?
    private var inquiry: ClientInquiry?
    private var due = ContinuousClock.Instant.now

    /// - Parameter program: fail2ban-client and its arguments.
    init(program: [String]) { self.program = program }

    /// What is being asked for; `nil` between inquiries.
    var purpose: ClientInquiry.Purpose? { inquiry?.purpose }

    func add(to polled: inout PollSet) {
        switch channel {
        case .some(let channel): polled.add(descriptor: channel.descriptor)
        case .none: break
        }
    }

    var deadline: ContinuousClock.Instant? { inquiry == nil ? nil : due }

    /// Begins an inquiry, in place of one that may be under way.
    mutating func begin(_ purpose: ClientInquiry.Purpose, now: ContinuousClock.Instant) throws(SystemError) {
        var inquiry = ClientInquiry(purpose)
        channel = try ClientChannel(program)
        channel?.send(inquiry.begin())
        self.inquiry = inquiry
        due = now + ClientWitness.answerTimeout
    }

    /// Takes what fail2ban-client printed.
    ///
    /// - Returns: the result of the inquiry when it is over.
    mutating func advance(now: ContinuousClock.Instant) -> Result<ClientInquiry.Findings, ClientFailure>? {
        guard inquiry != nil else { return nil }
        switch channel?.receive() {
        case .nothing, nil: return now < due ? nil : end(.failure(.silent))
        case .ended(let words): return end(.failure(.ended(words)))
        case .answer(let text):
            switch inquiry?.take(text) {
            case .ask(let line):
                channel?.send(line)
                due = now + ClientWitness.answerTimeout
                return nil
            case .done(let findings): return end(.success(findings))
            case .failed(let failure): return end(.failure(failure))
            case nil: return nil
            }
        }
    }

    private mutating func end(
        _ result: Result<ClientInquiry.Findings, ClientFailure>
    ) -> Result<ClientInquiry.Findings, ClientFailure> {
        channel = nil
        inquiry = nil
        return result
    }
}
