// Fault test: what was done so far, kept in one place for all who do something.

import Glibc

/// The oracle and the counters of a run.
actor ChaosRecord {
    private(set) var oracle = Oracle()
    private(set) var report: ChaosReport
    /// Rows of the journal that a restore from a backup took away.
    private(set) var lostRows: [JournalLine] = []

    private var marks = 0

    /// When a restored journal was first followed, or a subscriber that may not know it yet was started, by the host's number.
    private var doubtBegan: [Int: Int64] = [:]

    /// The subscriber's ten minutes, and a minute for a link that is cut.
    private static let longestDoubt: Int64 = 660_000

    init(seed: UInt64) { report = ChaosReport(seed: seed) }

    func tell(_ change: @Sendable (inout Oracle) -> Void) { change(&oracle) }
    func note(_ change: @Sendable (inout ChaosReport) -> Void) { change(&report) }
    func lose(_ rows: [JournalLine]) { lostRows += rows }

    /// A number that was not given before, up to 65,535.
    func nextMark() -> Int {
        marks += 1
        return marks
    }

    /// The journal lacks the newest from now on, and no subscriber can know what is over.
    func journalRestored(hosts: Int) { for host in 1...hosts { doubtBegan[host] = ChaosRecord.now() } }

    /// A start while it doubts begins the time anew.
    func subscriberStarted(on host: Int) { if doubtBegan[host] != nil { doubtBegan[host] = ChaosRecord.now() } }

    /// Whether a host's subscriber may still not know what is over.
    func mayDoubt(_ host: Int) -> Bool { doubtBegan[host].map { ChaosRecord.now() - $0 < ChaosRecord.longestDoubt } ?? false }

    /// Milliseconds since the epoch.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
