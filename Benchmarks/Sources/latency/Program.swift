// Measures the way from a line in fail2ban.log to the broadcast that a subscriber receives; run by scripts/bench.

import Glibc
import Wire
import ZeroMQ

/// `latency KEYDIR ENDPOINT LOG COUNT`: writes COUNT lines one after the other, each when the broadcast of the one before has come.
@main
enum Program {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let count = Int(arguments[4]), count > 0, let own = secretKey(arguments[1] + "/host.key"),
            let publisher = firstLine(of: arguments[1] + "/publisher.pub").flatMap({ PublicKey(z85: $0) })
        else {
            say("usage: latency KEYDIR ENDPOINT LOG COUNT")
            exit(64)
        }
        let context = try Context()
        let socket = try Socket(.subscriber, in: context)
        try socket.curveClient(own: try KeyPair(secretKey: own), server: publisher)
        try socket.subscribe(Array(Broadcast.prefix.utf8))
        try socket.connect(arguments[2])
        guard try next(socket) != nil else { fail("no beat from \(arguments[2]) within 10 s") }

        let log = open(arguments[3], O_WRONLY | O_APPEND)
        guard log >= 0 else { fail("can't open \(arguments[3])") }
        var times: [Duration] = []
        for i in 0..<count {
            let address = "2001:db8:\(String(i >> 16, radix: 16)):\(String(i & 0xffff, radix: 16))::1"
            let line = Array("\(stamp()) fail2ban.actions        [4711]: NOTICE  [sshd] Ban \(address)\n".utf8)
            let wanted = Address(address)
            let start = ContinuousClock.now
            guard write(log, line, line.count) == line.count else { fail("can't write \(arguments[3])") }
            var isThere = false
            while !isThere {
                guard let events = try next(socket) else { fail("no broadcast of \(address) within 10 s") }
                isThere = events.contains { $0.address == wanted }
            }
            times.append(ContinuousClock.now - start)
        }
        times.sort()
        func at(_ share: Double) -> String { milliseconds(times[min(Int(Double(count) * share), count - 1)]) }
        print("log line written -> broadcast received, \(count) times: median \(at(0.5)) ms, p99 \(at(0.99)) ms, maximum \(at(1)) ms")
    }

    /// The events of the next frame; empty for a beat, `nil` after 10 s.
    private static func next(_ socket: borrowing Socket) throws -> [Event]? {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if let delivery = try socket.receive(), let frame = delivery.frames.first { return try Broadcast(frame: frame.span).events }
            var polled = PollSet()
            polled.add(socket)
            try polled.wait(until: deadline)
        }
        return nil
    }

    private static func milliseconds(_ duration: Duration) -> String {
        let microseconds = duration.components.seconds * 1_000_000 + duration.components.attoseconds / 1_000_000_000_000
        let fraction = String(microseconds % 1000)
        return "\(microseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }

    private static func stamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        localtime_r(&now.tv_sec, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let length = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S", &parts)
        let thousandths = String(now.tv_nsec / 1_000_000)
        let digits = String(repeating: "0", count: 3 - thousandths.count) + thousandths
        return String(decoding: text.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self) + "," + digits
    }

    private static func secretKey(_ path: String) -> SecretKey? { firstLine(of: path).flatMap { SecretKey(z85: $0) } }

    private static func firstLine(of path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        guard fgets(&line, Int32(line.count), file) != nil else { return nil }
        return String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func fail(_ message: String) -> Never {
        say("latency: \(message)")
        exit(1)
    }

    private static func say(_ message: String) {
        let bytes = Array("\(message)\n".utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
