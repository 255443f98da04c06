// The way between the stages: which connections of a listening socket stand, since libzmq shows them neither to ZAP nor in messages.

import CZeroMQ
import Glibc

/// Sees the connections of a socket begin and end, by zmq_socket_monitor(3). It replaces any other monitor of the socket, and another one it.
public struct ConnectionWatch: ~Copyable {
    /// A connection, by its descriptor in this process.
    public enum Event: Equatable, Sendable {
        /// Its peer was admitted.
        case admitted(descriptor: Int32)
        /// It ended; its descriptor may mean another one from now on.
        case ended(descriptor: Int32)
    }

    private let events: Socket

    public init(of socket: borrowing Socket, in context: Context) throws(ZeroMQError) {
        let events = try Socket(.pair, in: context)
        // The I/O thread would wait for us at a limit. An event has some fifty bytes.
        try events.receiveHighWater(0)
        let endpoint = "inproc://connections-\(UInt(bitPattern: socket.handle))"
        try events.connect(endpoint)
        guard zmq_socket_monitor(socket.handle, endpoint, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) == 0 else {
            throw .last("watch a socket")
        }
        self.events = events
    }

    /// Makes the loop wake up when there is one.
    public func add(to polled: inout PollSet) { polled.add(events) }

    /// The next event, in the order in which they happened; `nil` when there is none.
    public func next() throws(ZeroMQError) -> Event? {
        while let message = try events.receive() {
            // 16 bits that name the event and 32 with its value, in this machine's order; then the endpoint.
            guard let event = message.frames.first, event.count == 6 else { continue }
            let (kind, descriptor) = event.withUnsafeBytes {
                ($0.loadUnaligned(as: UInt16.self), $0.loadUnaligned(fromByteOffset: 2, as: Int32.self))
            }
            switch Int32(kind) {
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return .admitted(descriptor: descriptor)
            case ZMQ_EVENT_DISCONNECTED: return .ended(descriptor: descriptor)
            default: continue
            }
        }
        return nil
    }
}
