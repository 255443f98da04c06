// Stage 3: what the subscriber tells the publisher of itself every 30 s.

import Daemon
import Wire

/// The JSON of the subscriber's `STATE`. Members may be added; readers ignore what they don't know.
struct SubscriberState {
    /// Refused addresses that are named; beyond, only their number is told.
    static let mostRefused = 100

    struct Enforcing: Equatable {
        var name: String
        /// Whether it agreed with what is wanted when it was last looked at.
        var isSettled: Bool
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
            one.set("version", enforcer.version)
            enforcing.set(enforcer.name, one)
        }
        json.set("enforcers", enforcing)
        return json.bytes
    }
}
