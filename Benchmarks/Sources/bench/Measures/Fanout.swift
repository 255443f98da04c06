// Measure: whether every event reaches every subscriber in time, when there are many of both.

import Foundation
import Synchronization
import Wire
import ZeroMQ

extension Measure {
    static let fanout = Measure(name: "fanout", question: "many subscribers and a thousand events a second: every event at each") { bench in
        let (subscribers, seconds) = (bench.pick(short: 100, long: 1000), bench.pick(short: 5, long: 60))
        let outcome = try Fanout(bench, subscribers: subscribers).run(rate: 1000, seconds: seconds)
        let what = "\(subscribers) subscribers, 1,000 events/s for \(seconds) s"
        return [
            Figure("fanout", "\(what): report sent -> received", milliseconds: outcome.delays),
            Figure("fanout.lost", "\(what): events that some subscriber lacks", unit: "events", Double(outcome.lost)),
        ]
    }
}

/// A publisher with subscribers on several threads, and one host that reports at an even rate.
struct Fanout {
    struct Outcome {
        /// By frame and subscriber, of the frame's first event, which has waited longest.
        let delays: Sample
        /// Events times subscribers that did not come.
        let lost: Int
        /// What the publisher used of a processor.
        let processorShare: Double
    }

    private let cluster: Cluster
    private let publisher: Cluster.Publisher
    private static let threads = 4

    init(_ bench: Bench, subscribers: Int) throws {
        cluster = try Cluster(bench, hosts: subscribers + 1)
        publisher = try cluster.publisher()
    }

    /// When each event was sent, for all threads: written before it is sent, read when it has come.
    private final class Departures: Sendable {
        private let times: Mutex<[ContinuousClock.Instant]>

        init(_ count: Int) { times = Mutex(Array(repeating: .now, count: count)) }

        func note(_ number: Int) { times.withLock { $0[number] = .now } }

        subscript(_ number: Int) -> ContinuousClock.Instant { times.withLock { $0[number] } }
    }

    func run(rate: Int, seconds: Int) throws -> Outcome {
        let (cluster, endpoint, count) = (cluster, publisher.broadcasts, rate * seconds)
        let departures = Departures(count)
        let ready = Countdown(Fanout.threads)
        let subscribers = cluster.hosts.count - 1
        let over = Gate()
        let listening = (0..<Fanout.threads).map { thread in
            Worker { () throws -> (delays: [Double], received: Int) in
                let part = cluster.hosts[(subscribers * thread / Fanout.threads)..<(subscribers * (thread + 1) / Fanout.threads)]
                var listener = try Listener(part, of: cluster, to: endpoint, in: try Context())
                try listener.settle()
                ready.count()
                var delays: [Double] = []
                var (received, complete) = (0, 0)
                while complete < part.count, !over.stands {
                    try listener.listen(until: .now + .milliseconds(200)) { _, frame in
                        guard frame.last >= frame.first, let first = Int(exactly: frame.first - 1) else { return }
                        delays.append((ContinuousClock.now - departures[first]).milliseconds)
                        received += Int(frame.last - frame.first) + 1
                        if frame.last == UInt64(count) { complete += 1 }
                    }
                }
                return (delays, received)
            }
        }
        ready.wait()
        let (before, start) = (try publisher.daemon.processorTime, ContinuousClock.now)
        try send(count, rate: rate, departures)
        let share = (try publisher.daemon.processorTime - before) / (ContinuousClock.now - start)
        // Who still lacks something then has lost it.
        let ending = Worker { () throws -> Bool in
            usleep(10_000_000)
            over.open()
            return true
        }
        var (delays, received): ([Double], Int) = ([], 0)
        for worker in listening {
            let part = try worker.result()
            delays += part.delays
            received += part.received
        }
        withExtendedLifetime(ending) {}
        return Outcome(delays: Sample(delays), lost: subscribers * count - received, processorShare: share)
    }

    /// Sends each event in its time, or several when the answer before took longer.
    private func send(_ count: Int, rate: Int, _ departures: Departures) throws {
        let host = cluster.hosts[cluster.hosts.count - 1]
        var requester = try Requester(host, of: cluster, to: publisher.requests, in: try Context())
        _ = try requester.ask(Message(.query, ["what": "bans"]).frames)
        let start = ContinuousClock.now
        var sent = 0
        while sent < count {
            let due = min(Int((ContinuousClock.now - start).seconds * Double(rate)) + 1, count)
            guard due > sent else {
                usleep(200)
                continue
            }
            let report = Workload.report(sent..<due, of: host.name)
            for number in sent..<due { departures.note(number) }
            try requester.report(report)
            sent = due
        }
    }
}
