// The way between the stages: how far a connection gets, so that an operator learns why a server gives no answer.

import CZeroMQ

/// A connection that is made for nothing but to see what comes of it.
public struct ConnectionTrial: ~Copyable {
    /// How far it got.
    public enum Outcome: Equatable, Sendable {
        /// The server has its key, and admits ours.
        case admitted
        /// Something accepts connections that is not the server: it has another key, or speaks otherwise.
        case otherServer
        /// Nothing listens there, or the name is unknown.
        case notListening
    }

    private let socket: Socket
    private let events: SocketEvents
    /// Whether something accepted the connection. A server that does not admit our key says nothing (see ``Authenticator/Verdict/refuse``),
    /// and lets go of the connection only when the time for a handshake is over.
    public private(set) var isConnected = false

    private static let kinds =
        ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
        | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL

    /// Begins to connect, with CURVE.
    ///
    /// - Parameter kind: what connects: a server drops what it has no use for, as if it had another key.
    /// - Throws: What the endpoint's text is not fit for, as `EINVAL`.
    public init(
        of endpoint: String, as kind: Socket.Kind = .dealer, _ keys: ClientKeys.Choice, in context: Context
    ) throws(ZeroMQError) {
        let socket = try Socket(kind, in: context)
        try socket.curveClient(own: keys.own, server: keys.server)
        let events = try SocketEvents(of: socket, ConnectionTrial.kinds, in: context)
        try socket.connect(endpoint)
        self.socket = socket
        self.events = events
    }

    /// Makes the loop wake up when ``outcome()`` may have something.
    public func add(to polled: inout PollSet) { events.add(to: &polled) }

    /// What came of it; `nil` while nothing has come back.
    public mutating func outcome() throws(ZeroMQError) -> Outcome? {
        while let (kind, _) = try events.next() {
            switch kind {
            case ZMQ_EVENT_CONNECTED: isConnected = true
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return .admitted
            // A server that can't open what we sealed for its key says nothing, and hangs up.
            default: return isConnected ? .otherServer : .notListening
            }
        }
        return nil
    }
}
