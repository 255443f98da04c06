// Measure: how soon a host that is new knows all bans, and whether the others wait for that.

import Foundation
import Wire
import ZeroMQ

extension Measure {
    static let snapshot = Measure(name: "snapshot", question: "all active bans to a new subscriber, while another host reports") { bench in
        let count = bench.pick(short: 200_000, long: 1_000_000)
        let scene = try Reporting(bench, monitors: 8)
        try scene.report(count)
        let idle = try scene.delays(from: count) { usleep(2_000_000) }
        var subscriber: Daemon?
        var took = Duration.zero
        let delays = try scene.delays(from: count + 100_000) {
            let start = ContinuousClock.now
            subscriber = try scene.cluster.subscriber(of: scene.publisher, ready: "the publisher has ")
            took = .now - start
        }
        defer { subscriber?.stop() }
        let limit = Figure.Limit(what: "the same reports before", value: idle.median)
        return [
            Figure("snapshot", "\(Double(count).figures) bans -> the wanted set of a new subscriber", unit: "s", took.seconds),
            Figure("snapshot.delay", "one report's answer meanwhile", milliseconds: delays, of: limit),
        ]
    }

    static let crowd = Measure(name: "crowd", question: "many subscribers that ask for all bans at once") { bench in
        let (subscribers, bans) = (bench.pick(short: 20, long: 100), 100_000)
        let scene = try Reporting(bench, monitors: subscribers)
        try scene.report(bans)
        let (cluster, endpoint) = (scene.cluster, scene.publisher.requests)
        let context = try Context()
        let start = ContinuousClock.now
        let workers = cluster.hosts.map { host in
            Worker { () throws -> Duration in
                var requester = try Requester(host, of: cluster, to: endpoint, in: context)
                guard try requester.snapshot() == bans else { throw BenchError("a snapshot has another number of bans") }
                return .now - start
            }
        }
        let times = Sample(try workers.map { try $0.result() })
        return [
            Figure(
                "crowd", "\(subscribers) subscribers, \(Double(bans).figures) bans each: the last has all", unit: "s", times.at(1) / 1000)
        ]
    }
}

extension Reporting {
    /// Reports one ban after the other, a millisecond apart, while `work` is done. - Returns: how long each answer took.
    func delays(from number: Int, while work: () throws -> Void) throws -> Sample {
        let (cluster, endpoint, end, begun) = (cluster, publisher.requests, Gate(), Gate())
        let reporting = Worker { () throws -> [Duration] in
            var requester = try Requester(cluster.hosts[0], of: cluster, to: endpoint, in: try Context())
            var times: [Duration] = []
            var number = number
            while !end.stands {
                let report = Workload.report(number..<number + 1, of: cluster.hosts[0].name, stream: "delays")
                let start = ContinuousClock.now
                try requester.report(report)
                times.append(.now - start)
                if times.count == 1 { begun.open() }
                number += 1
                usleep(1000)
            }
            // The first has the handshake.
            return Array(times.dropFirst())
        }
        begun.pass()
        let outcome = Result { try work() }
        end.open()
        let times = try reporting.result()
        try outcome.get()
        return Sample(times)
    }
}
