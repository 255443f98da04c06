// What the daemons share: a time of day that no step of the system's clock moves, for ends that are compared with it.

import Wire

/// The system's time of day when the clock was made, and from there on only as fast as time passes, a suspended machine's too
/// (CLOCK_BOOTTIME). Whoever sets the system's clock moves no ban's end by it.
public struct SteadyClock: Sendable {
    private let start: Timestamp
    private let origin: ContinuousClock.Instant

    public init(start: Timestamp = .now, at origin: ContinuousClock.Instant = .now) {
        self.start = start
        self.origin = origin
    }

    public func time(at instant: ContinuousClock.Instant) -> Timestamp {
        start.advanced(byMilliseconds: origin.duration(to: instant).milliseconds)
    }

    public var now: Timestamp { time(at: .now) }

    /// Milliseconds by which the system's clock was set since this one was made; 0 when less than a second, which is how exactly the two
    /// can be read and slewed.
    ///
    /// - Parameter system: the system's clock at `instant`.
    public func step(of system: Timestamp, at instant: ContinuousClock.Instant) -> Int64 {
        let difference = system.milliseconds(since: time(at: instant))
        return abs(difference) < 1000 ? 0 : difference
    }
}
