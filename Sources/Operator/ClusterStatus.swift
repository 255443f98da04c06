// The operator's command: the answer to `QUERY what=status`, with what the daemons told of themselves.

import Daemon
import Wire

/// Members that this program doesn't know are ignored; those that a daemon of another version lacks are `nil`.
struct ClusterStatus: Codable, Equatable {
    struct Publisher: Codable, Equatable {
        struct Journal: Codable, Equatable {
            struct Trouble: Codable, Equatable {
                var at: Int64
                var text: String
                var remedy: String
            }

            /// On disk.
            var bytes: Int64
            /// The number of its last row.
            var row: Int64
            /// Why it could not be written when that was last tried; `nil` when it could.
            var trouble: Trouble?
        }

        var role: String
        var host: String
        var version: String
        /// Milliseconds since the epoch, as all times.
        var started: Int64
        /// Of its last announcement.
        var number: UInt64
        /// Banned addresses.
        var bans: Int
        var allowed: Int
        var quorum: Int
        /// Endpoints without encryption.
        var plain: [String]
        var journal: Journal
    }

    struct Host: Codable, Equatable {
        struct LastBan: Codable, Equatable {
            var address: String
            var jail: String
            var at: Int64?
        }

        var host: String
        var roles: [String]
        /// Bans that it holds.
        var holds: Int
        var lastBan: LastBan?
        var monitor: Told<MonitorReport>?
        var subscriber: Told<SubscriberReport>?
    }

    /// How far a subscriber was behind.
    struct Lag: Codable, Equatable {
        /// Announcements.
        var events: UInt64
        var milliseconds: Int64
    }

    /// What a daemon told.
    struct Told<State: ToldState>: Codable, Equatable {
        /// When it came.
        var at: Int64
        /// Milliseconds by which its host's clock is ahead of the publisher's.
        var clock: Int64
        /// How far it was behind then.
        var lag: Lag?
        var state: State
        /// `true` when the state has a form that this program doesn't know.
        var unreadable: Bool?
    }

    struct MonitorReport: ToldState {
        var version: String?
        /// Lines that the publisher has not acknowledged.
        var waiting: Int?
        /// How often lines of the log were lost.
        var gaps: Int?
        /// fail2ban's log, and why it can't be read.
        var log: String?
        var logProblem: String?
        /// `ok`, or why fail2ban's database says nothing.
        var database: String?
    }

    struct SubscriberReport: ToldState {
        struct Enforcer: Codable, Equatable {
            struct Server: Codable, Equatable {
                var loglevel: String?
                var logtarget: String?
            }

            var settled: Bool?
            var waiting: Int?
            var trouble: String?
            var version: String?
            var server: Server?
        }

        struct Latency: Codable, Equatable {
            var count: Int
            /// Milliseconds.
            var p50: Int64?
            var p99: Int64?
        }

        var version: String?
        var term: String?
        var number: UInt64?
        /// Addresses that it enforces.
        var bans: Int?
        /// What it refuses to enforce by its own rules.
        var refused: [String]?
        var refusedCount: Int?
        var enforcers: [String: Enforcer]?
        var latency: Latency?
        var hearing: Bool?

        /// Those of its enforcers that refuse anyone.
        var waysOfEnforcing: [String: Enforcer] { (enforcers ?? [:]).filter { $0.key != SubscriberAction.dryRun.rawValue } }
    }

    /// The publisher's clock.
    var now: Int64
    var term: String
    var publisher: Publisher
    var hosts: [Host]
    /// Where the next page begins.
    var next: String?
}

/// What a daemon tells of itself. Whoever has a host's key can tell anything, which must neither hide the other hosts nor stop this
/// program.
protocol ToldState: Codable, Equatable {
    /// Nothing is known.
    init()
    /// Brings numbers and texts into the bounds that those of our daemons keep.
    mutating func bound()
}

extension ClusterStatus.Told {
    private enum CodingKeys: CodingKey { case at, clock, lag, state, unreadable }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        at = Bounds.time(try members.decode(Int64.self, forKey: .at))
        clock = try members.decode(Int64.self, forKey: .clock)
        lag = try members.decodeIfPresent(ClusterStatus.Lag.self, forKey: .lag)
        do {
            state = try members.decode(State.self, forKey: .state)
            state.bound()
        } catch {
            (state, unreadable) = (State(), true)
        }
    }
}

