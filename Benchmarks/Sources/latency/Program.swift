// Measures the way from a line in fail2ban.log to where the ban arrives; run by scripts/bench.

import Glibc
import Wire

/// `latency LOG COUNT broadcast KEYDIR ENDPOINT` and `latency LOG COUNT nftables`: writes COUNT lines one after the other, each when the ban
/// of the one before has arrived at a subscriber, or is an element in nftables.
@main
enum Program {
    static func main() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 3, let count = Int(arguments[1]), count > 0 else { refuseUsage() }
        switch (arguments[2], arguments.count) {
        case ("broadcast", 5):
            let broadcasts = try Broadcasts(keys: arguments[3], endpoint: arguments[4])
            try measure(arguments[0], count, "broadcast received") { try broadcasts.has($0) }
        case ("nftables", 3):
            let elements = try Elements()
            try measure(arguments[0], count, "element in nftables") { try elements.has($0) }
        default: refuseUsage()
        }
    }

    /// - Parameter arrival: Waits until the ban of an address is there; `false` after 10 s.
    private static func measure(_ path: String, _ count: Int, _ what: String, _ arrival: (Address) throws -> Bool) throws {
        let log = open(path, O_WRONLY | O_APPEND)
        guard log >= 0 else { fail("can't open \(path)") }
        var times: [Duration] = []
        for i in 0..<count {
            let text = "2001:db8:\(String(i >> 16, radix: 16)):\(String(i & 0xffff, radix: 16))::1"
            guard let address = Address(text) else { fail("\(text) is no address") }
            let line = Array("\(stamp()) fail2ban.actions        [4711]: NOTICE  [sshd] Ban \(text)\n".utf8)
            let start = ContinuousClock.now
            guard write(log, line, line.count) == line.count else { fail("can't write \(path)") }
            guard try arrival(address) else { fail("\(text) did not arrive within 10 s") }
            times.append(ContinuousClock.now - start)
        }
        times.sort()
        func at(_ share: Double) -> String { milliseconds(times[min(Int(Double(count) * share), count - 1)]) }
        print("log line written -> \(what), \(count) times: median \(at(0.5)) ms, p99 \(at(0.99)) ms, maximum \(at(1)) ms")
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

    private static func refuseUsage() -> Never {
        say("usage: latency LOG COUNT broadcast KEYDIR ENDPOINT, or latency LOG COUNT nftables")
        exit(64)
    }

    static func fail(_ message: String) -> Never {
        say("latency: \(message)")
        exit(1)
    }

    private static func say(_ message: String) {
        let bytes = Array("\(message)\n".utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }
}
