// Measure: how many events a second the publisher makes durable.

import Foundation
import Wire
import ZeroMQ

extension Measure {
    static let publish = Measure(name: "publish", question: "eight monitors reporting random addresses, each report durable") { bench in
        let count = bench.pick(short: 400_000, long: 1_600_000)
        let rate = try Reporting(bench, monitors: 8).rate(count)
        return [
            Figure(
                "publish", "8 monitors, reports of \(Workload.linesPerReport) lines, durable", unit: "events/s", rate.events,
                of: Figure.Limit(what: "rows/s, SQLite in batches of \(rate.batch)", value: rate.raw.rate)),
            Figure(
                "publish.time", "time on a processor of the publisher, for each event", unit: "µs", rate.work,
                of: Figure.Limit(what: "µs of SQLite", value: rate.raw.work)),
        ]
    }

    static let plain = Measure(name: "plain", question: "old clients with one frame for each event, each in lock-step, durable") { bench in
        let seconds = bench.pick(short: 3, long: 10)
        let (one, many) = (try plainRate(bench, clients: 1, seconds: seconds), try plainRate(bench, clients: 64, seconds: seconds))
        return [
            Figure(
                "plain", "64 plain clients in lock-step, durable", unit: "events/s", many,
                of: Figure.Limit(what: "events/s of one such client", value: one))
        ]
    }

    private static func plainRate(_ bench: Bench, clients: Int, seconds: Int) throws -> Double {
        let cluster = try Cluster(bench)
        let publisher = try cluster.publisher(["plainreplybindurl": "tcp://127.0.0.1:*", "plainallow": "127.0.0.1"])
        let (endpoint, context) = (publisher.endpoints[2], try Context())
        let end = ContinuousClock.now + .seconds(seconds)
        let workers = (0..<clients).map { client in
            Worker { () throws -> Int in
                var requester = try Requester(plainTo: endpoint, in: context)
                var count = 0
                while ContinuousClock.now < end {
                    var line = Array("old\(client)|sshd|Ban|".utf8)
                    Workload.append(client << 20 + count, to: &line)
                    let answer = try requester.ask([line])
                    guard answer == [line] else { throw BenchError("an old client was answered something else") }
                    count += 1
                }
                return count
            }
        }
        let count = try workers.reduce(0) { $0 + (try $1.result()) }
        return Double(count) / Double(seconds)
    }
}

/// Monitors that report as fast as they are answered, to a publisher of their own.
struct Reporting {
    struct Rate {
        let events: Double
        /// Microseconds of a processor that the publisher uses for one.
        let work: Double
        /// SQLite alone, with the same rows in batches of what all monitors report at once.
        let raw: Limits.Rows
        let batch: Int
    }

    let cluster: Cluster
    let publisher: Cluster.Publisher
    private let monitors: Int

    init(_ bench: Bench, monitors: Int) throws {
        cluster = try Cluster(bench, hosts: monitors)
        publisher = try cluster.publisher()
        self.monitors = monitors
    }

    func rate(_ count: Int) throws -> Rate {
        let batch = monitors * Workload.linesPerReport
        let raw = try Limits.rows(count, batch: batch, in: cluster.folder)
        let before = try publisher.daemon.processorTime
        let took = try report(count)
        let work = try publisher.daemon.processorTime - before
        return Rate(
            events: Double(count) / took.seconds, work: work.milliseconds * 1000 / Double(count), raw: raw, batch: batch)
    }

    /// Reports so many bans, and returns how long it took. What is sent is made beforehand.
    @discardableResult
    func report(_ count: Int) throws -> Duration {
        let (each, start) = (count / monitors, Gate())
        let (cluster, endpoint, context) = (cluster, publisher.requests, try Context())
        let ready = Countdown(monitors)
        let workers = (0..<monitors).map { monitor in
            Worker { () throws -> ContinuousClock.Instant in
                let host = cluster.hosts[monitor]
                var requester = try Requester(host, of: cluster, to: endpoint, in: context)
                let first = monitor * each
                let reports = stride(from: first, to: first + each, by: Workload.linesPerReport).map {
                    Workload.report($0..<min($0 + Workload.linesPerReport, first + each), of: host.name)
                }
                // The connection stands, and its handshake is not counted.
                _ = try requester.ask(Message(.query, ["what": "bans"]).frames)
                ready.count()
                start.pass()
                for report in reports { try requester.report(report) }
                return .now
            }
        }
        ready.wait()
        let beginning = ContinuousClock.now
        start.open()
        var end = beginning
        for worker in workers { end = max(end, try worker.result()) }
        return end - beginning
    }
}
