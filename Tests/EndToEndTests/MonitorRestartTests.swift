// The shipped monitor, killed again and again while its log is written and rotated: the publisher's journal has each event once.

import FoundationEssentials
import GRDB
import Glibc
import Subprocess
import TestSupport
import Testing
import Wire

@Suite struct MonitorRestartTests {
    /// Ways of rotating that leave one another's files alone.
    @Test(arguments: [
        ["create", "copytruncate"], ["create\ncompress", "copytruncate\ncompress"], ["create\ncompress\ndelaycompress"],
        ["create\ndateext\ndateformat -%Y%m%d-%s\ncompress"],
    ])
    func aMonitorKilledAtAnyTimeReportsEachBanOnceAndInOrder(rotations: [String]) async throws {
        try await LoopbackCluster.with { cluster in
            var random = SeededGenerator(seed: UInt64(rotations.joined().utf8.count))
            var written: [String] = []
            func write(_ count: Int) throws {
                let addresses = (0..<count).map { Self.address(written.count + $0) }
                try cluster.appendToLog(addresses.map { LoopbackCluster.banLine($0) })
                written += addresses
            }
            var isUp = true
            for _ in 0..<40 {
                for _ in 0..<Int.random(in: 1...4, using: &random) { try write(Int.random(in: 1...80, using: &random)) }
                // With copytruncate nobody can read what is written between the copy and the truncation; here nothing is.
                if Int.random(in: 0..<3, using: &random) == 0 {
                    try await Self.rotate(cluster, try #require(rotations.randomElement(using: &random)))
                }
                if isUp, Bool.random(using: &random) {
                    try await cluster.killMonitor()
                    isUp = false
                } else if !isUp {
                    try await LoopbackCluster.program("fail2ban-monitor", "start", "-c", cluster.configuration)
                    isUp = true
                }
            }
            if !isUp { try await LoopbackCluster.program("fail2ban-monitor", "start", "-c", cluster.configuration) }
            try write(1)
            let last = try #require(written.last)
            try await eventually("the last ban is in the journal", within: .seconds(60)) { try cluster.journalled().last == last }
            let journalled = try cluster.journalled()
            #expect(journalled.count == written.count)
            #expect(zip(journalled, written).first { $0 != $1 } == nil)
            #expect(cluster.losses == [])
            let goneOn = cluster.log.split(separator: "\n").filter { $0.contains("going on at position") }.count
            #expect(goneOn > 5)
        }
    }

    @Test func aPublisherThatIsAwayWhile200000LinesComeCostsTheMonitorNoMemory() async throws {
        try await LoopbackCluster.with(publisherKeys: "maxholds = 1000000") { cluster in
            try cluster.appendToLog([LoopbackCluster.banLine(Self.address(0))])
            try await eventually("the first ban is in the journal") { try cluster.journalled().count == 1 }
            let monitor = RunningProcess(try cluster.pid(of: "monitor"))
            let before = monitor.residentMemory
            try await LoopbackCluster.program("fail2ban-publisher", "stop", "-c", cluster.configuration)
            // The same port again.
            let file = cluster.configuration
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let fixed = text.replacing("replybindurl = tcp://127.0.0.1:*", with: "replybindurl = \(cluster.endpoints[0])")
            try fixed.write(toFile: file, atomically: true, encoding: .utf8)

            let count = 200_000
            for start in stride(from: 1, to: count, by: 10_000) {
                let lines = (start..<min(count, start + 10_000)).map { LoopbackCluster.banLine(Self.address($0)) }
                try cluster.appendToLog(lines)
                if start % 50_000 == 1 { try await Self.rotate(cluster, "create\ncompress") }
            }
            try await eventually("the monitor has no work", within: .seconds(60)) {
                let before = monitor.processorTime
                // Only time itself shows that nothing happens in it.
                try await Task.sleep(for: .seconds(1))
                return monitor.processorTime - before < .milliseconds(50)
            }
            #expect(monitor.residentMemory - before < 16 << 20 || Sanitizer.takesMemory, "bytes more than before")

            try await LoopbackCluster.program("fail2ban-publisher", "start", "-c", cluster.configuration)
            try await eventually("all bans are in the journal", within: .seconds(240)) { try cluster.journalled().count >= count }
            let journalled = try cluster.journalled()
            #expect(journalled.count == count)
            #expect(journalled.enumerated().first { $1 != Self.address($0) } == nil)
            #expect(monitor.isAlive)
            #expect(monitor.residentMemory - before < 32 << 20 || Sanitizer.takesMemory, "bytes more than before")
            #expect(cluster.losses == [])
        }
    }

    /// Each only once, none of them protected.
    private static func address(_ number: Int) -> String { "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)" }

    /// Once, by the real logrotate.
    private static func rotate(_ cluster: LoopbackCluster, _ options: String) async throws {
        let file = cluster.directory + "/logrotate.conf"
        try """
        \(cluster.fail2banLog) {
            rotate 100
            \(options)
        }
        """.write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, 0o600)
        let result = try await Subprocess.run(
            .name("logrotate"), arguments: ["--force", "--state", cluster.directory + "/logrotate.state", file],
            output: .string(limit: 1 << 16), error: .combinedWithOutput)
        // Twice in the second that a dated name tells is once.
        let isSkipped = result.standardOutput.contains("already exists, skipping rotation")
        try #require(result.terminationStatus == .exited(0) || isSkipped, "\(result.standardOutput)")
    }
}

extension LoopbackCluster {
    /// What the monitor says that it missed.
    fileprivate var losses: [Substring] { log.split(separator: "\n").filter { $0.contains("may be lost") } }

    /// kill -9, and waits until it is gone.
    fileprivate func killMonitor() async throws {
        let monitor = RunningProcess(try pid(of: "monitor"))
        kill(monitor.pid, SIGKILL)
        try await eventually("the monitor is dead") { !monitor.isAlive }
    }

    /// The addresses of the bans that the publisher took, in their order.
    fileprivate func journalled() throws -> [String] {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(10)
        return try DatabaseQueue(path: directory + "/journal.sqlite", configuration: configuration).read { database in
            try String.fetchAll(database, sql: "SELECT address FROM event WHERE kind = 'admitted' AND action = 'Ban' ORDER BY row")
        }
    }
}
