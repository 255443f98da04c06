// Stage 2, report -> admission -> journal -> broadcast: the same for clients of fail2ban-zmq-tools, who know one frame each way.

import Daemon
import Wire

/// Takes what old clients send into the ledger. A value without socket or clock.
///
/// The answer to a good frame is the frame without its token, to any other `NAK`; why goes into the log.
struct PlainReception {
    /// The tokens of which one must come with each frame; empty when none is asked for.
    var tokens: [String]
    /// Whether an Unban changes a hold. Old clients send one for every ban when their fail2ban restarts.
    var unbansCount: Bool

    /// The answer to all that is refused.
    static let refusal = Array("NAK".utf8)

    /// Takes what an old client sent.
    ///
    /// - Parameter isAuthorized: whether a host has a key; an old client may not speak in its name.
    /// - Returns: the answer, and why it is a refusal.
    func answer(
        _ frames: [[UInt8]], ledger: inout Ledger, isAuthorized: (Hostname) -> Bool, now: Timestamp
    ) -> (frame: [UInt8], refusal: String?) {
        guard frames.count == 1, let frame = frames.first else { return (PlainReception.refusal, "\(frames.count) frames, not one") }
        let request: PlainRequest
        do throws(PlainRequest.Failure) {
            request = try PlainRequest(frame: frame.span)
        } catch {
            return (PlainReception.refusal, error.rawValue)
        }
        guard isToken(request.token) else {
            return (PlainReception.refusal, tokens.isEmpty ? "a token where none is asked for" : "wrong token")
        }
        guard !isAuthorized(request.event.host) else { return (PlainReception.refusal, "\(request.event.host) has a key") }
        let counts = request.event.action == .ban || unbansCount
        if let refusal = ledger.take(plain: request.event, counts: counts, now: now) { return (PlainReception.refusal, refusal.reason) }
        return (request.echo, nil)
    }

    /// Compares with every token over its whole length, so that the time it takes says nothing about any of them.
    private func isToken(_ given: String?) -> Bool {
        guard !tokens.isEmpty else { return given == nil }
        let given = Array((given ?? "").utf8)
        var matches = false
        for token in tokens {
            let token = Array(token.utf8)
            var difference = UInt(bitPattern: token.count ^ given.count)
            for i in token.indices { difference |= UInt(token[i] ^ (given.isEmpty ? 0 : given[i % given.count])) }
            if difference == 0 { matches = true }
        }
        return matches
    }
}
