// Stage 2, report -> admission -> journal -> broadcast: what operators order, and what ends since it is protected or allowed now.

import Daemon
import Wire

extension Ledger {
    /// Takes an operator's order, all of it or nothing. A ban of what must never be banned is recorded.
    mutating func take(_ order: Order, from host: Hostname, now: Timestamp) -> Admission.Refusal? {
        if let suspect = order.host {
            withdraw(suspect, now: now)
            return nil
        }
        do throws(Admission.Refusal) {
            let events = try admission.admit(order, from: host, now: now)
            if let refusal = refusal(for: events, now: now) { throw refusal }
            for event in events {
                record(event, now: now)
                if event.allows(at: now), !event.address.isSingle || table.isHeld(around: event.address) { beginReview() }
            }
            return nil
        } catch {
            if order.command == .ban, let address = order.addresses.first(where: { admission.neverBan.refusal(for: $0) != nil }) {
                let event = Event(
                    host: host, jail: .cluster, action: .ban, address: address, seen: now, end: order.end, cause: .operator)
                add(.refused(host: host, event: event, reason: error.reason), now: now)
            }
            return error
        }
    }

    /// Why an order can't stand beside what is allowed already.
    private func refusal(for events: [Event], now: Timestamp) -> Admission.Refusal? {
        let allowed = table.allowedAddresses
        // The ban of an address ends what is allowed of the very same one; an order that is about more or less of it stays.
        for event in events where event.action == .ban {
            guard let other = allowed.conflict(with: event.address, now: now) else { continue }
            return Admission.Refusal("\(event.address): \(other); fail2ban-cluster unban \(other.address) --for 0 ends that")
        }
        let new = events.filter { $0.allows(at: now) && !allowed.has($0.address, now: now) }
        let count = allowed.count + Set(new.map(\.address)).count
        guard !new.isEmpty, count > AllowedAddresses.most else { return nil }
        return Admission.Refusal(
            "\(count) addresses would be allowed, and \(AllowedAddresses.most) may be; what must never be banned belongs into ignoreip")
    }

    /// Ends all that a host holds, as if it had lifted it. What others hold too stays banned.
    private mutating func withdraw(_ host: Hostname, now: Timestamp) {
        holdsDesk.forget(host)
        for subject in table.holds(of: host) {
            let lifting = Event(
                host: host, jail: subject.jail, action: .unban, address: subject.address, seen: now, admitted: now, cause: .lifted)
            record(lifting, now: now)
        }
    }

    // MARK: What must not be banned any more

    /// More may be protected or allowed than before: what is banned must be looked at again.
    mutating func beginReview() { protectionReview.isDueAgain = true }

    /// Ends bans of what is protected or allowed, as if an operator had lifted them; looks at no more than `limit` addresses. Not to be
    /// called while a batch is sealed.
    ///
    /// - Parameter host: who lifts them: the publisher's own.
    mutating func review(as host: Hostname, now: Timestamp, limit: Int) {
        if !protectionReview.hasMore, protectionReview.isDueAgain { protectionReview = ProtectionReview(table.heldAddresses) }
        for address in protectionReview.next(limit) where table.isHeld(address) && mustNotBeBanned(address, now: now) {
            let lifting = Event(
                host: host, jail: .cluster, action: .unban, address: address, seen: now, admitted: now, cause: .operator)
            record(lifting, now: now)
        }
        if pending.isEmpty { protectionReview.keep() }
    }

    private func mustNotBeBanned(_ address: Address, now: Timestamp) -> Bool {
        admission.neverBan.refusal(for: address) != nil || table.allowedAddresses.refusal(for: address, now: now) != nil
    }

    /// Whether ``review(as:now:limit:)`` has something to do.
    var hasMoreToReview: Bool { protectionReview.hasMore || protectionReview.isDueAgain }
}

extension Event {
    /// Whether it is an operator's order that allows its address for a time to come.
    fileprivate func allows(at now: Timestamp) -> Bool { action == .unban && cause == .operator && end.deadline > now.milliseconds }
}
