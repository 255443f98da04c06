// Fault test: what was done so far, kept in one place for all who do something.

import Glibc

/// The oracle and the counters of a run.
actor ChaosRecord {
    private(set) var oracle = Oracle()
    private(set) var report: ChaosReport
    /// Rows of the journal that a restore from a backup took away.
    private(set) var lostRows: [JournalLine] = []

    init(seed: UInt64) { report = ChaosReport(seed: seed) }

    func tell(_ change: @Sendable (inout Oracle) -> Void) { change(&oracle) }
    func note(_ change: @Sendable (inout ChaosReport) -> Void) { change(&report) }
    func lose(_ rows: [JournalLine]) { lostRows += rows }

    /// Milliseconds since the epoch.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
