// What the daemons share: how often a warning that comes again and again may be logged.

/// Lets a burst of events through, then one per interval, and counts what it held back. A value without a clock: the time is an input.
public struct RateLimit: Sendable, Equatable {
    private let burst: Int
    private let interval: Duration
    private var available: Int
    private var refilled: ContinuousClock.Instant?
    private var heldBack = 0

    /// - Parameters:
    ///   - burst: events that may pass at once, at least 1.
    ///   - interval: how long it takes until one more may pass; more than zero.
    public init(burst: Int = 1, interval: Duration) {
        self.burst = max(1, burst)
        self.interval = max(interval, .milliseconds(1))
        available = self.burst
    }

    /// Asks for one event.
    ///
    /// - Returns: `nil` when it is to be held back; otherwise how many were held back since the last one that passed.
    public mutating func admit(at now: ContinuousClock.Instant) -> Int? {
        refill(now)
        guard available > 0 else {
            heldBack += 1
            return nil
        }
        available -= 1
        defer { heldBack = 0 }
        return heldBack
    }

    /// Asks for one event that is logged as text.
    ///
    /// - Returns: `nil` when it is to be held back; otherwise what to put behind the text, such as ` (and 12 more)`, or nothing.
    public mutating func heldBackNote(at now: ContinuousClock.Instant) -> String? {
        admit(at: now).map { $0 == 0 ? "" : " (and \($0) more)" }
    }

    private mutating func refill(_ now: ContinuousClock.Instant) {
        guard let since = refilled, available < burst else {
            refilled = now
            return
        }
        // A double is exact enough to count intervals, and cannot overflow.
        let intervals = (now - since) / interval
        if intervals >= Double(burst - available) {
            available = burst
            refilled = now
        } else if intervals >= 1 {
            available += Int(intervals)
            refilled = since + interval * Int(intervals)
        }
    }
}
