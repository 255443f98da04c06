// What the daemons share: the keys of [monitor], with their defaults.

import Wire

/// Which of fail2ban's jails are reported.
public enum JailSelection: Hashable, Sendable {
    case all
    case only(Set<Jail>)
}

/// `[monitor]`: reads fail2ban's log on this host and reports to the publisher.
public struct MonitorSettings: Hashable, Sendable {
    /// `pidfile`. Default `/run/fail2ban-cluster/monitor.pid`.
    public var pidfile = "/run/fail2ban-cluster/monitor.pid"
    /// `zmqreplyserver`: the publishers' request endpoints, the active one and its standbys, 1 to 8. Required.
    public var replyServers: [Endpoint] = []
    /// `fail2banlogpath`. Default `/var/log/fail2ban.log`.
    public var logPath = "/var/log/fail2ban.log"
    /// `jails`: those that are reported. Default `all`.
    public var jails = JailSelection.all
    /// `ignorejails`: those that are never reported. Default `fail2ban-cluster, fail2bancluster, recidive`.
    ///
    /// ``Wire/Jail/cluster`` and ``Wire/Jail/legacyCluster`` are never reported, whether they stand here or not.
    public var ignoredJails: Set<Jail>

    public init() {
        ignoredJails = [.cluster, .legacyCluster]
        if let recidive = Jail("recidive") { ignoredJails.insert(recidive) }
    }

    init(reading section: inout SectionReader) {
        self.init()
        pidfile = section.path("pidfile", default: pidfile)
        replyServers = section.endpoints("zmqreplyserver")
        logPath = section.path("fail2banlogpath", default: logPath)
        jails = section.jailSelection("jails", default: jails)
        ignoredJails = Set(section.list("ignorejails", default: Array(ignoredJails), allowed: SectionReader.allowedJails) { Jail($0) })
        // Keys of fail2ban-zmq-tools: its monitor sent a token, ours has a key.
        for key in ["auth", "authtoken"] {
            _ = section.optional(key, allowed: "any text") { $0 }
            guard section.has(key) else { continue }
            section.warn(key, "has no effect: the monitor proves itself by its key", hint: "delete the line; see fail2ban-cluster keygen")
        }
    }
}

extension SectionReader {
    static let allowedJails = "names of jails ([A-Za-z0-9][A-Za-z0-9._-]*, at most 64 characters), separated by commas or blanks"

    /// At most 8 endpoints to connect to.
    mutating func endpoints(_ key: String) -> [Endpoint] {
        let allowed = Endpoint.allowedToConnect + ", several separated by commas"
        let endpoints = list(key, default: [], allowed: allowed) { Endpoint(connect: $0) }
        if endpoints.count > 8 { refuse(key, "has \(endpoints.count) endpoints", allowed: "at most 8") }
        if let example = endpoints.first(where: { $0.host == "publisher.example.org" }) {
            warn(key, "`\(example)` is the example of the file as it comes", hint: "put your publisher there")
        }
        return endpoints
    }

    mutating func jailSelection(_ key: String, default fallback: JailSelection) -> JailSelection {
        let names = list(key, default: [String](), allowed: SectionReader.allowedJails + ", or all") { text in
            text.lowercased() == "all" ? "all" : Jail(text)?.description
        }
        guard has(key) else { return fallback }
        if names.contains("all"), names.count == 1 { return .all }
        if names.contains("all") || names.isEmpty {
            refuse(key, names.isEmpty ? "has no value" : "all stands for every jail, so it stands alone", allowed: "all, or names of jails")
        }
        return .only(Set(names.compactMap { Jail($0) }))
    }
}
