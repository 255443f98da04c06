// Stage 3: what the subscriber tells the publisher of itself every 30 s.

import Daemon
import Wire

/// The JSON of the subscriber's `STATE`. Members may be added; readers ignore what they don't know.
struct SubscriberState {
    /// Refused addresses that are named; beyond, only their number is told.
    static let mostRefused = 100
    /// Characters of what is said of a trouble.
    static let longestTrouble = 400

    struct Enforcing: Equatable {
        var name: String
        /// Whether it agreed with what is wanted when it was last looked at.
        var isSettled: Bool
        /// Changes that it has not carried out.
        var waiting = 0
        /// Why it can't enforce anything, where it can't.
        var trouble: String?
        /// What it works with, beyond the version.
        var server: JSONText?
        /// The version of what it works with, where it has one.
        var version: String?
    }

    /// Up to where announcements were applied; `nil` before the first answer of a publisher.
    var position: CatchUp.Position?
    /// Addresses that this host should enforce.
    var wanted: Int
    /// Those that the cluster bans and this host's rules forbid: at most ``mostRefused`` of them, and how many there are.
    var refused: [Address]
    var refusedCount: Int
    var enforcers: [Enforcing]
    /// From the log line of a ban to its being applied here.
    var latency = LatencyHistogram()
    /// Whether broadcasts arrive.
    var isHearing = true

    var json: [UInt8] {
        var json = JSONText()
        json.set("version", packageVersion)
        json.set("term", position?.term.description)
        json.set("number", position?.last)
        json.set("bans", wanted)
        json.set("refused", refused.prefix(SubscriberState.mostRefused).map(\.description))
        json.set("refusedCount", refusedCount)
        var enforcing = JSONText()
        for enforcer in enforcers {
            var one = JSONText()
            one.set("settled", enforcer.isSettled)
            one.set("waiting", enforcer.waiting)
            one.set("trouble", enforcer.trouble.map { String($0.prefix(SubscriberState.longestTrouble)) })
            one.set("version", enforcer.version)
            if let server = enforcer.server { one.set("server", server) }
            enforcing.set(enforcer.name, one)
        }
        json.set("enforcers", enforcing)
        var measured = JSONText()
        measured.set("count", latency.count)
        measured.set("p50", latency.percentile(0.5))
        measured.set("p99", latency.percentile(0.99))
        json.set("latency", measured)
        json.set("hearing", isHearing)
        return json.bytes
    }
}

extension SubscriberState.Enforcing {
    init(_ enforcer: any Enforcer) {
        self.init(
            name: enforcer.name, isSettled: enforcer.isSettled, waiting: enforcer.waiting, trouble: enforcer.trouble,
            server: enforcer.server, version: enforcer.version)
    }
}
