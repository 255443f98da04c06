// The way between the stages: which connections of a listening socket stand, since libzmq shows them neither to ZAP nor in messages.

import CZeroMQ

/// Sees the connections of a socket that listens begin and end. It replaces any other monitor of the socket, and another one it.
///
/// That a peer was admitted is not among it: libzmq says then only that somebody was (ZMQ_EVENT_HANDSHAKE_SUCCEEDED, whose value is 0).
public struct ConnectionWatch: ~Copyable {
    /// A connection, by its descriptor in this process.
    public enum Event: Equatable, Sendable {
        /// It was accepted; nothing is known of its peer yet.
        case accepted(descriptor: Int32)
        /// It ended; its descriptor may mean another one from now on.
        case ended(descriptor: Int32)
    }

    private let events: SocketEvents

    public init(of socket: borrowing Socket, in context: Context) throws(ZeroMQError) {
        events = try SocketEvents(of: socket, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED, in: context)
    }

    /// Makes the loop wake up when there is one.
    public func add(to polled: inout PollSet) { events.add(to: &polled) }

    /// The next event, in the order in which they happened; `nil` when there is none.
    public func next() throws(ZeroMQError) -> Event? {
        while let (kind, descriptor) = try events.next() {
            switch kind {
            case ZMQ_EVENT_ACCEPTED: return .accepted(descriptor: descriptor)
            case ZMQ_EVENT_DISCONNECTED: return .ended(descriptor: descriptor)
            default: continue
            }
        }
        return nil
    }
}
