// What the daemons share: the keys of [subscriber], with their defaults.

import Wire

/// How a subscriber enforces a ban.
public enum SubscriberAction: String, Hashable, Sendable, CaseIterable {
    /// Through the jail `fail2ban-cluster` of this host's fail2ban.
    case fail2banClient = "fail2ban-client"
    /// Through a table of this host's nftables.
    case nftables
    /// The syslog line of fail2ban-zmq-tools.
    case log
    /// A command of the operator's own.
    case exec
    /// Only says what it would do.
    case dryRun = "dry-run"
}

/// `[subscriber]`: makes this host's enforced set equal to the cluster's.
public struct SubscriberSettings: Hashable, Sendable {
    /// `pidfile`. Default `/run/fail2ban-cluster/subscriber.pid`.
    public var pidfile = "/run/fail2ban-cluster/subscriber.pid"
    /// `zmqpublisherurl`: the publishers' broadcast endpoints, in the order of ``replyServers``, 1 to 8. Required.
    public var publishers: [Endpoint] = []
    /// `zmqreplyserver`: the publishers' request endpoints. Default: those of `[monitor]`; empty when there are none, as in a file
    /// of fail2ban-zmq-tools for a host that only subscribes.
    public var replyServers: [Endpoint] = []
    /// `zmqprefixfilter`: only events whose line begins so are enforced, by `log` and `exec` only. Default: empty, all.
    public var prefixFilter = ""
    /// `subscriberaction`: each of them enforces every ban. Default `fail2ban-client`. Never empty, no two alike.
    public var actions = [SubscriberAction.fail2banClient]
    /// `jail`: the jail of this host's fail2ban that takes the cluster's bans. Default `fail2ban-cluster`.
    public var jail = Jail.cluster
    /// `ignoreip`: never banned on this host. Default: none (what is fixed is in ``NeverBan``).
    public var ignoreip: [IgnoreRule] = []
    /// `protectlogins`: whether the addresses that root is logged in from by SSH are never banned. Default yes.
    public var protectLogins = true
    /// `minprefix4`: a wider IPv4 prefix is refused; bits, 8 to 32. Default 24.
    public var minPrefix4 = PrefixLimits.ipv4Default
    /// `minprefix6`: a wider IPv6 prefix is refused; bits, 16 to 128. Default 56.
    public var minPrefix6 = PrefixLimits.ipv6Default
    /// `reconcile`: how often the wanted set is compared with the enforced one, 5s to 1d. Default 5m.
    public var reconcile = Duration.seconds(300)
    /// `execcommand`: the command of `exec`, split at blanks outside double quotes; its first word is a full path. Required with
    /// `exec`; default: none.
    public var execCommand: [String] = []

    public init() {}

    init(reading section: inout SectionReader) {
        pidfile = section.path("pidfile", default: pidfile)
        publishers = section.endpoints("zmqpublisherurl")
        replyServers = section.endpoints("zmqreplyserver")
        prefixFilter = section.value("zmqprefixfilter", default: prefixFilter, allowed: "printable text of at most 512 bytes") { text in
            text.utf8.count <= 512 && text.utf8.allSatisfy { (0x20...0x7e).contains($0) } ? text : nil
        }
        readActions(&section)
        jail = section.value("jail", default: jail, allowed: "the name of a jail ([A-Za-z0-9][A-Za-z0-9._-]*, at most 64 characters)") {
            Jail($0)
        }
        ignoreip = section.list("ignoreip", default: ignoreip, allowed: IgnoreRule.allowed) { IgnoreRule($0) }
        protectLogins = section.boolean("protectlogins", default: protectLogins)
        (minPrefix4, minPrefix6) = section.prefixLimits()
        reconcile = section.duration("reconcile", default: reconcile, in: .seconds(5) ... .seconds(86_400))
        execCommand = section.list("execcommand", default: execCommand, at: .blanks, allowed: "a program's full path and its arguments") {
            $0
        }
        if let program = execCommand.first, !isFullPath(program) {
            section.refuse("execcommand", "`\(program)` is not a full path", allowed: "a program's full path and its arguments")
        }
        if actions.contains(.exec), execCommand.isEmpty {
            section.refuse("subscriberaction", "has exec, and no execcommand is given", hint: "give execcommand")
        }
    }

    private mutating func readActions(_ section: inout SectionReader) {
        let key = "subscriberaction"
        let known = SubscriberAction.allCases.map(\.rawValue)
        let allowed = "one or more of \(known.joined(separator: ", "))"
        let names = section.list(key, default: actions.map(\.rawValue), allowed: allowed) { $0.lowercased() }
        var wanted: [SubscriberAction] = []
        for name in names {
            if let action = SubscriberAction(rawValue: name) {
                if !wanted.contains(action) { wanted.append(action) }
            } else {
                let near = suggestion(for: name, among: known)
                section.refuse(key, "`\(name)` is not allowed", allowed: allowed, hint: near.map { "did you mean \($0)?" })
            }
        }
        if names.isEmpty { section.refuse(key, "has no value", allowed: allowed) }
        if !wanted.isEmpty { actions = wanted }
    }
}
