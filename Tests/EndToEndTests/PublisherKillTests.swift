// A publisher that ends while a host reports much at once: one batch is being written then, and the next one decided on top of it.

import FoundationEssentials
import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

@Suite struct PublisherKillTests {
    /// Lines of a report: enough for a batch that is written beside the loop.
    private static let lines = 400

    @Test(arguments: [(SIGKILL, 2), (SIGKILL, 7), (SIGKILL, 20), (SIGTERM, 5)])
    func whatItAcknowledgedOrBroadcastInTheMiddleOfABurstIsThereAtItsNextStart(signal: Int32, after count: Int) async throws {
        try await LoopbackCluster.with { cluster in
            let keys = try await cluster.authorize("web9")
            let pid = try cluster.pid(of: "publisher")
            let (acknowledged, heard) = try Self.burst(cluster, keys, until: count) { kill(pid, signal) }
            try await eventually("its end") { kill(pid, 0) != 0 }
            try Self.keepEndpoints(of: cluster)
            try await LoopbackCluster.program("fail2ban-publisher", "start", "-c", cluster.configuration)
            let bans = Set(
                try await LoopbackCluster.program("fail2ban-cluster", "bans", "-c", cluster.configuration).split(separator: "\n")
                    .compactMap { $0.split(separator: " ").first.map(String.init) })
            // The first of them may not have left yet.
            #expect(acknowledged >= count && (count < 5 || !heard.isEmpty))
            let expected = (0..<acknowledged * Self.lines).map { Self.address($0) }
            #expect(expected.filter { !bans.contains($0) } == [])
            #expect(heard.filter { !bans.contains($0) } == [])
        }
    }

    @Test func aCleanStopLeavesOnlyTheJournalItself() async throws {
        try await LoopbackCluster.with { cluster in
            try Self.keepEndpoints(of: cluster)
            for number in 0..<4 {
                try await LoopbackCluster.program("fail2ban-cluster", "ban", "203.0.113.\(number + 1)", "-c", cluster.configuration)
                try await LoopbackCluster.program("fail2ban-publisher", "stop", "-c", cluster.configuration)
                // A write-ahead log that stays would destroy another journal that is put beside it.
                let left = try FileManager.default.contentsOfDirectory(atPath: cluster.directory).filter { $0.hasPrefix("journal.") }
                #expect(left == ["journal.sqlite"])
                try await LoopbackCluster.program("fail2ban-publisher", "start", "-c", cluster.configuration)
            }
        }
    }

    /// Reports without end, two at a time, and ends the publisher after so many acknowledgements.
    /// - Returns: how many came in all, and the addresses that were broadcast.
    private static func burst(
        _ cluster: LoopbackCluster, _ keys: KeyPair, until count: Int, _ end: () -> Void
    ) throws -> (acknowledged: Int, heard: [String]) {
        let context = try Context()
        let requests = try cluster.dealer(keys, in: context)
        let broadcasts = try cluster.subscriber(in: context)
        // A beat: it is subscribed.
        _ = try #require(try broadcasts.next(by: .now + .seconds(60)), "no beat")
        var heard: [String] = []
        var (sent, acknowledged) = (0, 0)
        while acknowledged < count {
            while sent < acknowledged + 2 {
                try report(sent, to: requests)
                sent += 1
            }
            try check(try #require(try requests.next(by: .now + .seconds(60)), "no answer"), is: acknowledged)
            acknowledged += 1
            heard += try addresses(from: broadcasts)
        }
        try report(sent, to: requests)
        end()
        // What it said before its end is on its way.
        while let answer = try requests.next(by: .now + .milliseconds(500)) {
            try check(answer, is: acknowledged)
            acknowledged += 1
        }
        heard += try addresses(from: broadcasts)
        return (acknowledged, heard)
    }

    private static func report(_ number: Int, to requests: borrowing Socket) throws {
        let body = (number * lines..<(number + 1) * lines).map { "\($0 + 1)|web9|sshd|Ban|\(address($0))|-|-|-|-|detected\n" }.joined()
        let message = Message(.report, ["stream": "burst", "now": "\(Timestamp.present)"], body: Array(body.utf8))
        _ = try requests.send([[]] + message.frames)
    }

    private static func check(_ delivery: Delivery, is number: Int) throws {
        let answer = try Acknowledgement(Message(frames: Array(delivery.frames.dropFirst())))
        try #require(answer.refused.isEmpty && answer.position == UInt64((number + 1) * lines))
    }

    private static func addresses(from broadcasts: borrowing Socket) throws -> [String] {
        var heard: [String] = []
        while let delivery = try broadcasts.receive() {
            let frame = try #require(delivery.frames.first)
            heard += try Broadcast(frame: frame.span).events.map(\.address.description)
        }
        return heard
    }

    /// The next start binds the ports that this one found free.
    private static func keepEndpoints(of cluster: LoopbackCluster) throws {
        var text = try String(contentsOfFile: cluster.configuration, encoding: .utf8)
        for (key, endpoint) in zip(["replybindurl", "broadcasterbindurl"], cluster.endpoints) {
            text.replace("\n\(key) = tcp://127.0.0.1:*", with: "\n\(key) = \(endpoint)")
        }
        try text.write(toFile: cluster.configuration, atomically: false, encoding: .utf8)
    }

    private static func address(_ number: Int) -> String { "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)" }
}
