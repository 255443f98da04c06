// Stage 2, report -> admission -> journal -> broadcast: what operators order, and what ends since it is protected or allowed now.

import Daemon
import Wire

extension Ledger {
    /// Takes an operator's order, all of it or nothing.
    mutating func take(_ order: Order, from host: Hostname, now: Timestamp) -> Admission.Refusal? {
        if let suspect = order.host {
            withdraw(suspect, now: now)
            return nil
        }
        switch admission.admit(order, from: host, now: now) {
        case .success(let events):
            if let refusal = refusal(for: order, now: now) { return refusal }
            for event in events { record(event, now: now) }
            if order.command == .allow, order.addresses.contains(where: { !$0.isSingle || table.isHeld(around: $0) }) { beginReview() }
            return nil
        case .failure(let refusal):
            return refusal
        }
    }

    /// Why an order can't stand beside what is allowed already.
    private func refusal(for order: Order, now: Timestamp) -> Admission.Refusal? {
        let allowed = table.allowedAddresses
        switch order.command {
        case .ban:
            // The ban of an address ends what is allowed of the very same one; an order that is about more or less of it stays.
            for address in order.addresses {
                guard let other = allowed.conflict(with: address, now: now) else { continue }
                return Admission.Refusal("\(address): \(other); fail2ban-cluster unban \(other.address) --for 0 ends that")
            }
            return nil
        case .allow:
            let count = allowed.count + Set(order.addresses).count { !allowed.has($0, now: now) }
            guard count > AllowedAddresses.most else { return nil }
            return Admission.Refusal(
                "\(count) addresses would be allowed, and \(AllowedAddresses.most) may be; what must never be banned belongs into ignoreip")
        case .unban, .withdraw: return nil
        }
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

    /// Ends bans of what is protected or allowed, as if an operator had lifted them; looks at no more than `limit` addresses.
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
