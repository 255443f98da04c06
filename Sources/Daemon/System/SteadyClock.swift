// What the daemons share: a time of day that no step of the system's clock moves, for ends that are compared with it.

import Wire

/// The system's time of day when the clock was made, and from there on only as fast as time passes, a suspended machine's too
/// (CLOCK_BOOTTIME). Whoever sets the system's clock moves no ban's end by it.
public struct SteadyClock: Sendable {
    private let start: Timestamp
    private let origin: ContinuousClock.Instant
    /// What ``newStep(system:at:)`` told last.
    private var knownStep: Int64 = 0

    public init(start: Timestamp = .now, at origin: ContinuousClock.Instant = .now) {
        self.start = start
        self.origin = origin
    }

    public func time(at instant: ContinuousClock.Instant) -> Timestamp {
        start.advanced(byMilliseconds: origin.duration(to: instant).milliseconds)
    }

    public var now: Timestamp { time(at: .now) }

    /// Milliseconds by which the system's clock is ahead of this one, when that has changed by a second or more since it was last told;
    /// `nil` otherwise. Less is how exactly the two can be read and are slewed.
    ///
    /// - Parameter system: the system's clock at `instant`.
    public mutating func newStep(system: Timestamp = .now, at instant: ContinuousClock.Instant = .now) -> Int64? {
        let step = system.milliseconds(since: time(at: instant))
        guard abs(step - knownStep) >= 1000 else { return nil }
        knownStep = step
        return step
    }
}
