// Stage 3, enforcement: which unbans an operator ordered lately, so that they can be repeated for a fail2ban that restores its bans.

import Wire

/// The latest addresses that were lifted in every jail. A fail2ban that has just started restores a ban that is lifted before its turn
/// comes, in jails too that nobody here looks at; so the order is repeated while things are unsettled.
struct OperatorUnbans: Sendable {
    /// Beyond, the oldest is forgotten: repeating them must not hold up fail2ban for long.
    static let most = 256
    /// How long one is repeated at most. Later, a ban in another jail is a new one, which is not ours to lift.
    static let memory: Duration = .seconds(300)

    /// The oldest first.
    private var told: [(address: Address, at: ContinuousClock.Instant)] = []

    /// Notes that these were lifted in every jail.
    ///
    /// - Returns: Whether one of them was not noted before.
    mutating func note(_ addresses: [Address], now: ContinuousClock.Instant) -> Bool {
        forgetOld(now)
        let known = Set(told.lazy.map(\.address))
        let fresh = addresses.filter { !known.contains($0) }
        told += fresh.map { ($0, now) }
        told.removeFirst(max(0, told.count - OperatorUnbans.most))
        return !fresh.isEmpty
    }

    /// It is banned again, so the order is over.
    mutating func forget(_ address: Address) { told.removeAll { $0.address == address } }

    /// Those to repeat.
    mutating func recent(now: ContinuousClock.Instant) -> [Address] {
        forgetOld(now)
        return told.map(\.address)
    }

    private mutating func forgetOld(_ now: ContinuousClock.Instant) { told.removeAll { now >= $0.at + OperatorUnbans.memory } }
}
