// The operator's command: whether a host is in sync, or why not and what helps. A value without clock or I/O.

import Daemon
import Wire

/// What `status` says of one host, or of the publisher.
struct Verdict: Codable, Equatable {
    /// `ok`, `pending` (it will be, or so it seems) or `wrong`.
    enum Level: String, Codable, Comparable {
        case ok
        case pending
        case wrong

        static func < (a: Level, b: Level) -> Bool { a.rank < b.rank }
        private var rank: Int { self == .ok ? 0 : self == .pending ? 1 : 2 }
    }

    struct Reason: Codable, Equatable {
        var level: Level
        var text: String
        /// What to do about it.
        var remedy: String?
    }

    var level: Level { reasons.map(\.level).max() ?? .ok }
    var reasons: [Reason] = []

    mutating func add(_ level: Level, _ text: String, _ remedy: String? = nil) {
        reasons.append(Reason(level: level, text: text, remedy: remedy))
    }

    /// `in sync`, or all reasons why not with their remedies.
    var sentence: String {
        let important = reasons.filter { $0.level != .ok }
        let notes = reasons.filter { $0.level == .ok }.map(\.text)
        guard !important.isEmpty else { return (["in sync"] + notes).joined(separator: "; ") }
        return important.map { reason in reason.remedy.map { "\(reason.text): \($0)" } ?? reason.text }.joined(separator: "; ")
    }
}

extension Verdict {
    /// Two states and a half that did not come.
    static let silence: Int64 = 75_000
    /// Announcements that are so old, in milliseconds, and not applied are a lag, not the way there.
    static let longestLag: Int64 = 10_000
    /// Milliseconds. A request that is repeated may take some of them, which look like a clock that is behind.
    static let clockTolerance: Int64 = 5000
    /// fail2ban's levels at which it logs no Ban line, which is a NOTICE.
    static let quietLevels = ["CRITICAL", "ERROR", "WARNING", "WARN"]

    /// What to say of a host.
    init(of host: ClusterStatus.Host, in cluster: ClusterStatus) {
        let isYoung = cluster.now - cluster.publisher.started < Verdict.silence
        if host.hasMonitor {
            hear("monitor", of: host.host, at: host.monitor?.at, now: cluster.now, isYoung: isYoung)
            if host.monitor?.unreadable == true { addUnreadable("monitor") }
            if let state = host.monitor?.state { judge(state) }
        }
        if host.hasSubscriber {
            hear("subscriber", of: host.host, at: host.subscriber?.at, now: cluster.now, isYoung: isYoung)
            if host.subscriber?.unreadable == true {
                addUnreadable("subscriber")
            } else if let told = host.subscriber {
                judge(told, of: host.host, cluster)
            }
        }
        if let fail2ban = host.fail2ban?.server, host.hasMonitor { judge(fail2ban, readLog: host.monitor?.state.log) }
        if let clock = host.clock, clock.magnitude > Verdict.clockTolerance {
            add(
                .wrong,
                "its clock is \(TimeSpan.text(seconds: Int64(clamping: clock.magnitude / 1000))) \(clock > 0 ? "ahead" : "behind")",
                "let NTP set it, and the publisher's")
        }
        let others = host.versions.filter { $0 != cluster.publisher.version }
        if !others.isEmpty { add(.ok, "version \(others.joined(separator: ", ")), the publisher has \(cluster.publisher.version)") }
    }

    private mutating func addUnreadable(_ daemon: String) {
        add(.wrong, "what its \(daemon) tells of itself can't be read", "see that it has the version of this program, \(packageVersion)")
    }

    private mutating func hear(_ daemon: String, of host: String, at: Int64?, now: Int64, isYoung: Bool) {
        let remedy = "on \(host): fail2ban-\(daemon) status, fail2ban-\(daemon) check"
        guard let at else {
            if isYoung { add(.pending, "the \(daemon) has not been heard of yet") } else { add(.wrong, "no \(daemon) heard of", remedy) }
            return
        }
        guard now - at > Verdict.silence else { return }
        add(.wrong, "the \(daemon) has been silent for \(TimeSpan.text(seconds: (now - at) / 1000))", remedy)
    }

