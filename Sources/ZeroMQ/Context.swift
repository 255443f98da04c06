// The way between the stages: libzmq's context, the I/O threads that all sockets of a process share.

import CZeroMQ
import Glibc

/// A libzmq context. Each socket keeps it alive; it ends after the last of them is closed.
///
/// It must be made after the process has become a daemon, since threads do not survive fork(2).
public final class Context: @unchecked Sendable {
    // Unchecked because of the pointer alone: "a 0MQ context is thread safe and may be shared" (zmq_ctx_new(3)).
    let handle: UnsafeMutableRawPointer

    /// - Parameter ioThreads: Threads that carry bytes and encrypt, 1 or more. One carries about a gigabit a second (zmq_ctx_set(3)).
    public init(ioThreads: Int32 = 1) throws(ZeroMQError) {
        guard let handle = zmq_ctx_new() else { throw .last("make a ZeroMQ context") }
        guard zmq_ctx_set(handle, ZMQ_IO_THREADS, ioThreads) == 0 else {
            let error = ZeroMQError.last("set \(ioThreads) I/O threads")
            zmq_ctx_term(handle)
            throw error
        }
        self.handle = handle
    }

    /// Waits until the messages of closed sockets are sent or their linger time is over; sockets linger 0 ms unless told otherwise.
    deinit {
        while zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
    }
}
