// The harness: a cluster of the real programs in a folder of its own, with as many hosts as a measure needs.

import Foundation
import Wire
import ZeroMQ

/// The folder, the keys and the configuration of a cluster whose publisher listens on loopback. Removed with its last user.
final class Cluster: Sendable {
    let folder: String
    let hosts: [Host]
    let publisherKey: PublicKey
    private let bench: Bench

    /// A host with a key of its own, which the publisher admits with all roles.
    struct Host: Sendable {
        let name: Hostname
        let keys: KeyPair
    }

    /// - Parameter hosts: how many there are besides the one that the daemons run on.
    init(_ bench: Bench, hosts count: Int = 1) throws {
        self.bench = bench
        // Not on a tmpfs, where a sync of the disk costs nothing.
        folder = FileManager.default.currentDirectoryPath + "/.bench-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: folder + "/fail2ban.log"))
        try Cluster.configure(folder, "publisher", [:])
        try Command.run([bench.programs + "/fail2ban-cluster", "init", "-c", folder + "/publisher.conf"])
        guard let key = try Cluster.firstLine(of: folder + "/keys/publisher.pub").flatMap({ PublicKey(z85: $0) }) else {
            throw BenchError("the publisher has no key")
        }
        publisherKey = key
        var lines = try String(contentsOfFile: folder + "/keys/authorized_hosts", encoding: .utf8)
        hosts = try (0..<count).map { index in
            guard let name = Hostname("web\(index + 1)") else { throw BenchError("not a host's name") }
            return Host(name: name, keys: try KeyPair.generate())
        }
        for host in hosts { lines += "\(host.name) monitor,subscriber,operator \(host.keys.publicKey)\n" }
        try lines.write(toFile: folder + "/keys/authorized_hosts", atomically: true, encoding: .utf8)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    var log: String { folder + "/fail2ban.log" }

    /// A publisher that runs, and where it listens.
    struct Publisher: Sendable {
        let daemon: Daemon
        /// Requests, broadcasts, and where they are on the requests and broadcasts of old clients.
        let endpoints: [String]

        var requests: String { endpoints[0] }
        var broadcasts: String { endpoints[1] }
    }

    /// - Parameter settings: further keys of `[publisher]`.
    func publisher(_ settings: [String: String] = [:]) throws -> Publisher {
        let settings = settings.merging([
            "replybindurl": "tcp://127.0.0.1:*", "broadcasterbindurl": "tcp://127.0.0.1:*", "maxholds": "10000000",
        ]) { given, _ in given }
        try Cluster.configure(folder, "publisher", settings)
        let daemon = try start("publisher", ready: "term ")
        let line = daemon.readiness
        guard let list = line.components(separatedBy: "listening on ").last else { throw BenchError("no endpoints in: \(line)") }
        let endpoints = list.trimmingCharacters(in: .whitespacesAndNewlines).components(separatedBy: ", ")
        return Publisher(daemon: daemon, endpoints: endpoints)
    }

    func monitor(of publisher: Publisher) throws -> Daemon {
        try Cluster.configure(folder, "monitor", ["zmqreplyserver": publisher.requests, "fail2banlogpath": log])
        return try start("monitor", ready: "following ")
    }

    /// How a subscriber enforces.
    enum Enforcing {
        case nothing
        /// By the fail2ban that this command talks to.
        case fail2ban(client: String)
        /// By the nftables of the present network namespace, with a line in the log for each transaction.
        case nftables
    }

    /// - Parameter ready: the line to wait for.
    func subscriber(of publisher: Publisher, enforcing: Enforcing = .nothing, ready: String = "up to date") throws -> Daemon {
        let (action, general): (String, [String: String]) =
            switch enforcing {
            case .nothing: ("dry-run", [:])
            case .fail2ban(let client): ("fail2ban-client", ["fail2banclient": client])
            case .nftables: ("nftables", ["loglevel": "info"])
            }
        let settings = ["zmqreplyserver": publisher.requests, "zmqpublisherurl": publisher.broadcasts, "subscriberaction": action]
        try Cluster.configure(folder, "subscriber", settings, general: general)
        return try start("subscriber", ready: ready)
    }

    /// Adds to the host's fail2ban.log.
    func log(_ text: [UInt8]) throws {
        let file = open(log, O_WRONLY | O_APPEND)
        guard file >= 0 else { throw BenchError("can't open \(log)") }
        defer { close(file) }
        var rest = text[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { throw BenchError("can't write \(log)") }
            rest = rest.dropFirst(count)
        }
    }

    private func start(_ name: String, ready: String) throws -> Daemon {
        try Daemon(bench.programs + "/fail2ban-\(name)", ["run", "-c", folder + "/\(name).conf"], ready: ready)
    }

    private static func configure(_ folder: String, _ section: String, _ settings: [String: String], general: [String: String] = [:]) throws
    {
        let common = [
            "hostname": "bench", "statedir": folder, "keydir": "\(folder)/keys", "logtarget": "stderr", "loglevel": "notice",
            "fail2bandbpath": "none",
        ]
        func lines(_ settings: [String: String]) -> String { settings.map { "\($0.key) = \($0.value)\n" }.joined() }
        let text = """
            [general]
            \(lines(common.merging(general) { _, given in given }))
            [\(section)]
            pidfile = \(folder)/\(section).pid
            \(lines(settings))
            """
        try text.write(toFile: folder + "/\(section).conf", atomically: true, encoding: .utf8)
    }

    private static func firstLine(of path: String) throws -> String? {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").first.map(String.init)
    }
}
