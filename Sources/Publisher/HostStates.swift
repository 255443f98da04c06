// Stage 2, report -> admission -> journal -> broadcast: what the hosts' daemons last told of themselves, for an operator who asks.

import Foundation
import Wire

/// The last `STATE` of each host's monitor and subscriber, and each host's last ban. In memory only: after a start all is told anew within
/// ``Wire/DaemonState/interval``.
struct HostStates {
    /// The most bytes of JSON that are kept of one daemon; ours send a quarter of it. With every member of a cluster of 1,000 hosts, 32 MB.
    static let longestState = Message.sizeLimit / 4

    /// What one daemon told.
    struct Told: Equatable {
        /// A JSON object on one line, members sorted.
        var json: String
        /// When it came, on the publisher's clock.
        var at: Timestamp
        /// Milliseconds by which the host's clock is ahead of the publisher's; the request's way makes it a little less.
        var clock: Int64
        /// What the host had not applied when it told this; `nil` of a monitor, and of a subscriber that follows another term.
        var lag: Lag?
    }

    /// How far a subscriber is behind.
    struct Lag: Equatable {
        /// Announcements that it lacks.
        var events: UInt64
        /// Since when it lacks the first of them, in milliseconds before it told so.
        var milliseconds: Int64
    }

    private struct Key: Hashable {
        var host: Hostname
        var component: DaemonState.Component
    }

    private var told: [Key: Told] = [:]
    /// The last ban that each host found, since this start.
    private(set) var lastBans: [Hostname: Event] = [:]
    private var announced = AnnouncementTimes()

    func told(by component: DaemonState.Component, of host: Hostname) -> Told? { told[Key(host: host, component: component)] }

    /// Takes what a daemon tells.
    ///
    /// - Parameter lastNumber: of the last announcement of the present term.
    /// - Throws: when it is no JSON object, or too long.
    mutating func take(
        _ state: DaemonState, from host: Hostname, term: Term, lastNumber: UInt64, now: Timestamp
    ) throws(RequestRefusal) {
        guard state.json.count <= HostStates.longestState else {
            throw RequestRefusal(.toolarge, "a state of more than \(HostStates.longestState) bytes")
        }
        // Written anew, so that what stands in the middle of other JSON is JSON, whoever sent it.
        guard String(validating: state.json, as: UTF8.self) != nil,
            let object = try? JSONSerialization.jsonObject(with: Data(state.json)) as? [String: Any],
            let json = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes]),
            json.count <= HostStates.longestState
        else { throw RequestRefusal(.malformed, "the state is not a JSON object") }
        var lag: Lag?
        if state.component == .subscriber, object["term"] as? String == term.description,
            let number = (object["number"] as? NSNumber)?.uint64Value
        {
            lag = announced.lag(behind: number, lastNumber: lastNumber, now: now)
        }
        told[Key(host: host, component: state.component)] = Told(
            json: String(decoding: json, as: UTF8.self), at: now, clock: state.now.milliseconds(since: now), lag: lag)
    }

    /// Notes what was written to the journal.
    mutating func note(_ batch: Ledger.Batch) {
        var last: Event?
        for (admitted, entry) in batch.entries {
            if let number = entry.number { announced.note(number, at: admitted) }
            guard case .admitted(let event, isPlain: false, _, _) = entry, event.action == .ban, event.cause == .detected else { continue }
            // Most come behind others of their host: only the last one is put into the table.
            if let last, last.host != event.host { lastBans[last.host] = last }
            last = event
        }
        if let last { lastBans[last.host] = last }
    }

    /// Forgets hosts that don't belong to the cluster any more.
    mutating func keep(_ isMember: (Hostname) -> Bool) {
        told = told.filter { isMember($0.key.host) }
        lastBans = lastBans.filter { isMember($0.key) }
    }
}

/// When announcements were made, to the second, so that a lag in numbers is one in time too.
struct AnnouncementTimes {
    /// Seconds with announcements that are remembered; who is further behind is at least as old as the first of them.
    static let most = 4096

    private var entries: [(last: UInt64, first: Timestamp)] = []

    /// The announcement was made then. To be told of each, in order.
    mutating func note(_ number: UInt64, at time: Timestamp) {
        if let entry = entries.last, time.milliseconds(since: entry.first) < 1000 {
            entries[entries.count - 1].last = number
            return
        }
        // In halves, so that the rest is not moved each second.
        if entries.count == AnnouncementTimes.most { entries.removeFirst(AnnouncementTimes.most / 2) }
        entries.append((number, time))
    }

    /// How far one is behind who has everything up to `number`.
    func lag(behind number: UInt64, lastNumber: UInt64, now: Timestamp) -> HostStates.Lag {
        guard number < lastNumber else { return HostStates.Lag(events: 0, milliseconds: 0) }
        let since = entries.first { $0.last > number }?.first ?? now
        return HostStates.Lag(events: lastNumber - number, milliseconds: max(now.milliseconds(since: since), 0))
    }
}
