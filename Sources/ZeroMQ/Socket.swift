// The way between the stages: a ZeroMQ socket, owned by one thread; whole messages in, whole messages out, never blocking.

import CZeroMQ
import Glibc

/// A ZeroMQ socket: made, used and closed (by going out of scope) on one thread, which the compiler sees to.
public struct Socket: ~Copyable {
    /// What a socket does, after zmq_socket(3).
    public enum Kind: Sendable {
        /// PAIR: one other end, inside the process.
        case pair
        /// REQ: a request, then its answer, and so on.
        case request
        /// ROUTER: many peers; the first frame of each message is the peer's routing id.
        case router
        /// DEALER: requests without waiting for answers.
        case dealer
        /// PUB: sends to all subscribers.
        case publisher
        /// XPUB: the same, and receives their subscriptions, as `0x01 prefix` and `0x00 prefix`.
        case extendedPublisher
        /// SUB: receives what it subscribed to.
        case subscriber

        var number: Int32 {
            switch self {
            case .pair: ZMQ_PAIR
            case .request: ZMQ_REQ
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            case .publisher: ZMQ_PUB
            case .extendedPublisher: ZMQ_XPUB
            case .subscriber: ZMQ_SUB
            }
        }
    }

    /// Frames of a message that are kept: the four of a request, a routing id, a delimiter, and room to see that there are too many.
    public static let defaultMaximumFrames = 8

    let handle: UnsafeMutableRawPointer
    /// Keeps the context, and so the I/O threads, until the socket is closed.
    private let context: Context

    /// A socket with IPv6 on (which includes IPv4).
    ///
    /// - Parameter linger: Milliseconds that unsent messages are kept after closing; 0 drops them, -1 keeps them for ever, which can keep
    ///   the process from ending.
    public init(_ kind: Kind, in context: Context, linger: Int32 = 0) throws(ZeroMQError) {
        guard let handle = zmq_socket(context.handle, kind.number) else { throw .last("make a \(kind) socket") }
        let socket = Socket(handle, context)
        try socket.setOption(ZMQ_LINGER, linger, "linger")
        try socket.setOption(ZMQ_IPV6, 1 as Int32, "IPv6")
        self = socket
    }

    /// Takes over a handle, so that it is closed also when an option fails.
    private init(_ handle: UnsafeMutableRawPointer, _ context: Context) {
        self.handle = handle
        self.context = context
    }

    deinit { zmq_close(handle) }

    /// Listens on an endpoint as `tcp://*:5678`; port 0 or `*` takes a free one. Options must be set before.
    ///
    /// - Returns: The endpoint as it is, with the port taken.
    @discardableResult
    public func bind(_ endpoint: String) throws(ZeroMQError) -> String {
        guard zmq_bind(handle, endpoint) == 0 else { throw .last("bind \(endpoint)") }
        var size = 1024
        let bound = withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { text -> String? in
            guard let base = text.baseAddress, zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, base, &size) == 0 else { return nil }
            return String(cString: base)
        }
        guard let bound else { throw .last("ask for the endpoint of \(endpoint)") }
        return withoutMapping(bound)
    }

    /// Stops listening, and returns when the port is free again, which takes the I/O thread a moment.
    ///
    /// Accepted connections are closed too, as soon as this thread polls or uses the socket again; what they had sent before can still be
    /// received.
    ///
    /// - Throws: `ENOENT` for an endpoint that is not bound, `ETIMEDOUT` if the port is not free within a second.
    public func unbind(_ endpoint: String) throws(ZeroMQError) {
        let closing = try ClosingListener(of: self, in: context)
        guard zmq_unbind(handle, endpoint) == 0 else { throw .last("unbind \(endpoint)") }
        guard try closing.wait(for: endpoint, until: .now + .seconds(1)) else {
            throw ZeroMQError(code: ETIMEDOUT, what: "unbind \(endpoint)")
        }
    }

    /// Connects in the background, now and whenever the connection is lost. Options must be set before.
    public func connect(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_connect(handle, endpoint) == 0 else { throw .last("connect to \(endpoint)") }
    }

    /// Ends a connection that ``connect(_:)`` began.
    public func disconnect(_ endpoint: String) throws(ZeroMQError) {
        guard zmq_disconnect(handle, endpoint) == 0 else { throw .last("disconnect from \(endpoint)") }
    }

    /// Sends one message of one or more frames, whole or not at all.
    ///
    /// - Returns: `false` when it would block, because nobody is connected or the high water mark is reached; nothing was sent then.
    ///   ROUTER and PUB never block: they drop what a slow or missing peer cannot take.
    public func send(_ frames: [[UInt8]]) throws(ZeroMQError) -> Bool {
        for (index, frame) in frames.enumerated() {
            let flags = ZMQ_DONTWAIT | (index < frames.count - 1 ? ZMQ_SNDMORE : 0)
            while frame.withUnsafeBytes({ zmq_send(handle, $0.baseAddress, $0.count, flags) }) < 0 {
                let error = ZeroMQError.last("send a message of \(frames.count) frames")
                if error.code == EINTR { continue }
                // A later frame meets EAGAIN only if the peer went away in between; libzmq has then taken back the earlier ones.
                if error.code == EAGAIN { return false }
                throw error
            }
        }
        return true
    }

    /// Receives one whole message if there is one.
    ///
    /// The size of a frame is bounded by ``maximumMessageSize(_:)``, the number of messages waiting by ``receiveHighWater(_:)``.
    ///
    /// - Parameter maximumFrames: Frames kept, 1 or more; what is more is read and dropped, and the delivery says so.
    /// - Returns: `nil` when no message waits.
    public func receive(maximumFrames: Int = Socket.defaultMaximumFrames) throws(ZeroMQError) -> Delivery? {
        var message = zmq_msg_t()
        zmq_msg_init(&message)
        defer { zmq_msg_close(&message) }
        guard try receiveFrame(&message) else { return nil }
        var delivery = Delivery(frames: [])
        delivery.frames.reserveCapacity(min(maximumFrames, Socket.defaultMaximumFrames))
        while true {
            // The first frame of a ROUTER's message comes from the socket itself and knows nothing of the connection.
            if delivery.peerAddress == nil, let address = property("Peer-Address", of: &message) {
                delivery.peerAddress = withoutMapping(address)
                delivery.userID = property("User-Id", of: &message)
            }
            if delivery.frames.count < maximumFrames {
                delivery.frames.append(Array(UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: zmq_msg_size(&message))))
            } else {
                delivery.isTruncated = true
            }
            guard zmq_msg_more(&message) != 0 else { return delivery }
            // A message arrives whole (zmq_msg_recv(3)), so its next frame is there.
            guard try receiveFrame(&message) else { throw ZeroMQError(code: EPROTO, what: "receive the rest of a message") }
        }
    }

    private func receiveFrame(_ message: inout zmq_msg_t) throws(ZeroMQError) -> Bool {
        while zmq_msg_recv(&message, handle, ZMQ_DONTWAIT) < 0 {
            let error = ZeroMQError.last("receive a message")
            if error.code == EINTR { continue }
            if error.code == EAGAIN { return false }
            throw error
        }
        return true
    }
}

@available(*, unavailable)
extension Socket: Sendable {}

/// A property of the connection that a message came by, after zmq_msg_gets(3).
private func property(_ name: String, of message: inout zmq_msg_t) -> String? {
    zmq_msg_gets(&message, name).map { String(cString: $0) }
}
