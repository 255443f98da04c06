// Stage 2, report -> admission -> journal -> broadcast: what is known of one address.

import Wire

/// One hold, or an operator's order: somebody bans the address until then.
struct Hold: Equatable {
    /// Milliseconds since the epoch; `Int64.max` never ends.
    var end: Int64
    /// When it was last seen in the holder's log, in milliseconds since the epoch.
    var seen: Int64
    /// The holder's number in the table. The last, so that an optional hold needs no further room.
    var holder: UInt32

    init(holder: UInt32, end: Int64, seen: Int64) { (self.holder, self.end, self.seen) = (holder, end, seen) }
}

/// The holds and the orders on one address, and what of them was announced. There may be millions: what few have takes no room in the
/// others.
struct BanRecord: Equatable {
    var holds = Holds()
    /// The end that was announced; `Int64.min` is none.
    private var announcedEnd = Int64.min
    /// At most one; none when all of it is as at first.
    private var orders: [Orders] = []

    private struct Orders: Equatable {
        var order: Hold?
        var liftedAt: Int64 = 0
        var allowedUntil: Int64 = 0
    }

    /// The end that was announced; `nil` when the address is not announced as banned.
    var announced: Int64? {
        get { announcedEnd == .min ? nil : announcedEnd }
        set { announcedEnd = newValue ?? .min }
    }

    /// An operator's ban; the latest order counts.
    var order: Hold? {
        get { orders.first?.order }
        set { changeOrders { $0.order = newValue } }
    }

    /// When an operator lifted everything: what was seen before doesn't hold against it. 0 is never.
    var liftedAt: Int64 {
        get { orders.first?.liftedAt ?? 0 }
        set { changeOrders { $0.liftedAt = newValue } }
    }

    /// Until when an operator allows it, in milliseconds since the epoch: no host's ban counts. 0 is not at all, `Int64.max` for ever.
    var allowedUntil: Int64 {
        get { orders.first?.allowedUntil ?? 0 }
        set { changeOrders { $0.allowedUntil = newValue } }
    }

    private mutating func changeOrders(_ change: (inout Orders) -> Void) {
        var changed = orders.first ?? Orders()
        change(&changed)
        orders = changed == Orders() ? [] : [changed]
    }

    var isEmpty: Bool { holds.isEmpty && announced == nil && orders.isEmpty }

    /// The hold whose end is the ban's end: that of the quorum-th latest host, or the operator's order when it is later; `nil` when the
    /// address isn't banned. Plain clients together are one host.
    func carrier(quorum: Int, holders: Holders) -> Hold? {
        if holds.count < 2, orders.isEmpty { return quorum == 1 ? holds.first : nil }
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
        if last != nil { holds.removeAll { $0.end <= now } }
        guard !orders.isEmpty else { return last }
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
        var next = Int64.max
        for hold in holds where hold.end < next { next = hold.end }
        guard !orders.isEmpty else { return next == .max ? nil : next }
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
