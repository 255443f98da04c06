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
        let cluster = try Cluster(bench)
        let publisher = try cluster.publisher()
        let subscriber = try cluster.subscriber(of: publisher, enforcing: .fail2ban(client: host.client))
        defer { subscriber.stop() }
        var (alone, through) = (Work(), Work())
        // In turns, since fail2ban's own pace changes by half from minute to minute.
        let rounds = 4
        for round in 0..<rounds {
            let numbers = (round * count / rounds)..<((round + 1) * count / rounds)
            try alone.add(numbers.count, on: host, in: "sshd") { try host.ask($0, numbers) }
            try through.add(numbers.count, on: host, in: "fail2ban-cluster") { try report($0, numbers, cluster, publisher) }
        }
        return [
            Figure(
                "fail2ban.bans", "\(count) bans by the subscriber", unit: "bans/s", through.bans,
                of: Figure.Limit(what: "bans/s, fail2ban alone", value: alone.bans)),
            Figure(
                "fail2ban.unbans", "\(count) unbans by the subscriber", unit: "unbans/s", through.unbans,
                of: Figure.Limit(what: "unbans/s, fail2ban alone", value: alone.unbans)),
            Figure("fail2ban.ping", "fail2ban answers a ping meanwhile", milliseconds: Sample(through.pings)),
        ]
    }

    private static func report(_ action: Event.Action, _ numbers: Range<Int>, _ cluster: Cluster, _ publisher: Cluster.Publisher) throws {
        var requester = try Requester(cluster.hosts[0], of: cluster, to: publisher.requests, in: try Context())
        // Positions go on behind those of the rounds before; the Unbans' behind those of the Bans.
        let first = action == .ban ? numbers.lowerBound : numbers.upperBound
        for start in stride(from: numbers.lowerBound, to: numbers.upperBound, by: Workload.linesPerReport) {
            let part = start..<min(start + Workload.linesPerReport, numbers.upperBound)
            try requester.report(Workload.report(part, of: cluster.hosts[0].name, action, positionsFrom: first))
        }
    }
}

/// What fail2ban did for one of the two, over all rounds.
private struct Work {
    private var count = 0
    private var times: [Event.Action: Duration] = [:]
    /// How long fail2ban took to answer meanwhile.
    private(set) var pings: [Duration] = []

    /// A second.
    var bans: Double { Double(count) / (times[.ban] ?? .zero).seconds }
    var unbans: Double { Double(count) / (times[.unban] ?? .zero).seconds }

    /// Has so many addresses banned and lifted again; fail2ban is pinged meanwhile.
    mutating func add(_ count: Int, on host: LabHost, in jail: String, _ work: (Event.Action) throws -> Void) throws {
        let pings = Pings(host)
        for action in [Event.Action.ban, .unban] {
            times[action, default: .zero] += try host.time(of: action, count, in: jail) { try work(action) }
        }
        self.pings += try pings.end()
        self.count += count
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

    /// Has fail2ban do without us what the subscriber has it do, all by one client, and fifty addresses in a command as the subscriber at
    /// most.
    func ask(_ action: Event.Action, _ numbers: Range<Int>) throws {
        let commands = stride(from: numbers.lowerBound, to: numbers.upperBound, by: 50).map { start in
            let addresses = (start..<min(start + 50, numbers.upperBound)).compactMap { Workload.address($0)?.description }
            return "set sshd \(action == .ban ? "banip" : "unbanip") \(addresses.joined(separator: " "))\n"
        }
        _ = try ask("-i", input: commands.joined() + "exit\n")
    }

    /// How long fail2ban takes to write so many lines of this kind, from the beginning of `work`.
    func time(of action: Event.Action, _ count: Int, in jail: String, _ work: () throws -> Void) throws -> Duration {
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
            seen += lines.count { $0.contains("[\(jail)] \(action.rawValue) ") }
            usleep(5000)
        }
        return .now - start
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

    func end() throws -> [Duration] {
        over.open()
        return try worker.result()
    }
}
