// Measure: how fast a host's whole backlog reaches the other hosts, as after a publisher that was away.

import Foundation
import Wire
import ZeroMQ

extension Measure {
    static let backlog = Measure(
        name: "backlog", question: "lines of a log with random addresses: read, parsed, reported, journalled, broadcast, received"
    ) { bench in
        let count = bench.pick(short: 200_000, long: 1_000_000)
        let cluster = try Cluster(bench)
        let raw = try Limits.rows(count, batch: Workload.linesPerReport, in: cluster.folder)
        let publisher = try cluster.publisher()
        // The first start begins at the log's end; the second one goes on there.
        try cluster.monitor(of: publisher).stop()
        try cluster.log(Workload.log(0..<count))
        let (endpoint, ready) = (publisher.broadcasts, Gate())
        let receiving = Worker { () throws -> ContinuousClock.Instant in
            var listener = try Listener(cluster.hosts[...], of: cluster, to: endpoint, in: try Context())
            try listener.settle()
            ready.open()
            return try listener.last(UInt64(count))
        }
        ready.pass()
        let (start, before) = (ContinuousClock.now, try publisher.daemon.processorTime)
        let monitor = try cluster.monitor(of: publisher)
        let rate = Double(count) / (try receiving.result() - start).seconds
        defer { monitor.stop() }
        let (reading, writing) = (try monitor.processorTime, try publisher.daemon.processorTime - before)
        func work(_ time: Duration) -> Double { time.milliseconds * 1000 / Double(count) }
        return [
            Figure(
                "backlog", "\(Double(count).figures) log lines -> all received", unit: "events/s", rate,
                of: Figure.Limit(what: "rows/s, SQLite in batches of \(Workload.linesPerReport)", value: raw.rate)),
            Figure("backlog.monitor", "time on a processor of the monitor, for each line", unit: "µs", work(reading)),
            Figure(
                "backlog.publisher", "the publisher's, for each event", unit: "µs", work(writing),
                of: Figure.Limit(what: "µs of SQLite", value: raw.work)),
            Figure("monitor", "RssAnon of the monitor behind it", unit: "MB", try monitor.memory / 1e6),
        ]
    }
}

extension Listener {
    /// Listens until the announcement of this number has come, and no gap before it. - Returns: when it came.
    mutating func last(_ number: UInt64, within limit: Duration = .seconds(300)) throws -> ContinuousClock.Instant {
        let deadline = ContinuousClock.now + limit
        var last: UInt64 = 0
        while last < number {
            guard ContinuousClock.now < deadline else { throw BenchError("\(last) of \(number) announcements within \(limit)") }
            try listen(until: deadline) { _, frame in last = frame.last }
        }
        let end = ContinuousClock.now
        guard gaps == 0 else { throw BenchError("\(gaps) gaps in what was received") }
        return end
    }
}
