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
        var (ways, trips, syncs): ([Double], [Double], [Double]) = ([], [], [])
        // In turns, so that what else the machine does meets all three alike.
        for round in 0..<10 {
            let count = bench.pick(short: 50, long: 200)
            trips += try Limits.roundTrips(count).sorted
            syncs += try Limits.syncs(count, in: cluster.folder).sorted
            for number in (round * count)..<((round + 1) * count) {
                let line = Workload.log(number..<number + 1)
                let start = ContinuousClock.now
                try cluster.log(line)
                var isThere = false
                while !isThere {
                    guard ContinuousClock.now < start + .seconds(10) else { throw BenchError("no broadcast within 10 s") }
                    try listener.listen(until: start + .seconds(10)) { _, frame in isThere = frame.last >= frame.first || isThere }
                }
                ways.append((ContinuousClock.now - start).milliseconds)
            }
        }
        let (trip, sync) = (Sample(trips), Sample(syncs))
        let limit = Figure.Limit(what: "a round trip of CURVE REQ/REP and an fdatasync", value: trip.median + sync.median)
        return [
            Figure("latency", "log line -> broadcast received", milliseconds: Sample(ways), of: limit),
            Figure("roundtrip", "libzmq: one round trip of CURVE REQ/REP", milliseconds: trip),
            Figure("fdatasync", "the disk: 4 KiB added and synced", milliseconds: sync),
        ]
    }
}
