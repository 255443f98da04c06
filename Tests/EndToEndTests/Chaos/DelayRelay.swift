// Fault test: stands between a host and the publisher and can hold back what they send one another, in place of a slow network.

import Glibc
import Synchronization
import TestSupport

/// Accepts connections in a host's network and carries their bytes to the publisher and back, each after ``delay``.
///
/// One thread of its own, which enters the host's network namespace (setns(2)) and so opens all its sockets there.
final class DelayRelay: Sendable {
    /// Bytes on their way in one direction of a connection, at most; then it reads no more.
    private static let mostBytes = 1 << 20

    private let namespace: String
    private let upstream: String
    private let ports: [UInt16]
    private let delayMilliseconds = Atomic<Int>(0)
    private let ended = Atomic<Bool>(false)
    private let thread = Mutex<pthread_t?>(nil)

    /// Milliseconds, for what is read from now on.
    var delay: Int {
        get { delayMilliseconds.load(ordering: .relaxed) }
        set { delayMilliseconds.store(newValue, ordering: .relaxed) }
    }

    /// - Parameters:
    ///   - namespace: the file that names the network namespace, in which it listens on 127.0.0.1.
    ///   - upstream: the publisher's IPv4 address.
    ///   - ports: the same at both.
    init(namespace: String, upstream: String, ports: [UInt16]) {
        self.namespace = namespace
        self.upstream = upstream
        self.ports = ports
    }

    func start() {
        var id = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(
            &id, nil,
            { context in
                if let context { Unmanaged<DelayRelay>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context)
        if code == 0 { thread.withLock { $0 = id } }
    }

    /// Ends the thread and all connections.
    func stop() {
        ended.store(true, ordering: .relaxed)
        if let id = thread.withLock({ $0.take() }) { pthread_join(id, nil) }
    }

    // MARK: The thread

    /// One direction of a connection.
    private struct Direction {
        let from: Int32
        let to: Int32
        var chunks: [(due: Int64, bytes: [UInt8])] = []
        var size = 0
        var isEnded = false
    }

    private func run() {
        guard enterNetwork(namespace) else { return }
        let listeners = ports.compactMap { port in listener(port).map { (port, $0) } }
        var directions: [Direction] = []
        while !ended.load(ordering: .relaxed) {
            var polled = listeners.map { pollfd(fd: $0.1, events: Int16(POLLIN), revents: 0) }
            for direction in directions {
                let reads = !direction.isEnded && direction.size < DelayRelay.mostBytes
                polled.append(pollfd(fd: reads ? direction.from : -1, events: Int16(POLLIN), revents: 0))
            }
            let nextDue = directions.compactMap { $0.chunks.first?.due }.min()
            // 50 ms, so that `stop` is noticed, and a full socket tried again.
            let wait = min(50, max(1, (nextDue ?? .max) &- DelayRelay.now()))
            poll(&polled, nfds_t(polled.count), Int32(nextDue == nil ? 50 : wait))
            for index in directions.indices {
                if polled[listeners.count + index].revents != 0 { read(&directions[index]) }
                write(&directions[index])
            }
            close(endedOf: &directions)
            for (index, (port, listener)) in listeners.enumerated() where polled[index].revents != 0 {
                directions += accept(listener, port)
            }
        }
        for direction in directions { Glibc.close(direction.from) }
        for (_, listener) in listeners { Glibc.close(listener) }
    }

    private func read(_ direction: inout Direction) {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(direction.from, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            direction.chunks.append((DelayRelay.now() + Int64(delay), Array(bytes[..<count])))
            direction.size += count
        } else if count == 0 || errno != EAGAIN {
            direction.isEnded = true
        }
    }

    private func write(_ direction: inout Direction) {
        while let chunk = direction.chunks.first, chunk.due <= DelayRelay.now() {
            let count = send(direction.to, chunk.bytes, chunk.bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            guard count > 0 else {
                if errno != EAGAIN { direction.isEnded = true; direction.chunks = [] }
                return
            }
            direction.size -= count
            if count == chunk.bytes.count { direction.chunks.removeFirst() } else { direction.chunks[0].bytes.removeFirst(count) }
        }
    }

    /// A connection ends with either of its directions, when that one's bytes are through.
    private func close(endedOf directions: inout [Direction]) {
        let ended = Set(directions.filter { $0.isEnded && $0.chunks.isEmpty }.flatMap { [$0.from, $0.to] })
        directions.removeAll { ended.contains($0.from) }
        for descriptor in ended { Glibc.close(descriptor) }
    }

    private func accept(_ listener: Int32, _ port: UInt16) -> [Direction] {
        let client = Glibc.accept(listener, nil, nil)
        guard client >= 0 else { return [] }
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var one: Int32 = 1
        for descriptor in [client, server] {
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        }
        // Not blocking: what is sent before it is connected waits (EAGAIN), and a refusal shows when it is read.
        let connected = DelayRelay.withAddress(upstream, port) { connect(server, $0, $1) }
        guard server >= 0, connected == 0 || errno == EINPROGRESS else {
            Glibc.close(client)
            if server >= 0 { Glibc.close(server) }
            return []
        }
        return [Direction(from: client, to: server), Direction(from: server, to: client)]
    }

    private func listener(_ port: UInt16) -> Int32? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        let bound = DelayRelay.withAddress("127.0.0.1", port) { bind(descriptor, $0, $1) }
        guard bound == 0, listen(descriptor, 16) == 0 else {
            Glibc.close(descriptor)
            return nil
        }
        return descriptor
    }

    private static func withAddress(_ text: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, text, &address.sin_addr)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
