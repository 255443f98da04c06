// The way between the stages: a request that is repeated on a new connection until it is answered ("lazy pirate" of the ZeroMQ guide).

/// One request at a time to one of several endpoints, the next one after each failure; with the next keys when all have failed.
///
/// It repeats for ever, so what it sends must be safe to arrive twice. A late answer to an earlier try cannot arrive: its connection is
/// closed.
public struct RequestClient: ~Copyable {
    /// Bounds of the connection; the answer's frames are bounded by ``Socket/defaultMaximumFrames``.
    public struct Limits: Sendable {
        /// Bytes of a frame in an answer. Default 64 KiB and 4 KiB for a frame's encryption and the header.
        public var maximumMessageSize: Int64 = 68 * 1024
        /// Keeps a connection alive through firewalls, and notices a peer that vanished. Default 15 s.
        public var heartbeatInterval: Duration = .seconds(15)
        /// Default 40 s: two pings and a half.
        public var heartbeatTimeout: Duration = .seconds(40)

        public init() {}
    }

    private let context: Context
    private let endpoints: [String]
    private let keys: () -> ClientKeys
    private let limits: Limits
    private var schedule: RetrySchedule
    private var random = SystemRandomNumberGenerator()
    /// `nil` before the first request and while a failed one pauses.
    private var socket: Socket?
    private var connected = 0
    /// The keys of the connection made last.
    private var used: ClientKeys.Choice?
    /// The round in which it was made; in the next one, all endpoints have failed with these keys.
    private var round = 0
    private var request: () -> [[UInt8]] = { [] }

    /// - Parameters:
    ///   - endpoints: One or more, as `tcp://publisher.example:5678`, in the order in which they are tried.
    ///   - keys: Asked anew for each connection, so that keys may be replaced while it runs.
    public init(
        in context: Context, endpoints: [String], timing: RetryTiming = RetryTiming(), limits: Limits = Limits(),
        keys: @escaping () -> ClientKeys
    ) {
        self.context = context
        self.endpoints = endpoints
        self.keys = keys
        self.limits = limits
        schedule = RetrySchedule(timing, endpoints: endpoints.count)
    }

    /// Whether no request is under way.
    public var isIdle: Bool { schedule.isIdle }

    /// Whether the request under way failed, and waits for its next try.
    public var isPausing: Bool { schedule.isPausing }

    /// When ``advance(now:)`` must be called at the latest; `nil` when nothing is under way.
    public var deadline: ContinuousClock.Instant? { schedule.deadline }

    /// Makes the loop wake up when the answer comes.
    public func add(to polled: inout PollSet) {
        guard schedule.isWaiting else { return }
        switch socket {
        case .some(let socket): polled.add(socket)
        case .none: break
        }
    }

    /// Sends a request, in place of one that may be under way.
    ///
    /// - Parameter request: Makes the frames; it is asked anew for each try, so that a request can say when it was sent.
    /// - Throws: What the endpoint's text is not fit for, as `EINVAL`; being unreachable is no error.
    public mutating func send(now: ContinuousClock.Instant, _ request: @escaping () -> [[UInt8]]) throws(ZeroMQError) {
        cancel()
        self.request = request
        let action = schedule.begin(now: now)
        try perform(action, now)
    }

    /// Takes the answer if it is there, and repeats the request if it is time to.
    ///
    /// - Returns: The answer. The request counts as done, unless ``retryLater(now:onNextEndpoint:)`` follows.
    public mutating func advance(now: ContinuousClock.Instant) throws(ZeroMQError) -> Delivery? {
        if schedule.isWaiting, let answer = try socket?.receive() {
            schedule.answered()
            return answer
        }
        let action = schedule.advance(to: now, using: &random)
        try perform(action, now)
        return nil
    }

    /// Sends the request just answered once more after a pause, which doubles each time.
    ///
    /// - Parameter onNextEndpoint: Whether another endpoint must be asked (`NAK standby`).
    public mutating func retryLater(now: ContinuousClock.Instant, onNextEndpoint: Bool = false) {
        schedule.postpone(now: now, toNextEndpoint: onNextEndpoint, using: &random)
    }

    /// Sends another request after such a pause: the answer led to it and brought nothing, so it is not worth asking at once, and again.
    public mutating func sendLater(now: ContinuousClock.Instant, _ request: @escaping () -> [[UInt8]]) {
        self.request = request
        retryLater(now: now)
    }

    /// Takes over keys that were replaced: a connection whose keys are not in use any more is closed, and what waits on it is sent again.
    public mutating func renewKeys(now: ContinuousClock.Instant) throws(ZeroMQError) {
        guard let used, !keys().contains(used) else { return }
        if schedule.isWaiting {
            try send(now: now, request)
        } else {
            socket = nil
        }
    }

    /// Gives up the request under way.
    public mutating func cancel() {
        if schedule.cancel() == .disconnect { socket = nil }
    }

    private mutating func perform(_ action: RetrySchedule.Action, _ now: ContinuousClock.Instant) throws(ZeroMQError) {
        switch action {
        case .none: break
        case .disconnect: socket = nil
        case .transmit(let endpoint): try transmit(endpoint, now)
        }
    }

    private mutating func transmit(_ endpoint: Int, _ now: ContinuousClock.Instant) throws(ZeroMQError) {
        // A connection that was refused takes nothing any more; the second turn has a new one.
        for _ in 0..<2 {
            if socket == nil || connected != endpoint {
                let choice = schedule.rounds == round ? keys().choice(keeping: used) : keys().choice(after: used)
                socket = try connection(to: endpoints[endpoint], choice)
                (connected, used, round) = (endpoint, choice, schedule.rounds)
            }
            if try socket?.send(request()) == true { return }
            socket = nil
        }
        let action = schedule.failed(now: now, using: &random)
        try perform(action, now)
    }

    private func connection(to endpoint: String, _ keys: ClientKeys.Choice) throws(ZeroMQError) -> Socket {
        let socket = try Socket(.request, in: context)
        try socket.maximumMessageSize(limits.maximumMessageSize)
        try socket.curveClient(own: keys.own, server: keys.server)
        try socket.heartbeat(interval: limits.heartbeatInterval, timeout: limits.heartbeatTimeout)
        // While idle the connection is tried less and less often; a request that times out makes a new one, which is tried at once.
        try socket.reconnectInterval(min: .milliseconds(100), max: .seconds(10))
        try socket.connect(endpoint)
        return socket
    }
}
