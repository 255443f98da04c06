// Stage 2, report -> admission -> journal -> broadcast: what the loop does for the journal when requests are answered, a portion in each turn.

import Daemon
import Wire

/// Keeps the journal's tables up to date and lets old rows go. Each turn of the loop does a bounded part, so that requests never wait long.
struct Housekeeping {
    /// How often it is looked for rows that are older than the retention.
    static let retentionInterval: Duration = .seconds(60)
    /// How long it waits after the journal could not be written. Nothing is lost meanwhile: a later start replays more.
    static let pauseAfterTrouble: Duration = .seconds(10)
    /// Nothing else is to be done when no row came for so long: between two reports of a burst there is no time for a pass.
    static let idleTime: Duration = .milliseconds(100)
    /// How long a clean stop may write, so that the next start has less to replay.
    static let longestFinish: Duration = .seconds(2)
    /// Rows removed at a time, if not more than that were written meanwhile: some 10 ms of work.
    static let removedRows = 2000
    /// The most records or rows at a time: a burst waits behind it.
    static let mostAtATime = TurnLimits.rows

    private var tables: KeptTables
    private let retention: Duration?
    private var retentionDue: ContinuousClock.Instant
    private var notBefore: ContinuousClock.Instant
    /// What of it is being done, one job at a time.
    private var underWay: JournalWork?
    /// Rows that came since the last job, and when the last one came.
    private var rowsSince = 0
    private var lastRowAt: ContinuousClock.Instant

    /// - Parameter retention: how long rows stay; `nil` for ever.
    init(tables: KeptTables, retention: Duration?, now: ContinuousClock.Instant) {
        self.tables = tables
        self.retention = retention
        retentionDue = now
        notBefore = now
        lastRowAt = now
    }

    /// How far the tables are true.
    var truth: KeptTruth { tables.truth }

    /// When there is something to do though nothing comes in.
    func deadline(changed: Int) -> ContinuousClock.Instant {
        var next = retention == nil ? ContinuousClock.now + Housekeeping.retentionInterval : retentionDue
        if underWay != nil {
            // What comes of it wakes the loop up.
            return .now + Housekeeping.retentionInterval
        } else if tables.isWriting {
            next = .now
        } else if let due = tables.deadline(changed: changed) {
            next = min(next, due)
        }
        return max(next, notBefore)
    }

    /// Whether a job was given that is not yet done.
    var isUnderWay: Bool { underWay != nil }

    /// What is to be done next, behind the rows of the batch that was just decided; `nil` is nothing now. It must be answered by ``done(_:clock:)`` or
    /// ``drop()``.
    ///
    /// - Parameters:
    ///   - lastRow: the last one on disk. What was decided since is in the batch.
    ///   - rows: how many rows the batch has; the more come, the more is done at a time, so that it keeps pace.
    mutating func next(
        _ ledger: inout Ledger, lastRow: Int64, rows: Int, now: Timestamp, clock: ContinuousClock.Instant
    ) -> JournalWork? {
        rowsSince = min(rowsSince + rows, Housekeeping.mostAtATime)
        if rows > 0 { lastRowAt = clock }
        guard underWay == nil, clock >= notBefore else { return nil }
        let isIdle = clock >= lastRowAt + Housekeeping.idleTime
        if tables.isDue(lastRow: lastRow, changed: ledger.table.changed.count, isIdle: isIdle, now: clock) {
            tables.begin(&ledger, lastRow: lastRow, now: clock)
        }
        if tables.isWriting {
            let limit = max(KeptTables.portion, rowsSince)
            underWay = .records(tables.nextPortion(of: ledger.table, lastRow: lastRow + Int64(rows), limit: limit))
        } else if let retention, clock >= retentionDue {
            let cutoff = now.advanced(byMilliseconds: -retention.milliseconds)
            underWay = .removal(before: cutoff, truth: tables.truth, limit: max(Housekeeping.removedRows, rowsSince))
        }
        if underWay != nil { rowsSince = 0 }
        return underWay
    }

    /// The job was done, or failed.
    ///
    /// - Throws: what the journal says. What was not written is tried again later.
    mutating func done(_ result: Result<Bool, JournalError>, clock: ContinuousClock.Instant) throws(JournalError) {
        let work = underWay
        underWay = nil
        do throws(JournalError) {
            let isMore = try result.get()
            switch work {
            case .records(let portion): tables.written(portion)
            case .removal: if !isMore { retentionDue = clock + Housekeeping.retentionInterval }
            case .rows, nil: break
            }
        } catch {
            notBefore = clock + Housekeeping.pauseAfterTrouble
            throw error
        }
    }

    /// The job was not begun, since the batch before it is not on disk.
    mutating func drop() { underWay = nil }

    /// Does at once what is to be done next when nothing is pending.
    mutating func work(
        _ ledger: inout Ledger, _ journal: Journal, rows: Int, now: Timestamp, clock: ContinuousClock.Instant
    ) throws(JournalError) {
        guard let work = next(&ledger, lastRow: journal.lastRow, rows: rows, now: now, clock: clock) else { return }
        try done(work.outcome(on: journal).result, clock: clock)
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
