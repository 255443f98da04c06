// Stage 3, enforcement: the limit by which the jail itself ends each ban, and what must be banned once more because of it.

import Wire

/// How long the jail bans. The cluster's bans may last longer, so what is below half of the limit there is renewed.
struct JailLimit: Sendable {
    /// With a jail of a few seconds: lists don't come closer.
    static let shortestInterval: Duration = .seconds(1)

    /// `nil` for ever.
    private var limit: Duration?
    /// Whether it was asked for since the last list: a reload of fail2ban may change it.
    private(set) var isFresh = false

    mutating func take(seconds: Int?) {
        limit = seconds.map { .seconds($0) }
        isFresh = true
    }

    mutating func outdate() { isFresh = false }

    /// Until the next list: soon enough to see every ban between half and a quarter of the limit before its end.
    func interval(_ usual: Duration) -> Duration { limit.map { min(usual, max($0 / 4, JailLimit.shortestInterval)) } ?? usual }

    /// What the jail would lift before the cluster does, once half of the limit is over.
    ///
    /// - Parameter rests: What the jail bans, and how long still.
    func due(_ rests: [Address: Duration], wanted: WantedSet, now: ContinuousClock.Instant) -> [Address] {
        guard let limit else { return [] }
        return rests.compactMap { address, rest in
            guard rest < limit / 2, wanted.contains(address) else { return nil }
            if let end = wanted.end(of: address), end <= now + rest { return nil }
            return address
        }
    }
}
