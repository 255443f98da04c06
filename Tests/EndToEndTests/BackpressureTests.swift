// Bursts, slow enforcement and a host that reads nothing cost bounded memory, and lose nothing in the end.

import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

@Suite(.enabled(if: SlowFail2ban.isPossible, "python3 is missing"), .serialized) struct BackpressureTests {
    /// Lines of the log in one burst; `F2BC_BURST=1000000` for the long form.
    static let burst = getenv("F2BC_BURST").flatMap { Int(String(cString: $0)) } ?? 100_000

    private func address(_ index: Int) -> String { "2001:db8:\(String(index >> 12, radix: 16)):\(String(index & 0xfff, radix: 16))::1" }

    private func process(_ cluster: LoopbackCluster, _ program: String) throws -> RunningProcess {
        let text = try #require(textOfFile("\(cluster.directory)/\(program).pid"))
        return RunningProcess(try #require(pid_t(text.filter(\.isNumber))))
    }

    /// Appends bans to the log as fast as the disk takes them.
    private func append(_ range: Range<Int>, to cluster: LoopbackCluster) throws {
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 10_000) {
            try cluster.appendToLog((first..<min(first + 10_000, range.upperBound)).map { LoopbackCluster.banLine(address($0)) })
        }
    }

    /// Waits until it bans so many, and looks at the memory of processes meanwhile.
    /// - Returns: The most that each had in RAM, in MiB.
    private func peaks(_ processes: [RunningProcess], until condition: () throws -> Bool) async throws -> [Int] {
        var peaks = processes.map(\.residentMemory)
        try await eventually("everything is banned", within: .seconds(900)) {
            for (index, process) in processes.enumerated() { peaks[index] = max(peaks[index], process.residentMemory) }
            return try condition()
        }
        return peaks.map { $0 >> 20 }
    }

    @Test func aBurstOfLinesAndASlowFail2banLoseNothingAndCostBoundedMemory() async throws {
        let count = Self.burst
        try await LoopbackCluster.with(publisherKeys: "maxholds = 2000000") { cluster in
            let fail2ban = try SlowFail2ban(in: cluster.directory, pause: 0.01)
            try await cluster.withSubscriber("[general]\nfail2banclient = \(fail2ban.program)\nloglevel = notice\n") {
                let processes = try ["monitor", "publisher", "subscriber"].map { try process(cluster, $0) }
                let before = processes.map { $0.residentMemory >> 20 }
                let start = ContinuousClock.now
                try append(0..<count, to: cluster)
                let peaks = try await peaks(processes) { fail2ban.bannedCount == count }
                print("\(count) bans in \(ContinuousClock.now - start): monitor, publisher, subscriber in MiB: \(before), at most \(peaks)")
                // The bans themselves: 1 KiB each in the publisher, half of it in the others. A debug build and libzmq's arenas have their
                // part.
                let thousands = count / 1000
                #expect(peaks[0] < 100 || Sanitizer.takesMemory, "the monitor")
                #expect(peaks[1] < 150 + thousands * 2 || Sanitizer.takesMemory, "the publisher")
                #expect(peaks[2] < 150 + thousands || Sanitizer.takesMemory, "the subscriber")

                // `restart` returns when the new one has applied all that is banned, whose snapshot comes in pages; after 3 s in any case.
                let restart = ContinuousClock.now
                try await LoopbackCluster.program("fail2ban-subscriber", "restart", "-c", cluster.configuration)
                let took = ContinuousClock.now - restart
                print("restarted with \(count) active bans in \(took)")
                let hasAll = "the publisher has \(count) bans"
                try await eventually("its snapshot", within: .seconds(60)) { cluster.log.contains(hasAll) }
            }
        }
    }

    @Test func aHostThatReadsNothingCostsThePublisherLittleAndHasEverythingSoonAfter() async throws {
        let count = max(300_000, Self.burst)
        try await LoopbackCluster.with(publisherKeys: "maxholds = 2000000") { cluster in
            let fail2ban = try SlowFail2ban(in: cluster.directory, pause: 0)
            try await cluster.withSubscriber("[general]\nfail2banclient = \(fail2ban.program)\nloglevel = notice\n") {
                let publisher = try process(cluster, "publisher")
                let stopped = try process(cluster, "subscriber")
                let other = try cluster.subscriber(in: try Context())
                _ = try #require(try other.next(by: .now + .seconds(30)))
                #expect(kill(stopped.pid, SIGSTOP) == 0)
                defer { kill(stopped.pid, SIGCONT) }

                try append(0..<count, to: cluster)
                var heard = 0
                var last: UInt64 = 0
                var hasHole = false
                var peak = publisher.residentMemory
                let deadline = ContinuousClock.now + .seconds(600)
                while heard < count, let delivery = try other.next(by: deadline) {
                    let frame = delivery.frames[0]
                    let broadcast = try Broadcast(frame: frame.span)
                    if !broadcast.events.isEmpty, heard > 0, broadcast.first != last + 1 { hasHole = true }
                    last = broadcast.last
                    heard += broadcast.events.count
                    peak = max(peak, publisher.residentMemory)
                }
                #expect(heard == count && !hasHole, "the other host missed something")

                #expect(kill(stopped.pid, SIGCONT) == 0)
                let start = ContinuousClock.now
                let peaks = try await peaks([stopped]) { fail2ban.bannedCount == count }
                print(
                    "\(count) announcements past a stopped host: publisher at most \(peak >> 20) MiB; it had all \(ContinuousClock.now - start) after, with \(peaks[0]) MiB"
                )
                #expect(cluster.log.contains("asking for what was announced behind number"), "nothing was ever dropped for it")
                #expect(peak >> 20 < 250 + count / 1000 * 2 || Sanitizer.takesMemory)
                #expect(peaks[0] < 250 + count / 1000 || Sanitizer.takesMemory)
            }
        }
    }
}
