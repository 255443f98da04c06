// The way between the stages: what a service's one loop waits for, sockets and descriptors together, until a deadline.

import CZeroMQ
import Glibc

/// Sockets and descriptors to wait on, by zmq_poll(3). A loop empties and fills it each turn, so that it never outlives a socket.
public struct PollSet {
    /// What is waited for.
    public struct Readiness: OptionSet, Sendable {
        public let rawValue: Int16
        public init(rawValue: Int16) { self.rawValue = rawValue }

        /// A message, or bytes, can be read; on a descriptor also its end or an error, which a read then tells.
        public static let readable = Readiness(rawValue: Int16(ZMQ_POLLIN))
        /// A message, or bytes, can be written.
        public static let writable = Readiness(rawValue: Int16(ZMQ_POLLOUT))
    }

    private var items: [zmq_pollitem_t] = []

    public init() {}

    public mutating func removeAll() { items.removeAll(keepingCapacity: true) }

    /// - Returns: The index to ask about after ``wait(until:)``.
    @discardableResult
    public mutating func add(_ socket: borrowing Socket, _ interest: Readiness = .readable) -> Int {
        items.append(zmq_pollitem_t(socket: socket.handle, fd: -1, events: interest.rawValue, revents: 0))
        return items.count - 1
    }

    /// - Returns: The index to ask about after ``wait(until:)``.
    @discardableResult
    public mutating func add(descriptor: Int32, _ interest: Readiness = .readable) -> Int {
        items.append(zmq_pollitem_t(socket: nil, fd: descriptor, events: interest.rawValue, revents: 0))
        return items.count - 1
    }

    /// Waits until something is ready, the deadline is reached, or a signal is caught; then what is ready may be nothing.
    ///
    /// - Parameter deadline: `nil` waits for ever; one that has passed only looks.
    public mutating func wait(until deadline: ContinuousClock.Instant?) throws(ZeroMQError) {
        let timeout = deadline.map { Int(ContinuousClock.now.duration(to: $0).wholeMilliseconds) } ?? -1
        let count = Int32(items.count)
        let ready = items.withUnsafeMutableBufferPointer { zmq_poll($0.baseAddress, count, timeout) }
        guard ready < 0 else { return }
        let error = ZeroMQError.last("wait for \(count) sockets and descriptors")
        // zmq_poll leaves what it wrote before the signal, which is not the whole truth.
        for index in items.indices { items[index].revents = 0 }
        guard error.code == EINTR else { throw error }
    }

    public func isReadable(_ index: Int) -> Bool { items[index].revents & Int16(ZMQ_POLLIN | ZMQ_POLLERR) != 0 }

    public func isWritable(_ index: Int) -> Bool { items[index].revents & Int16(ZMQ_POLLOUT | ZMQ_POLLERR) != 0 }
}

@available(*, unavailable)
extension PollSet: Sendable {}
