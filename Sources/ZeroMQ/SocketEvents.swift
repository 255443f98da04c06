// The way between the stages: what libzmq tells of a socket's connections, as zmq_socket_monitor(3) sends it.

import CZeroMQ
import Glibc

/// The events of one socket. It replaces any other monitor of the socket, and another one it.
struct SocketEvents: ~Copyable {
    private let events: Socket

    /// - Parameter kinds: `ZMQ_EVENT_…`, joined by `|`.
    init(of socket: borrowing Socket, _ kinds: Int32, in context: Context) throws(ZeroMQError) {
        let events = try Socket(.pair, in: context)
        // The I/O thread would wait for us at a limit. An event has some fifty bytes.
        try events.receiveHighWater(0)
        let endpoint = "inproc://connections-\(UInt(bitPattern: socket.handle))"
        try events.connect(endpoint)
        guard zmq_socket_monitor(socket.handle, endpoint, kinds) == 0 else { throw .last("watch a socket") }
        self.events = events
    }

    func add(to polled: inout PollSet) { polled.add(events) }

    /// The next event and its value, in the order in which they happened; `nil` when there is none.
    func next() throws(ZeroMQError) -> (kind: Int32, value: Int32)? {
        while let message = try events.receive() {
            // 16 bits that name the event and 32 with its value, in this machine's order; then the endpoint.
            guard let event = message.frames.first, event.count == 6 else { continue }
            return event.withUnsafeBytes {
                (Int32($0.loadUnaligned(as: UInt16.self)), $0.loadUnaligned(fromByteOffset: 2, as: Int32.self))
            }
        }
        return nil
    }
}
