// The way between the stages: waiting for a port to be free, since libzmq closes listeners in its I/O thread, later.

import CZeroMQ

/// Sees the listeners of a socket being closed, by zmq_socket_monitor(3).
struct ClosingListener: ~Copyable {
    private let events: Socket
    private let watched: UnsafeMutableRawPointer

    init(of socket: borrowing Socket, in context: Context) throws(ZeroMQError) {
        let events = try Socket(.pair, in: context)
        // A socket has one monitor at a time, so its address is a name for it.
        let endpoint = "inproc://closing-\(UInt(bitPattern: socket.handle))"
        try events.connect(endpoint)
        guard zmq_socket_monitor(socket.handle, endpoint, ZMQ_EVENT_CLOSED) == 0 else { throw .last("watch a socket") }
        watched = socket.handle
        self.events = events
    }

    deinit { zmq_socket_monitor(watched, nil, 0) }

    /// - Returns: Whether the listener of the endpoint is closed; `false` when the deadline came first.
    func wait(for endpoint: String, until deadline: ContinuousClock.Instant) throws(ZeroMQError) -> Bool {
        var polled = PollSet()
        repeat {
            // An event is two frames: its number and value, and the endpoint.
            while let event = try events.receive() {
                if event.frames.count == 2, withoutMapping(String(decoding: event.frames[1], as: UTF8.self)) == withoutMapping(endpoint) {
                    return true
                }
            }
            polled.removeAll()
            polled.add(events)
            try polled.wait(until: deadline)
        } while ContinuousClock.now < deadline
        return false
    }
}
