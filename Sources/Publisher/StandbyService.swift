// Stage 2, report -> admission -> journal -> broadcast: the loop of a publisher that stands by: it answers every request with NAK standby.

import Daemon
import Logging
import Wire
import ZeroMQ

/// A publisher that waits to be promoted. It admits the cluster's keys to its endpoint for requests and sends them on to the next
/// publisher; it opens no journal, so a backup can be put in its place meanwhile, begins no term, and takes in nothing.
///
/// The endpoint for broadcasts is not bound: nothing that a subscriber could take for a publisher's word can come from here. Subscribers,
/// which connect to all publishers, try it again every two seconds at most, and have it two seconds after the promotion.
struct StandbyService: ~Copyable {
    /// How it ended.
    enum Ending {
        /// It was told to end.
        case terminated
        /// It is to be the active publisher from now on, with this configuration.
        case promoted(Configuration)
    }

    private let logger: Logger
    private var gate: Gate
    private var authenticator: Authenticator
    private let context: Context
    private let keys: KeyDirectory
    private var key: SecretKey
    private var requests: Socket
    /// Its connections. Made before it is bound, so that none is missed.
    private var connections: ConnectionWatch
    /// Where it listens.
    private let endpoint: String
    private var polled = PollSet()

    /// Binds the endpoint for requests.
    init(settings: PublisherSettings, general: GeneralSettings, logger: Logger) throws {
        let keys = KeyDirectory(general.keyDirectory)
        let gate = try Gate(keys: keys, plainAllow: [], logger: logger)
        let key = try keys.publisherSecretKey()
        // As in the publisher: the authenticator is there before any endpoint.
        let context = try Context()
        let authenticator = try Authenticator(in: context)
        let requests = try PublisherSockets.requestSocket(in: context, key: key)
        let connections = try ConnectionWatch(of: requests, in: context)
        let endpoint = try requests.bind(settings.replyBind.description)
        self.context = context
        self.keys = keys
        self.key = key
        self.endpoint = endpoint
        self.gate = gate
        self.authenticator = authenticator
        self.requests = requests
        self.connections = connections
        self.logger = logger
        logger.notice("standing by at \(endpoint); 'fail2ban-publisher promote' makes it the active publisher")
    }

    /// Runs until it is told to end, or a reload finds that it need not stand by any more.
    mutating func run(_ lifecycle: Lifecycle) throws -> Ending {
        lifecycle.ready()
        while true {
            polled.removeAll()
            authenticator.add(to: &polled)
            polled.add(requests)
            connections.add(to: &polled)
            let signal = polled.add(descriptor: lifecycle.signals.descriptor)
            try polled.wait(until: nil)
            try admitConnections()
            try answerRequests()
            guard polled.isReadable(signal) else { continue }
            while let signal = lifecycle.signals.next() {
                switch signal {
                case .terminate:
                    logger.notice("stopping; it stood by")
                    return .terminated
                case .reload:
                    if let configuration = try reload(lifecycle) { return .promoted(configuration) }
                }
            }
        }
    }

    /// - Returns: The configuration with which it is to be active now; `nil` when it goes on standing by.
    private mutating func reload(_ lifecycle: Lifecycle) throws(ZeroMQError) -> Configuration? {
        var next: Configuration?
        var newKey: SecretKey?
        lifecycle.reload { configuration in
            let read = try keys.publisherSecretKey()
            gate.reload(now: .now)
            newKey = read
            if !StandbyMarker.mustStandBy(configuration) { next = configuration }
        }
        if next == nil, let newKey, newKey.z85 != key.z85 {
            logger.notice("this publisher has another key from now on")
            key = newKey
            try requests.unbind(endpoint)
            requests = try PublisherSockets.requestSocket(in: context, key: key)
            connections = try ConnectionWatch(of: requests, in: context)
            gate.forgetConnections()
            _ = try requests.bind(endpoint)
        }
        return next
    }

    private mutating func admitConnections() throws(ZeroMQError) {
        // A copy, since the authenticator and the gate are both this value's.
        var gate = gate
        defer { self.gate = gate }
        while let event = try connections.next() { gate.note(event, domain: PublisherSockets.Domain.requests) }
        gate.settleConnections()
        try authenticator.answerWaiting { gate.verdict($0) }
        // Only who is active protects those that connect.
        _ = gate.takeConnected()
    }

    private func answerRequests() throws(ZeroMQError) {
        for _ in 0..<TurnLimits.requests {
            guard let delivery = try requests.receive() else { return }
            let frames = delivery.frames
            guard frames.count > 2, frames[1].isEmpty else { continue }
            let refusal = RequestRefusal(.standby, "this publisher stands by: ask the next one")
            _ = try requests.send(Array(frames[..<2]) + refusal.message(term: nil).frames)
        }
    }
}