    private mutating func judge(_ state: ClusterStatus.MonitorReport) {
        if let problem = state.logProblem {
            add(.wrong, "fail2ban's log is not read: \(problem)", "see fail2banlogpath, and that the monitor may read it")
        }
        if let database = state.database, database == "unreadable" || database == "missing" {
            add(.ok, "fail2ban's database is \(database), so Unbans come later")
        }
    }

    private mutating func judge(_ told: ClusterStatus.Told<ClusterStatus.SubscriberReport>, of host: String, _ cluster: ClusterStatus) {
        let state = told.state
        if state.hearing == false {
            add(
                .wrong, "it hears no broadcasts",
                "see that zmqpublisherurl names the publisher's broadcasterbindurl, and that no firewall blocks that port"
            )
        }
        if state.term != cluster.term {
            let isNew = told.at - cluster.publisher.started < Verdict.longestLag
            add(
                isNew ? .pending : .wrong,
                state.term == nil ? "it has not fetched the bans yet" : "it follows another start of the publisher",
                isNew ? nil : "see the subscriber's log on \(host)")
        } else if let lag = told.lag, lag.events > 0 {
            let text =
                "\(lag.events) announcement\(lag.events == 1 ? "" : "s") behind, for \(TimeSpan.text(seconds: lag.milliseconds / 1000))"
            let isLong = lag.milliseconds > Verdict.longestLag
            add(isLong ? .wrong : .pending, text, isLong ? "see the subscriber's log on \(host)" : nil)
        }
        for (name, enforcer) in (state.enforcers ?? [:]).sorted(by: { $0.key < $1.key }) {
            if let trouble = enforcer.trouble {
                add(.wrong, "\(name): \(trouble)")
            } else if let waiting = enforcer.waiting, waiting > 0 {
                add(.pending, "\(name): \(waiting) change\(waiting == 1 ? "" : "s") under way")
            } else if enforcer.settled == false {
                add(.pending, "\(name): being compared with what the cluster bans")
            }
        }
        if state.enforcers?.isEmpty == false, state.waysOfEnforcing.isEmpty { add(.ok, "dry-run: nobody is banned here") }
        if let count = state.refusedCount, count > 0 { add(.ok, "refuses \(count) by its own rules") }
    }

    mutating func judge(_ fail2ban: ClusterStatus.SubscriberReport.Enforcer.Server, readLog: String?) {
        if let level = fail2ban.loglevel, Verdict.quietLevels.contains(level) {
            add(
                .wrong, "fail2ban logs only from \(level) on, so none of its bans is reported",
                "loglevel = INFO in fail2ban.local, then fail2ban-client reload")
        }
        guard let target = fail2ban.logtarget else { return }
        if !target.hasPrefix("/") {
            add(
                .wrong, "fail2ban logs to \(target), which is not read",
                "logtarget = /var/log/fail2ban.log in fail2ban.local, then restart it")
        } else if let readLog, readLog != target {
            add(.wrong, "fail2ban logs to \(target), and the monitor reads \(readLog)", "set fail2banlogpath in [monitor]")
        }
    }

    /// What to say of the publisher.
    ///
    /// - Parameter now: the publisher's clock.
    init(of publisher: ClusterStatus.Publisher, now: Int64) {
        if let trouble = publisher.journal.trouble {
            let age = TimeSpan.text(seconds: max(now - trouble.at, 0) / 1000)
            add(
                .wrong, "the journal could not be written \(age) ago, so nothing is acknowledged: \(trouble.text)",
                trouble.remedy)
        }
        guard !publisher.plain.isEmpty else { return }
        add(.ok, "old clients are served WITHOUT ENCRYPTION at \(publisher.plain.joined(separator: ", "))")
    }
}
