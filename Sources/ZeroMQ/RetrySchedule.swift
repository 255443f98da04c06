// The way between the stages: when a request is sent, given up and repeated, and to which endpoint; decisions only, no clock and no socket.

/// How long a request waits and pauses.
public struct RetryTiming: Equatable, Sendable {
    /// How long an answer is waited for. Default 2.5 s: a publisher that is up answers within milliseconds, a TCP packet lost twice takes
    /// 1.4 s.
    public var answerTimeout: Duration
    /// The pause after the first failure; it doubles with each round of all endpoints that follows. Default 100 ms.
    public var firstPause: Duration
    /// The longest pause. Default 10 s.
    public var longestPause: Duration
    /// The part of a pause that is random, either way, so that the hosts of a cluster do not come back all at once. Default 0.25, 0 to 1.
    public var jitter: Double

    public init(
        answerTimeout: Duration = .milliseconds(2500), firstPause: Duration = .milliseconds(100), longestPause: Duration = .seconds(10),
        jitter: Double = 0.25
    ) {
        self.answerTimeout = answerTimeout
        self.firstPause = firstPause
        self.longestPause = longestPause
        self.jitter = jitter
    }
}

/// The decisions of a ``RequestClient``: one request under way at a time, repeated until it is answered.
public struct RetrySchedule: Equatable, Sendable {
    public typealias Instant = ContinuousClock.Instant

    public enum Action: Equatable, Sendable {
        case none
        /// Send the request to the endpoint of this index; a connection to another endpoint is closed first.
        case transmit(endpoint: Int)
        /// The answer did not come in time: close the connection, so that it cannot come later and be taken for another one's.
        case disconnect
    }

    private enum State: Equatable {
        case idle
        case waiting(until: Instant)
        case pausing(until: Instant)
    }

    private let timing: RetryTiming
    private let endpoints: Int
    private var state = State.idle
    /// The endpoint tried last or to be tried next, 0 to `endpoints` - 1.
    private var endpoint = 0
    /// How often the last endpoint was followed by the first. Who has several keys tries others in each round.
    public private(set) var rounds = 0
    /// Failures of this request in a row; the pause doubles with each round of all endpoints. One of an endpoint that is asked again is a
    /// round.
    private var failures = 0

    /// - Parameter endpoints: How many there are to choose from, 1 or more.
    public init(_ timing: RetryTiming, endpoints: Int) {
        self.timing = timing
        self.endpoints = max(endpoints, 1)
    }

    /// No request is under way.
    public var isIdle: Bool { state == .idle }

    /// A request was sent and its answer is waited for.
    public var isWaiting: Bool { if case .waiting = state { true } else { false } }

    /// The request failed and is sent again after a pause.
    public var isPausing: Bool { if case .pausing = state { true } else { false } }

    /// When ``advance(to:using:)`` has something to do.
    public var deadline: Instant? {
        switch state {
        case .idle: nil
        case .waiting(let until), .pausing(let until): until
        }
    }

    /// A new request is to be sent, in place of one that may be under way.
    public mutating func begin(now: Instant) -> Action {
        failures = 0
        return transmit(now)
    }

    /// Time has passed: an answer may be overdue, or a pause over.
    public mutating func advance(to now: Instant, using random: inout some RandomNumberGenerator) -> Action {
        switch state {
        case .waiting(let until) where until <= now:
            fail(now, &random)
            return .disconnect
        case .pausing(let until) where until <= now:
            return transmit(now)
        default:
            return .none
        }
    }

    /// The answer came. The request can still be taken up again by ``postpone(now:toNextEndpoint:using:)``.
    public mutating func answered() { state = .idle }

    /// The request could not be sent at all.
    public mutating func failed(now: Instant, using random: inout some RandomNumberGenerator) -> Action {
        fail(now, &random)
        return .disconnect
    }

    /// The answer asks for the same request later (`NAK busy`), or of another publisher (`NAK standby`).
    public mutating func postpone(now: Instant, toNextEndpoint: Bool, using random: inout some RandomNumberGenerator) {
        if toNextEndpoint { turnToNextEndpoint() }
        pause(now, &random, counting: toNextEndpoint ? 1 : endpoints)
    }

    /// The request is not wanted any more.
    public mutating func cancel() -> Action {
        let action: Action = isWaiting ? .disconnect : .none
        state = .idle
        return action
    }

    private mutating func transmit(_ now: Instant) -> Action {
        state = .waiting(until: now + timing.answerTimeout)
        return .transmit(endpoint: endpoint)
    }

    private mutating func fail(_ now: Instant, _ random: inout some RandomNumberGenerator) {
        turnToNextEndpoint()
        pause(now, &random)
    }

    private mutating func turnToNextEndpoint() {
        endpoint = (endpoint + 1) % endpoints
        if endpoint == 0 { rounds += 1 }
    }

    /// - Parameter count: How much of a round of all endpoints it was.
    private mutating func pause(_ now: Instant, _ random: inout some RandomNumberGenerator, counting count: Int = 1) {
        // With several endpoints it grows with each round, not with each of them: the active publisher may be the last that is asked.
        // 2^20 times the first pause is longer than any longest pause, and no overflow.
        let doubled = timing.firstPause * (1 << min(failures / endpoints, 20))
        failures += count
        let factor = timing.jitter > 0 ? 1 + Double.random(in: -timing.jitter...timing.jitter, using: &random) : 1
        state = .pausing(until: now + min(doubled, timing.longestPause) * factor)
    }
}
