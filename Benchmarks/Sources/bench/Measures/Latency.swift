// Measure: how long a ban takes to the other hosts.

import Foundation
import Wire
import ZeroMQ

extension Measure {
    static let latency = Measure(name: "latency", question: "from a line in fail2ban.log to its broadcast, on an idle system") { bench in
        let cluster = try Cluster(bench)
        let publisher = try cluster.publisher()
        let monitor = try cluster.monitor(of: publisher)
        defer { monitor.stop() }
        var listener = try Listener(cluster.hosts[...], of: cluster, to: publisher.broadcasts, in: try Context())
        try listener.settle()
        let lines = try LineTimes(bench.pick(short: 50, long: 200), in: cluster) {
            let deadline = ContinuousClock.now + .seconds(10)
            var isThere = false
            while !isThere {
                guard ContinuousClock.now < deadline else { throw BenchError("no broadcast within 10 s") }
                try listener.listen(until: deadline) { _, frame in isThere = frame.last >= frame.first || isThere }
            }
        }
        return [
            Figure("latency", "log line -> broadcast received", milliseconds: lines.ways, of: lines.limit),
            Figure("roundtrip", "libzmq: one round trip of CURVE REQ/REP", milliseconds: lines.trips),
            Figure("fdatasync", "the disk: 4 KiB added and synced", milliseconds: lines.syncs),
        ]
    }
}

/// How long log lines, one after the other, take until something is seen of each, beside what the machine needs for parts of that way.
struct LineTimes {
    let ways: Sample
    /// Round trips of CURVE REQ/REP.
    let trips: Sample
    /// An fdatasync each.
    let syncs: Sample

    /// - Parameters:
    ///   - count: lines in each of ten turns.
    ///   - arrival: waits until what the line leads to is seen.
    init(_ count: Int, in cluster: Cluster, arrival: () throws -> Void) throws {
        var (ways, trips, syncs): ([Double], [Double], [Double]) = ([], [], [])
        // In turns, so that what else the machine does meets all three alike.
        for round in 0..<10 {
            trips += try Limits.roundTrips(count).sorted
            syncs += try Limits.syncs(count, in: cluster.folder).sorted
            for number in (round * count)..<((round + 1) * count) {
                let line = Workload.log(number..<number + 1)
                let start = ContinuousClock.now
                try cluster.log(line)
                try arrival()
                ways.append((ContinuousClock.now - start).milliseconds)
            }
        }
        (self.ways, self.trips, self.syncs) = (Sample(ways), Sample(trips), Sample(syncs))
    }

    /// What the way can't be shorter than: a line is reported, synced and broadcast.
    var limit: Figure.Limit {
        Figure.Limit(what: "a round trip of CURVE REQ/REP and an fdatasync", value: trips.median + syncs.median)
    }
}
