// Stage 2, report -> admission -> journal -> broadcast: which of a host's lines become events, on the publisher's clock.

import Daemon
import Wire

/// Decides whether a line is an event of its sender, and puts its times on the publisher's clock. A value without clock or I/O.
struct Admission {
    /// What must never be banned.
    var neverBan: NeverBan
    /// Milliseconds; replaces unknown ends and caps all others, permanent ones too.
    var maximumBanTime: Int64

    /// How much a clock's difference may vary, in milliseconds, before it counts: a request's way takes some of them, and times that
    /// moved with each request would move ends again and again, and put what was seen at one moment in another order.
    static let clockTolerance: Int64 = 1000

    /// Milliseconds between a host's clock and this one, of hosts whose clock is off.
    private var shifts: [Hostname: Int64] = [:]

    init(neverBan: NeverBan, maximumBanTime: Int64) {
        self.neverBan = neverBan
        self.maximumBanTime = maximumBanTime
    }

    /// The event that a line of a report stands for.
    ///
    /// - Parameters:
    ///   - sender: the host that the key belongs to; a line that names another one is refused.
    ///   - senderNow: the sender's clock when it sent the request.
    mutating func admit(_ line: Event, from sender: Hostname, senderNow: Timestamp, now: Timestamp) throws(Refusal) -> Event {
        guard line.host == sender else { throw Refusal("names another host: \(line.host)") }
        switch (line.action, line.cause) {
        case (.ban, .detected), (.ban, .held), (.unban, .lifted): break
        default: throw Refusal("a host can't report \(line.action.rawValue) as \(line.cause.rawValue)")
        }
        return try admit(line, shift: shift(of: sender, senderNow: senderNow, now: now), now: now)
    }

    /// A ban that stands on a host's list, on this clock. Its end is capped when it is compared with a hold, by
    /// ``capped(_:seen:)``.
    mutating func admit(held line: Event, from sender: Hostname, senderNow: Timestamp, now: Timestamp) throws(Refusal) -> Event {
        guard line.host == sender else { throw Refusal("names another host: \(line.host)") }
        if let refusal = refusal(for: line) { throw refusal }
        let shift = shift(of: sender, senderNow: senderNow, now: now)
        var event = line
        (event.number, event.admitted) = (nil, now)
        event.seen = min(line.seen?.advanced(byMilliseconds: shift) ?? now, now)
        if case .at(let time) = line.end { event.end = .at(time.advanced(byMilliseconds: shift)) }
        return event
    }

    /// A time of a host's clock on this one.
    mutating func translated(_ time: Timestamp, of sender: Hostname, senderNow: Timestamp, now: Timestamp) -> Timestamp {
        time.advanced(byMilliseconds: shift(of: sender, senderNow: senderNow, now: now))
    }

    /// The end that counts: at most `maxbantime` after the ban was seen, for one that is unknown or permanent too.
    func capped(_ end: BanEnd, seen: Timestamp) -> BanEnd {
        let latest = seen.advanced(byMilliseconds: maximumBanTime)
        guard case .at(let time) = end else { return .at(latest) }
        return .at(min(time, latest))
    }

    /// The event that a frame of an old client stands for. Old clients know no times.
    func admit(plain line: Event, now: Timestamp) throws(Refusal) -> Event { try admit(line, shift: 0, now: now) }

    /// The events of an operator's order; when one is refused, all are. An Unban that has an end allows the address until then.
    mutating func admit(_ order: Order, from operatorHost: Hostname, now: Timestamp) throws(Refusal) -> [Event] {
        let shift = shift(of: operatorHost, senderNow: order.now, now: now)
        let end =
            switch order.end {
            case .unknown: BanEnd.at(now.advanced(byMilliseconds: maximumBanTime))
            case .permanent: BanEnd.permanent
            case .at(let time): BanEnd.at(time.advanced(byMilliseconds: shift))
            }
        if order.command == .ban, case .at(let time) = end, time <= now { throw Refusal("the ban would end in the past") }
        var events: [Event] = []
        for address in order.addresses {
            var event = Event(
                host: operatorHost, jail: .cluster, action: .unban, address: address, seen: now, admitted: now, cause: .operator)
            if order.command == .ban {
                if let rule = neverBan.refusal(for: address) { throw Refusal("\(address): \(rule)") }
                event.action = .ban
            }
            if order.command != .unban { event.end = end }
            events.append(event)
        }
        return events
    }

    private func admit(_ line: Event, shift: Int64, now: Timestamp) throws(Refusal) -> Event {
        if let refusal = refusal(for: line) { throw refusal }
        var event = line
        event.number = nil
        event.admitted = now
        let seen = min(line.seen?.advanced(byMilliseconds: shift) ?? now, now)
        event.seen = seen
        guard line.action == .ban else {
            event.end = .unknown
            return event
        }
        if case .at(let time) = line.end { event.end = .at(time.advanced(byMilliseconds: shift)) }
        event.end = capped(event.end, seen: seen)
        return event
    }

    private func refusal(for line: Event) -> Refusal? {
        guard line.jail != .cluster, line.jail != .legacyCluster else {
            return Refusal("jail \(line.jail) holds the cluster's own bans")
        }
        guard line.action == .ban, let rule = neverBan.refusal(for: line.address) else { return nil }
        return Refusal("\(rule)")
    }

    /// Milliseconds to add to a sender's times: what they were before, as long as that is about right.
    private mutating func shift(of sender: Hostname, senderNow: Timestamp, now: Timestamp) -> Int64 {
        let difference = now.milliseconds(since: senderNow)
        let known = shifts[sender] ?? 0
        guard abs(difference - known) >= Admission.clockTolerance else { return known }
        shifts[sender] = abs(difference) < Admission.clockTolerance ? nil : difference
        return shifts[sender] ?? 0
    }

    /// Why a line or an order is not admitted, in words for an operator.
    struct Refusal: Error, Equatable {
        var reason: String

        init(_ reason: String) { self.reason = reason }
    }
}
