// Fault test: the cluster that faults and orders happen to: hosts of a lab, with jails, a small disk, relays and clocks of their own.

import Glibc
import TestSupport
import Testing

/// One publisher and some hosts, all of whose parts can be disturbed.
struct ChaosCluster: Sendable {
    let hosts: [ChaosHost]
    let record: ChaosRecord
    let parts = Parts()
    /// Between each host but the publisher's and the publisher, by the host's number.
    let relays: [Int: DelayRelay]
    private let switchNamespace: String

    /// Bytes of the disk under the journal: some 100,000 events.
    private static let diskSize = "48m"

    /// Makes a cluster, starts everything, runs `body`, and ends and removes everything.
    static func with(hosts count: Int, seed: UInt64, _ body: (ChaosCluster) async throws -> Void) async throws {
        try await Lab.with(hosts: count, bantime: "6h") { lab in
            let cluster = ChaosCluster(lab, seed: seed)
            for relay in cluster.relays.values { relay.start() }
            do {
                try await cluster.prepare()
                try await body(cluster)
            } catch {
                await cluster.end()
                // The small disk goes with the lab; what was on it is wanted.
                _ = try? await execute(["cp", "-a", cluster.stateFolder, cluster.stateFolder + "-kept"])
                throw error
            }
            await cluster.end()
        }
    }

    private init(_ lab: Lab, seed: UInt64) {
        let name = lab.directory.split(separator: "/").last.map(String.init) ?? ""
        let record = ChaosRecord(seed: seed)
        hosts = lab.hosts.map { ChaosHost(lab: $0, namespace: "/run/netns/\(name)\($0.number)", record: record) }
        self.record = record
        relays = Dictionary(
            uniqueKeysWithValues: lab.hosts.dropFirst().map {
                ($0.number, DelayRelay(namespace: "/run/netns/\(name)\($0.number)", upstream: lab.hosts[0].ipv4, ports: [5678, 5680]))
            })
        switchNamespace = "/run/netns/\(name)0"
    }

    var publisherHost: ChaosHost { hosts[0] }
    func host(_ number: Int) -> ChaosHost { hosts[number - 1] }
    var stateFolder: String { "\(publisherHost.lab.folder)/state" }
    var journal: String { "\(stateFolder)/journal.sqlite" }

    /// Runs a command in the network of a host, or with 0 of the switch.
    func run(on number: Int, _ words: String...) async throws {
        let namespace = number == 0 ? switchNamespace : host(number).namespace
        let outcome = try await execute(["nsenter", "--net=\(namespace)", "--"] + words)
        try #require(outcome.status == 0, "\(words): \(outcome)")
    }

    // MARK: Beginning and end

    private func prepare() async throws {
        // The lab unmounts it.
        let mounted = try await execute(["mount", "-t", "tmpfs", "-o", "size=\(Self.diskSize)", "tmpfs", stateFolder])
        try #require(mounted.status == 0, "\(mounted)")
        try await onEachHost { host in
            try write(host)
            let reloaded = try await host.client(["-c", "\(host.lab.folder)/fail2ban", "reload"])
            try #require(reloaded.status == 0, "\(reloaded)")
        }
        let publisher = publisherHost
        try await publisher.start(.publisher)
        try await onEachHost { host in
            try await host.start(.monitor)
            try await host.start(.subscriber)
        }
        try await measureFail2ban()
        // Until then a subscriber that is started again could not tell what is over, as after a restore: the host is new to the publisher.
        for host in hosts {
            try await eventually("the place that the subscriber of \(host.lab.name) remembers", within: .seconds(60)) {
                host.followedTerm != nil
            }
        }
    }

    private func write(_ host: ChaosHost) throws {
        let folder = host.lab.folder
        // No filter and no action: only `banip` fills them. `gauge` measures what fail2ban takes for nftables.
        var jails = ""
        for jail in ChaosJail.allCases where jail != .sshd {
            jails +=
                "[\(jail.rawValue)]\nenabled = true\nfilter = fail2ban-cluster\nbackend = polling\nbantime = \(jail.banTime)\naction = noop\n"
        }
        jails +=
            "[gauge]\nenabled = true\nfilter = fail2ban-cluster\nbackend = polling\nbanaction = nftables-allports\naction = %(action_)s\n"
        try writeFile("\(folder)/fail2ban/jail.d/chaos.conf", jails)
        try writeFile("\(folder)/fail2ban/action.d/noop.conf", "[Definition]\n")

        let server = host.number == 1 ? "192.0.2.1" : "127.0.0.1"
        // What an `unban --all` took from the cluster's jail is found by comparing only, and all must be right within 10 s.
        try host.lab.overlayConfiguration(
            """
            [monitor]
            ignorejails = fail2ban-cluster, fail2bancluster, recidive, gauge
            zmqreplyserver = tcp://\(server):5678
            [subscriber]
            zmqpublisherurl = tcp://\(server):5680
            zmqreplyserver = tcp://\(server):5678
            reconcile = 5s

            """)
        for daemon in DaemonProgram.allCases { try writeFile(host.clockFile(of: daemon), "+0\n") }
    }

    private func end() async {
        for relay in relays.values { relay.stop() }
        try? await onEachHost { host in
            for daemon in [DaemonProgram.subscriber, .monitor, .publisher] { _ = try await host.control(daemon, "stop") }
        }
    }

    func onEachHost(_ body: @Sendable @escaping (ChaosHost) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for host in hosts { group.addTask { try await body(host) } }
            try await group.waitForAll()
        }
    }

    /// How long fail2ban itself takes for a ban and an unban through nftables, while all hosts do it.
    private func measureFail2ban() async throws {
        let addresses = (1...40).map { "203.0.113.\($0)" }
        let clock = ContinuousClock()
        func time(_ command: String) async throws -> Duration {
            try await clock.measure {
                try await onEachHost { host in
                    let outcome = try await host.client(["set", "gauge", command] + addresses)
                    try #require(outcome.status == 0, "\(outcome)")
                }
            } / addresses.count
        }
        let ban = try await time("banip")
        let unban = try await time("unbanip")
        await record.note { ($0.banTime, $0.unbanTime) = (ban, unban) }
    }
}

func writeFile(_ path: String, _ text: String) throws {
    let stream = try #require(fopen(path, "we"), "\(path)")
    defer { fclose(stream) }
    try #require(fputs(text, stream) >= 0, "\(path)")
}
