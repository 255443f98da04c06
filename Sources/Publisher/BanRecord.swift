// Stage 2, report -> admission -> journal -> broadcast: what is known of one address.

import Wire

/// One hold, or an operator's order: somebody bans the address until then.
struct Hold: Equatable {
    /// The holder's number in the table.
    var holder: UInt32
    /// Milliseconds since the epoch; `Int64.max` never ends.
    var end: Int64
    /// When it was last seen in the holder's log, in milliseconds since the epoch.
    var seen: Int64
}

/// The holds and the orders on one address, and what of them was announced.
struct BanRecord: Equatable {
    var holds: [Hold] = []
    /// An operator's ban; the latest order counts.
    var order: Hold?
    /// The end that was announced; `nil` when the address is not announced as banned.
    var announced: Int64?
    /// When an operator lifted everything: what was seen before doesn't hold against it. 0 is never.
    var liftedAt: Int64 = 0
    /// Until when an operator allows it, in milliseconds since the epoch: no host's ban counts. 0 is not at all, `Int64.max` for ever.
    var allowedUntil: Int64 = 0

    var isEmpty: Bool { holds.isEmpty && order == nil && announced == nil && liftedAt == 0 && allowedUntil == 0 }

    /// The hold whose end is the ban's end: that of the quorum-th latest host, or the operator's order when it is later; `nil` when the
    /// address isn't banned. Plain clients together are one host.
    func carrier(quorum: Int, holders: Holders) -> Hold? {
        // From the latest end down until there are enough hosts, so that an address that a thousand hosts hold is quickly looked at.
        var hosts: [Hostname?] = []
        for hold in holds.sorted(by: { $0.end > $1.end }) {
            if let order, order.end >= hold.end { return order }
            let holder = holders[hold.holder]
            let host = holder.isPlain ? nil : holder.host
            guard !hosts.contains(host) else { continue }
            hosts.append(host)
            if hosts.count == quorum { return hold }
        }
        return order
    }

    /// Removes what ended at or before `now` and returns the hold, or the operator's ban, of it that was the last to end.
    mutating func removeEnded(at now: Int64) -> Hold? {
        var last: Hold?
        func note(_ hold: Hold) { if hold.end > last?.end ?? .min { last = hold } }
        for hold in holds where hold.end <= now { note(hold) }
        holds.removeAll { $0.end <= now }
        if let order, order.end <= now {
            note(order)
            self.order = nil
        }
        if allowedUntil <= now { allowedUntil = 0 }
        return last
    }

    /// When something of it ends next; `nil` when nothing does.
    /// - Parameter memory: milliseconds for which a lifting is remembered.
    func nextTime(memory: Int64) -> Int64? {
        var next = holds.lazy.map(\.end).min() ?? .max
        if let order { next = min(next, order.end) }
        if liftedAt > 0 { next = min(next, liftedAt + memory) }
        if allowedUntil > 0 { next = min(next, allowedUntil) }
        return next == .max ? nil : next
    }
}

extension BanEnd {
    /// The end as milliseconds; `Int64.max` for a permanent ban. An unknown end has been replaced before a hold is made of it.
    var deadline: Int64 {
        switch self {
        case .at(let time): time.milliseconds
        case .permanent: .max
        case .unknown: 0
        }
    }

    init(deadline: Int64) { self = deadline == .max ? .permanent : .at(Timestamp(milliseconds: deadline)) }
}
