// Stage 3, enforcement: says what it would do and does nothing, for a first look at a cluster from a host of value.

import Daemon
import Logging
import Wire
import ZeroMQ

final class DryRunEnforcer: Enforcer {
    let name = "dry-run"

    /// Changes said in one turn of the loop.
    static let mostPerTurn = 250

    private let log: Logger
    private var queue = LatestChanges()
    private var isDraining = false

    init(log: Logger) { self.log = log }

    func take(_ change: WantedSet.Change) { queue.take(change) }

    func add(to polled: inout PollSet) {}

    var deadline: ContinuousClock.Instant? { queue.isEmpty ? nil : .now }

    func advance(wanted: WantedSet, now: ContinuousClock.Instant) {
        for _ in 0..<DryRunEnforcer.mostPerTurn {
            guard let change = queue.popFirst() else { return }
            log.notice("\(DryRunEnforcer.sentence(change, end: wanted.end(of: change.address), now))")
        }
    }

    func drain() { isDraining = true }

    var isSettled: Bool { queue.isEmpty }

    var waiting: Int { queue.count }

    let hasUnexplained = false
    let version: String? = nil
    let trouble: String? = nil
    let server: JSONText? = nil

    /// It refuses nobody.
    func takeApplied() -> [Address] { [] }

    var isDrained: Bool { isDraining && queue.isEmpty }

    /// `would ban 192.0.2.1 for 600 s: web1, jail sshd, detected`.
    static func sentence(_ change: WantedSet.Change, end: ContinuousClock.Instant?, _ now: ContinuousClock.Instant) -> String {
        let why = change.announcement.map { "\($0.host), jail \($0.jail), \($0.cause.rawValue)" }
        switch change.kind {
        case .lifted: return "would unban \(change.address): \(why ?? "its end came, or this host refuses it now")"
        case .banned, .moved:
            let length = end.map { "for \(now.duration(to: $0).milliseconds / 1000) s" } ?? "until it is lifted"
            return "would ban \(change.address) \(length): \(why ?? "this host does not refuse it any more")"
        }
    }
}
