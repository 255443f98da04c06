// Where a ban arrives: at a subscriber, as a broadcast.

import Glibc
import Wire
import ZeroMQ

struct Broadcasts: ~Copyable {
    private let socket: Socket

    init(keys: String, endpoint: String) throws {
        guard let own = firstLine(of: keys + "/host.key").flatMap({ SecretKey(z85: $0) }),
            let publisher = firstLine(of: keys + "/publisher.pub").flatMap({ PublicKey(z85: $0) })
        else { Program.fail("no keys in \(keys)") }
        let socket = try Socket(.subscriber, in: try Context())
        try socket.curveClient(own: try KeyPair(secretKey: own), server: publisher)
        try socket.subscribe(Array(Broadcast.prefix.utf8))
        try socket.connect(endpoint)
        self.socket = socket
        guard try next() != nil else { Program.fail("no beat from \(endpoint) within 10 s") }
    }

    /// Waits for the broadcast of an address; `false` after 10 s.
    func has(_ address: Address) throws -> Bool {
        while let events = try next() { if events.contains(where: { $0.address == address }) { return true } }
        return false
    }

    /// The events of the next frame; empty for a beat, `nil` after 10 s.
    private func next() throws -> [Event]? {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if let delivery = try socket.receive(), let frame = delivery.frames.first { return try Broadcast(frame: frame.span).events }
            var polled = PollSet()
            polled.add(socket)
            try polled.wait(until: deadline)
        }
        return nil
    }
}

private func firstLine(of path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, Int32(line.count), file) != nil else { return nil }
    return String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
