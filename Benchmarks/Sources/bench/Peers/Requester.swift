// The peers: who sends requests and waits for each answer, as a monitor does.

import Wire
import ZeroMQ

/// A REQ socket of a host, encrypted. Made and used on one thread.
struct Requester: ~Copyable {
    private let socket: Socket
    private var polled = PollSet()

    init(_ host: Cluster.Host, of cluster: Cluster, to endpoint: String, in context: Context) throws {
        let socket = try Socket(.request, in: context)
        try socket.curveClient(own: host.keys, server: cluster.publisherKey)
        try socket.connect(endpoint)
        self.socket = socket
    }

    /// One of an old client: no encryption.
    init(plainTo endpoint: String, in context: Context) throws {
        let socket = try Socket(.request, in: context)
        try socket.connect(endpoint)
        self.socket = socket
    }

    /// Sends a request and waits for its answer.
    mutating func ask(_ frames: [[UInt8]], within limit: Duration = .seconds(60)) throws -> [[UInt8]] {
        guard try socket.send(frames) else { throw BenchError("a request could not be sent") }
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if let answer = try socket.receive() { return answer.frames }
            polled.removeAll()
            polled.add(socket)
            try polled.wait(until: deadline)
        }
        throw BenchError("no answer within \(limit)")
    }

    /// Sends a report until it is acknowledged.
    mutating func report(_ frames: [[UInt8]]) throws {
        while true {
            let answer = try Message(frames: try ask(frames))
            if answer.verb == .acknowledged {
                guard answer.header["refused"] == "0" else { throw BenchError("lines of a report were refused") }
                return
            }
            guard RequestRefusal(answer)?.code == .busy else { throw BenchError("a report was refused: \(answer.header)") }
        }
    }

    /// All bans, page by page. - Returns: how many.
    mutating func snapshot() throws -> Int {
        var count = 0
        var after: Address?
        repeat {
            let request = SyncRequest(term: nil, last: 0, wantsAll: true, after: after)
            let answer = try Message(frames: try ask(request.message.frames))
            if RequestRefusal(answer)?.code == .busy { continue }
            guard answer.verb == .snapshot else { throw BenchError("no page of a snapshot, but \(answer.verb)") }
            answer.forEachBodyLine { _ in count += 1 }
            guard let next = answer.header["next"] else { return count }
            after = Address(next)
        } while true
    }
}
