// Measures: what the programs need of a host, with many bans and with nothing to do.

import Foundation
import Wire
import ZeroMQ

extension Measure {
    static let memory = Measure(name: "memory", question: "memory of the programs' own, with many active bans") { bench in
        // An eighth of a million: tables grow by doubling, so that they are filled alike.
        let count = bench.pick(short: 125_000, long: 1_000_000)
        let scene = try Reporting(bench, monitors: 8)
        let empty = try scene.cluster.subscriber(of: scene.publisher)
        let without = try empty.memory
        empty.stop()
        let publisherWithout = try scene.publisher.daemon.memory
        try scene.report(count)
        let publisher = try scene.publisher.daemon.memory
        let subscriber = try scene.cluster.subscriber(of: scene.publisher, ready: "the publisher has ")
        defer { subscriber.stop() }
        try subscriber.rest()
        let perBan = (try subscriber.memory - without) / Double(count)
        let million = publisherWithout + (publisher - publisherWithout) * 1_000_000 / Double(count)
        return [
            Figure("memory.publisher", "publisher, 1,000,000 active bans (of \(Double(count).figures))", unit: "MB", million / 1e6),
            Figure("memory.subscriber", "subscriber without a ban", unit: "MB", without / 1e6),
            Figure("memory.ban", "subscriber, each of \(Double(count).figures) bans", unit: "bytes", perBan),
        ]
    }

    static let idle = Measure(name: "idle", question: "time on a processor with nothing to do") { bench in
        let seconds = bench.pick(short: 10, long: 60)
        let cluster = try Cluster(bench)
        let publisher = try cluster.publisher()
        let daemons = [publisher.daemon, try cluster.monitor(of: publisher), try cluster.subscriber(of: publisher)]
        defer { for daemon in daemons { daemon.stop() } }
        // What a start still has to do.
        sleep(2)
        let before = try daemons.map { try $0.processorTime }
        sleep(UInt32(seconds))
        let after = try daemons.map { try $0.processorTime }
        return zip(daemons, zip(before, after)).map { daemon, times in
            let share = (times.1 - times.0).seconds / Double(seconds) * 100
            let name = daemon.name.replacingOccurrences(of: "fail2ban-", with: "idle.")
            return Figure(name, "\(daemon.name), nothing to do for \(seconds) s", unit: "% of a core", share)
        }
    }
}

extension Daemon {
    /// Waits until it uses no more than a twentieth of a processor.
    func rest() throws {
        var before = try processorTime
        for _ in 0..<1200 {
            usleep(100_000)
            let now = try processorTime
            if now - before < .milliseconds(5) { return }
            before = now
        }
        throw BenchError("\(name) does not come to rest")
    }
}
