// Measure: bans and unbans through fail2ban-client, beside what fail2ban itself can do.

import Foundation
import Wire
import ZeroMQ

extension Measure {
    static let fail2ban = Measure(
        name: "fail2ban", question: "bans through fail2ban-client with its own nftables action, in a network namespace"
    ) { bench in
        guard getuid() == 0 else {
            say("  not measured: only root makes network namespaces")
            return []
        }
        let count = bench.pick(short: 400, long: 2000)
        let host = try LabHost()
        defer { host.remove() }
        let alone = try host.alone(count)
        let cluster = try Cluster(bench)
        let publisher = try cluster.publisher()
        let subscriber = try cluster.subscriber(of: publisher, enforcing: .fail2ban(client: host.client))
        defer { subscriber.stop() }
        let pings = Pings(host)
        let through = try (
            bans: host.rate(of: "Ban", count) { try report(.ban, count, cluster, publisher) },
            unbans: host.rate(of: "Unban", count) { try report(.unban, count, cluster, publisher) }
        )
        return [
            Figure(
                "fail2ban.bans", "\(count) bans by the subscriber", unit: "bans/s", through.bans,
                of: Figure.Limit(what: "bans/s, fail2ban alone", value: alone.bans)),
            Figure(
                "fail2ban.unbans", "\(count) unbans by the subscriber", unit: "unbans/s", through.unbans,
                of: Figure.Limit(what: "unbans/s, fail2ban alone", value: alone.unbans)),
            Figure("fail2ban.ping", "fail2ban answers a ping meanwhile", milliseconds: try pings.end()),
        ]
    }

    private static func report(_ action: Event.Action, _ count: Int, _ cluster: Cluster, _ publisher: Cluster.Publisher) throws {
        var requester = try Requester(cluster.hosts[0], of: cluster, to: publisher.requests, in: try Context())
        // Positions go on where the bans' ended.
        let first = action == .ban ? 0 : count
        for start in stride(from: 0, to: count, by: Workload.linesPerReport) {
            let numbers = start..<min(start + Workload.linesPerReport, count)
            try requester.report(Workload.report(numbers, of: cluster.hosts[0].name, action, positionsFrom: first))
        }
    }
}

/// A host of scripts/lab: a network namespace with a firewall and a fail2ban of its own.
private struct LabHost {
    private let folder: String

    init() throws {
        let name = "bench\(getpid())"
        // Short, since a socket's path is.
        folder = "/tmp/\(name)"
        try Command.run(["scripts/lab", "up", "--dir", folder, "--prefix", name, "--hosts", "1"])
    }

    func remove() { _ = try? Command.run(["scripts/lab", "down", "--dir", folder]) }

    /// The command for this host's fail2ban.
    var client: String { "fail2ban-client -s \(folder)/web1/fail2ban.sock" }

    func ask(_ words: String, input: String? = nil) throws -> String {
        try Command.run((client + " " + words).split(separator: " ").map(String.init), input: input)
    }

    /// What fail2ban does when nobody but us asks: all addresses by one client, fifty in a command, as the subscriber does at most.
    func alone(_ count: Int) throws -> (bans: Double, unbans: Double) {
        func commands(_ verb: String) -> String {
            stride(from: 0, to: count, by: 50).map { start in
                let addresses = (start..<min(start + 50, count)).compactMap { Workload.address($0 + count)?.description }
                return "set fail2ban-cluster \(verb) \(addresses.joined(separator: " "))\n"
            }.joined() + "exit\n"
        }
        return try (
            bans: rate(of: "Ban", count) { _ = try ask("-i", input: commands("banip")) },
            unbans: rate(of: "Unban", count) { _ = try ask("-i", input: commands("unbanip")) }
        )
    }

    /// How many lines of this kind a second fail2ban writes, from the beginning of `work` until so many are there.
    func rate(of verb: String, _ count: Int, _ work: () throws -> Void) throws -> Double {
        let log = try FileHandle(forReadingFrom: URL(fileURLWithPath: folder + "/web1/fail2ban.log"))
        try log.seekToEnd()
        let start = ContinuousClock.now
        try work()
        var seen = 0
        var rest = ""
        while seen < count {
            guard ContinuousClock.now < start + .seconds(600) else { throw BenchError("fail2ban wrote \(seen) of \(count) lines") }
            rest += String(decoding: log.availableData, as: UTF8.self)
            var lines = rest.components(separatedBy: "\n")
            rest = lines.removeLast()
            seen += lines.count { $0.contains("[fail2ban-cluster] \(verb) ") }
            usleep(5000)
        }
        return Double(count) / (ContinuousClock.now - start).seconds
    }
}

/// Asks fail2ban for a sign of life again and again.
private struct Pings {
    private let over = Gate()
    private let worker: Worker<[Duration]>

    init(_ host: LabHost) {
        let over = over
        worker = Worker {
            var times: [Duration] = []
            while !over.stands {
                let start = ContinuousClock.now
                _ = try host.ask("ping")
                times.append(.now - start)
                usleep(100_000)
            }
            return times
        }
    }

    func end() throws -> Sample {
        over.open()
        return Sample(try worker.result())
    }
}
