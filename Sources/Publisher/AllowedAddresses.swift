// Stage 2, report -> admission -> journal -> broadcast: which addresses operators allow until when, so that no host's ban of them counts.

import Daemon
import Wire

/// What `unban --for` ordered. While an address or prefix is allowed, nothing is banned that has an address in common with it.
///
/// It is asked for every ban that comes in. That costs two look-ups in a hash table, one more for each other length of prefix among
/// what is allowed, and for a prefix two searches in a sorted set.
struct AllowedAddresses {
    /// The most that may be allowed at a time. What must never be banned belongs into `ignoreip`.
    static let most = 10_000

    private struct Length: Hashable {
        var family: Address.Family
        var bits: Int
    }

    /// An allowed address or prefix.
    struct Allowed: Equatable, CustomStringConvertible {
        var address: Address
        /// At or permanent.
        var end: BanEnd

        var description: String { "\(address) is \(reason)" }

        /// The rule's words for what it refuses: `allowed by an operator until 2026-11-22T08:00:00Z`.
        var reason: String {
            guard case .at(let time) = end else { return "allowed by an operator for ever" }
            return "allowed by an operator until \(time.utcText)"
        }
    }

    /// Milliseconds since the epoch.
    private var ends: [Address: Int64] = [:]
    private var sorted = SortedAddresses()
    /// How many there are of each length of prefix.
    private var lengths: [Length: Int] = [:]

    /// How many there are, those too whose end has come and was not looked at yet.
    var count: Int { ends.count }

    /// Takes over until when an address is allowed.
    /// - Parameter end: milliseconds since the epoch; 0 is not at all, `Int64.max` for ever.
    mutating func allow(_ address: Address, until end: Int64) {
        if end == 0, ends.isEmpty { return }
        let old = end == 0 ? ends.removeValue(forKey: address) : ends.updateValue(end, forKey: address)
        guard (old == nil) != (end == 0) else { return }
        let length = Length(family: address.family, bits: address.prefixLength)
        if end == 0 {
            sorted.remove(address)
            let left = (lengths[length] ?? 0) - 1
            lengths[length] = left > 0 ? left : nil
        } else {
            sorted.insert(address)
            lengths[length, default: 0] += 1
        }
    }

    /// Whether this very address or prefix is allowed.
    func has(_ address: Address, now: Timestamp) -> Bool { allowed(address, now: now) != nil }

    /// Why no host's ban of the address or prefix counts; `nil` when it does.
    func refusal(for address: Address, now: Timestamp) -> Admission.Refusal? {
        guard !ends.isEmpty else { return nil }
        if let same = allowed(address, now: now) { return Admission.Refusal(same.reason) }
        return conflict(with: address, now: now).map { Admission.Refusal("\($0)") }
    }

    /// What else is allowed that has an address in common with this one: the one allowed longest that contains it, or the first in it.
    func conflict(with address: Address, now: Timestamp) -> Allowed? {
        let around = lengths.keys.lazy.filter { $0.family == address.family && $0.bits < address.prefixLength }
            .compactMap { address.widened(to: $0.bits) }.compactMap { allowed($0, now: now) }
        return around.max { ($0.end, $0.address) < ($1.end, $1.address) } ?? first(in: address, now: now)
    }

    /// What is allowed behind `after` in key order, at most `limit`.
    func page(after: Address?, limit: Int) -> [Allowed] {
        sorted.page(after: after, limit: limit).compactMap { address in
            ends[address].map { Allowed(address: address, end: BanEnd(deadline: $0)) }
        }
    }

    private func allowed(_ address: Address, now: Timestamp) -> Allowed? {
        guard let end = ends[address], end > now.milliseconds else { return nil }
        return Allowed(address: address, end: BanEnd(deadline: end))
    }

    /// What is in a prefix comes right behind it in key order.
    private func first(in prefix: Address, now: Timestamp) -> Allowed? {
        guard !prefix.isSingle else { return nil }
        var last = prefix
        while let next = sorted.page(after: last, limit: 1).first, prefix.contains(next) {
            if let allowed = allowed(next, now: now) { return allowed }
            last = next
        }
        return nil
    }
}
