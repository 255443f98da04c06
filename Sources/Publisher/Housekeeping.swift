// Stage 2, report -> admission -> journal -> broadcast: what the loop does for the journal when requests are answered, a portion in each turn.

import Daemon
import Wire

/// Keeps the journal's tables up to date and lets old rows go. Each turn of the loop does a bounded part, so that requests never wait long.
struct Housekeeping {
    /// How often it is looked for rows that are older than the retention.
    static let retentionInterval: Duration = .seconds(60)
    /// How long it waits after the journal could not be written. Nothing is lost meanwhile: a later start replays more.
    static let pauseAfterTrouble: Duration = .seconds(10)
    /// How long a clean stop may write, so that the next start has less to replay.
    static let longestFinish: Duration = .seconds(2)
    /// Rows removed in one turn, if the turn did not write more than that: some 10 ms of work.
    static let removedRows = 2000

    private var tables: KeptTables
    private let retention: Duration?
    private var retentionDue: ContinuousClock.Instant
    private var notBefore: ContinuousClock.Instant

    /// - Parameter retention: how long rows stay; `nil` for ever.
    init(tables: KeptTables, retention: Duration?, now: ContinuousClock.Instant) {
        self.tables = tables
        self.retention = retention
        retentionDue = now
        notBefore = now
    }

    /// How far the tables are true.
    var truth: KeptTruth { tables.truth }

    /// When there is something to do though nothing comes in.
    func deadline(changed: Int) -> ContinuousClock.Instant {
        var next = retention == nil ? ContinuousClock.now + Housekeeping.retentionInterval : retentionDue
        if tables.isWriting {
            next = .now
        } else if let due = tables.deadline(changed: changed) {
            next = min(next, due)
        }
        return max(next, notBefore)
    }

    /// Does what this turn can, when what it took in is written and answered.
    ///
    /// - Parameter rows: how many rows the turn has written; the more, the larger the portion, so that it keeps pace.
    /// - Throws: what the journal says. What was not written is tried again later.
    mutating func work(
        _ ledger: inout Ledger, _ journal: Journal, rows: Int, now: Timestamp, clock: ContinuousClock.Instant
    ) throws(JournalError) {
        guard clock >= notBefore else { return }
        do throws(JournalError) {
            if tables.isDue(lastRow: journal.lastRow, changed: ledger.table.changed.count, rows: rows, now: clock) {
                tables.begin(&ledger, lastRow: journal.lastRow, now: clock)
            }
            if tables.isWriting {
                try write(ledger, journal, limit: max(KeptTables.portion, rows))
            } else if let retention, clock >= retentionDue {
                let cutoff = now.advanced(byMilliseconds: -retention.milliseconds)
                let limit = max(Housekeeping.removedRows, rows)
                let isMore = try journal.removeRows(before: cutoff, truth: tables.truth, limit: limit)
                if !isMore { retentionDue = clock + Housekeeping.retentionInterval }
            }
        } catch {
            notBefore = clock + Housekeeping.pauseAfterTrouble
            throw error
        }
    }

    /// Writes what changed before a clean stop, as far as it is quick.
    mutating func finish(_ ledger: inout Ledger, _ journal: Journal) throws(JournalError) {
        let end = ContinuousClock.now + Housekeeping.longestFinish
        while ContinuousClock.now < end {
            if !tables.isWriting {
                guard !ledger.table.changed.isEmpty else { return }
                tables.begin(&ledger, lastRow: journal.lastRow, now: .now)
            }
            try write(ledger, journal, limit: 10 * KeptTables.portion)
        }
    }

    private mutating func write(_ ledger: Ledger, _ journal: Journal, limit: Int) throws(JournalError) {
        let portion = tables.nextPortion(of: ledger.table, lastRow: journal.lastRow, limit: limit)
        try journal.keep(portion)
        tables.written(portion)
    }
}
