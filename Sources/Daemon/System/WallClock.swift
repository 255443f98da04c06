// What the daemons share: the time of day, for what travels and for logs. Deadlines use ContinuousClock, which no step of it moves.

import Glibc
import Wire

extension Timestamp {
    /// The system's clock: clock_gettime(2) with CLOCK_REALTIME.
    public static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    public var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
