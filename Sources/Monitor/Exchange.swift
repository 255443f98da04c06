// Stage 1, event -> report: decides what the publisher is asked next, and what its answer means for that. No I/O, no clock.

import Wire

/// One request at a time: reports, pages of a list and the state share the monitor's one connection.
///
/// Reports and pages take turns when both wait, so that neither holds up the other by more than one request. The state is sent when
/// nothing else waits; after a whole interval without it, it takes its turn too.
public struct Exchange: Sendable {
    public typealias Instant = ContinuousClock.Instant

    public enum Request: Hashable, Sendable {
        case report
        case page
        case state
    }

    /// What an answer means.
    public enum Meaning: Equatable, Sendable {
        /// The publisher has the report on its disk.
        case reported(Acknowledgement)
        /// It has the page; what it refused of it is in the acknowledgement.
        case pageTaken(Acknowledgement)
        /// It will not take this list; another one, later, may be.
        case listRefused(RequestRefusal)
        /// It knows how this monitor is doing.
        case stateTaken
        /// It does not take states, which is no harm.
        case stateRefused(RequestRefusal)
        /// The same request again, after a pause.
        case again(RequestRefusal)
        /// No answer to this request. A report or a page is sent again after a pause; a state is not worth it.
        case nonsense(MessageError)
    }

    private var last = Request.page
    private var stateDue: Instant

    /// The first state is sent at once: its answer tells the publisher's term.
    public init(now: Instant) { stateDue = now }

    /// What to send when nothing is under way; `nil` when there is nothing.
    public mutating func next(hasReport: Bool, hasPage: Bool, now: Instant) -> Request? {
        let request: Request
        let isOverdue = stateDue + DaemonState.interval <= now
        if stateDue <= now, isOverdue || !(hasReport || hasPage) {
            stateDue = now + DaemonState.interval
            return .state
        } else if hasReport, !hasPage || last == .page {
            request = .report
        } else if hasPage {
            request = .page
        } else {
            return nil
        }
        last = request
        return request
    }

    /// When the state is due.
    public var deadline: Instant { stateDue }

    /// Takes the answer to what was sent last.
    /// - Returns: its meaning, and the publisher's term where it tells it.
    public static func meaning(of frames: [[UInt8]], to request: Request) -> (Meaning, Term?) {
        do throws(MessageError) {
            let message = try Message(frames: frames)
            let term = message.header.term
            if let refusal = RequestRefusal(message) { return (meaning(of: refusal, to: request), term) }
            switch request {
            case .report: return (.reported(try Acknowledgement(message)), term)
            case .page: return (.pageTaken(try Acknowledgement(message)), term)
            case .state: return (.stateTaken, try DaemonState.term(of: message))
            }
        } catch {
            return (.nonsense(error), nil)
        }
    }

    private static func meaning(of refusal: RequestRefusal, to request: Request) -> Meaning {
        switch (request, refusal.code) {
        case (_, .standby): .again(refusal)
        case (.state, _): .stateRefused(refusal)
        // What this publisher does not know (an older version) or does not take.
        case (.page, .malformed), (.page, .toolarge), (.page, .verb): .listRefused(refusal)
        default: .again(refusal)
        }
    }
}