/// Bounds of what is told.
private enum Bounds {
    /// Milliseconds since the epoch, where the difference of two can't overflow.
    static func time(_ time: Int64) -> Int64 { Timestamp(milliseconds: time).milliseconds }
    static func text(_ text: String?, _ longest: Int = 400) -> String? { text.map { String($0.prefix(longest)) } }
    static func count(_ count: Int?) -> Int? { count.map { min(max($0, 0), 1_000_000_000) } }
    static func milliseconds(_ time: Int64?) -> Int64? { time.map { min(max($0, 0), 1_000_000_000_000) } }
}

extension ClusterStatus {
    /// Brings the publisher's own times into bounds: whatever it says, this program must be able to show it.
    mutating func bound() {
        now = Bounds.time(now)
        publisher.started = Bounds.time(publisher.started)
        if let trouble = publisher.journal.trouble { publisher.journal.trouble?.at = Bounds.time(trouble.at) }
        for index in hosts.indices {
            guard let time = hosts[index].lastBan?.at else { continue }
            hosts[index].lastBan?.at = Bounds.time(time)
        }
    }
}

extension ClusterStatus.MonitorReport {
    mutating func bound() {
        version = Bounds.text(version, 32)
        waiting = Bounds.count(waiting)
        gaps = Bounds.count(gaps)
        log = Bounds.text(log)
        logProblem = Bounds.text(logProblem)
        database = Bounds.text(database, 32)
    }
}

extension ClusterStatus.SubscriberReport {
    mutating func bound() {
        version = Bounds.text(version, 32)
        bans = Bounds.count(bans)
        refused = refused.map { Array($0.prefix(100)) }
        refusedCount = Bounds.count(refusedCount)
        if let measured = latency {
            latency = Latency(
                count: Bounds.count(measured.count) ?? 0, p50: Bounds.milliseconds(measured.p50), p99: Bounds.milliseconds(measured.p99))
        }
        guard let told = enforcers else { return }
        var bounded: [String: Enforcer] = [:]
        for (name, enforcer) in told.sorted(by: { $0.key < $1.key }).prefix(8) {
            let server = enforcer.server.map {
                Enforcer.Server(loglevel: Bounds.text($0.loglevel), logtarget: Bounds.text($0.logtarget))
            }
            bounded[String(name.prefix(32))] = Enforcer(
                settled: enforcer.settled, waiting: Bounds.count(enforcer.waiting), trouble: Bounds.text(enforcer.trouble),
                version: Bounds.text(enforcer.version, 32), server: server)
        }
        enforcers = bounded
    }
}

extension ClusterStatus.Host {
    var hasMonitor: Bool { roles.contains("monitor") }
    var hasSubscriber: Bool { roles.contains("subscriber") }

    /// fail2ban as the subscriber meets it; `nil` where it doesn't enforce by fail2ban.
    var fail2ban: ClusterStatus.SubscriberReport.Enforcer? { subscriber?.state.enforcers?[SubscriberAction.fail2banClient.rawValue] }

    /// The version of both daemons, or of each.
    var versions: [String] {
        let all = [monitor?.state.version, subscriber?.state.version].compactMap(\.self)
        return Set(all).count == 1 ? [all[0]] : all
    }

    /// By how much its clock is ahead, by what came last.
    var clock: Int64? {
        switch (monitor, subscriber) {
        case (let monitor?, let subscriber?): monitor.at > subscriber.at ? monitor.clock : subscriber.clock
        case (let monitor, let subscriber): monitor?.clock ?? subscriber?.clock
        }
    }

    /// Whether it has applied the announcement, by what it told last.
    func hasApplied(number: UInt64, of address: String, term: String) -> Bool {
        guard let state = subscriber?.state, state.term == term, let applied = state.number, applied >= number else { return false }
        return isEnforcing(address)
    }

    /// Whether it has applied what was announced until then: a ban as bans are listed has no number.
    func hasApplied(announcedBy time: Int64, of address: String) -> Bool {
        guard let subscriber, subscriber.at > time, subscriber.lag?.events == 0 else { return false }
        return isEnforcing(address)
    }

    private func isEnforcing(_ address: String) -> Bool {
        guard let state = subscriber?.state, !(state.refused ?? []).contains(address) else { return false }
        let ways = state.waysOfEnforcing
        return !ways.isEmpty && ways.values.allSatisfy { $0.trouble == nil && ($0.waiting ?? 0) == 0 }
    }
}
