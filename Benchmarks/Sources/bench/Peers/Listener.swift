// The peers: who listens to broadcasts, many of them on one thread.

import Foundation
import Synchronization
import Wire
import ZeroMQ

/// SUB sockets of hosts, encrypted. Made and used on one thread.
struct Listener: ~Copyable {
    /// The numbers in a frame's first line.
    struct Frame {
        let first: UInt64
        let last: UInt64
        let bytes: [UInt8]
    }

    private let sockets: Sockets
    private var polled = PollSet()
    /// What the next frame of each must begin with; 0 before its first.
    private var expected: [UInt64]
    /// Those among them whose numbers had a gap, and how often.
    private(set) var gaps = 0

    /// Sockets can't be copied and an array must hold them, so they are boxed.
    private final class Sockets {
        final class Box {
            let socket: Socket
            init(_ socket: consuming Socket) { self.socket = socket }
        }
        var all: [Box] = []
    }

    init(_ hosts: ArraySlice<Cluster.Host>, of cluster: Cluster, to endpoint: String, in context: Context) throws {
        sockets = Sockets()
        for host in hosts {
            let socket = try Socket(.subscriber, in: context)
            // As the subscriber has it.
            try socket.receiveHighWater(1000)
            try socket.curveClient(own: host.keys, server: cluster.publisherKey)
            try socket.subscribe(Array(Broadcast.prefix.utf8))
            try socket.connect(endpoint)
            sockets.all.append(Sockets.Box(socket))
        }
        expected = Array(repeating: 0, count: hosts.count)
    }

    /// Waits until each has heard a beat or a broadcast.
    mutating func settle(within limit: Duration = .seconds(120)) throws {
        let deadline = ContinuousClock.now + limit
        while expected.contains(0) {
            guard ContinuousClock.now < deadline else {
                throw BenchError("\(expected.count { $0 == 0 }) of \(expected.count) subscribers hear nothing")
            }
            try listen(until: deadline) { _, _ in }
        }
    }

    /// Waits for frames, and takes all that wait at every socket. A beat has its `last` before its `first`.
    mutating func listen(until deadline: ContinuousClock.Instant, _ take: (Int, Frame) -> Void) throws {
        polled.removeAll()
        for box in sockets.all { polled.add(box.socket) }
        try polled.wait(until: deadline)
        for (index, box) in sockets.all.enumerated() where polled.isReadable(index) {
            while let bytes = try box.socket.receive(maximumFrames: 1)?.frames.first {
                guard let frame = Frame(bytes) else { throw BenchError("not a broadcast") }
                if expected[index] > 0, frame.first != expected[index] { gaps += 1 }
                expected[index] = frame.last + 1
                take(index, frame)
            }
        }
    }
}

extension Listener.Frame {
    /// Reads the header line alone: `F2BC/1|term|first|last|now`.
    fileprivate init?(_ bytes: [UInt8]) {
        let header = bytes.prefix { $0 != UInt8(ascii: "\n") }.split(separator: UInt8(ascii: "|"))
        guard header.count == 5, let first = UInt64(String(decoding: header[2], as: UTF8.self)),
            let last = UInt64(String(decoding: header[3], as: UTF8.self))
        else { return nil }
        (self.first, self.last, self.bytes) = (first, last, bytes)
    }
}
