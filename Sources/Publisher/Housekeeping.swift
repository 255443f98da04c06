// Stage 2, report -> admission -> journal -> broadcast: what is done for the journal beside the rows that come, a portion at a time.

import Daemon
import Wire

/// Keeps the journal's tables up to date and lets old rows go. Each job is bounded, so that no request waits long behind one.
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

    /// A job, of a size that no request waits for long.
    enum Upkeep: Sendable {
        /// A portion of the tables is written.
        case records(KeptPortion)
        /// The oldest rows go, see ``Journal/removeRows(before:truth:limit:)``.
        case removal(before: Timestamp, truth: KeptTruth, limit: Int)
    }

    private var tables: KeptTables
    private let retention: Duration?
    private var retentionDue: ContinuousClock.Instant
    private var notBefore: ContinuousClock.Instant
    /// What of it is being done, one job at a time.
    private var underWay: Upkeep?
    /// Rows that came while a job was under way, and when the last one came.
    private var rowsMeanwhile = 0
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
        // What comes of a job wakes the loop up.
        guard underWay == nil else { return .now + Housekeeping.retentionInterval }
        var next = retention == nil ? ContinuousClock.now + Housekeeping.retentionInterval : retentionDue
        if tables.isWriting {
            next = .now
        } else if let due = tables.deadline(changed: changed) {
            next = min(next, due)
        }
        return max(next, notBefore)
    }

    /// Whether a job was given that is not yet done.
    var isUnderWay: Bool { underWay != nil }

    /// What is to be done next, behind the rows of the batch that was just decided; `nil` is nothing now. It must be answered by
    /// ``done(_:clock:)`` or ``drop()``.
    ///
    /// - Parameters:
    ///   - lastRow: the last one on disk, of all that is committed.
    ///   - sealed: how many rows the batch has that is being written. The job is begun behind them.
    ///   - came: how many rows came since the last call; the more come, the more is done at a time, so that it keeps pace.
    mutating func next(
        _ ledger: inout Ledger, lastRow: Int64, sealed: Int = 0, came: Int, now: Timestamp, clock: ContinuousClock.Instant
    ) -> Upkeep? {
        let rows = min(rowsMeanwhile + came, Housekeeping.mostAtATime)
        if came > 0 { lastRowAt = clock }
        guard underWay == nil else {
            rowsMeanwhile = rows
            return nil
        }
        rowsMeanwhile = 0
        guard clock >= notBefore else { return nil }
        let isIdle = clock >= lastRowAt + Housekeeping.idleTime
        if tables.isDue(lastRow: lastRow, changed: ledger.table.changed.count, isIdle: isIdle, now: clock) {
            tables.begin(&ledger, lastRow: lastRow, now: clock)
        }
        if tables.isWriting {
            let limit = max(KeptTables.portion, rows)
            underWay = .records(tables.nextPortion(of: ledger.table, lastRow: lastRow + Int64(sealed), limit: limit))
        } else if let retention, clock >= retentionDue {
            let cutoff = now.advanced(byMilliseconds: -retention.milliseconds)
            underWay = .removal(before: cutoff, truth: tables.truth, limit: max(Housekeeping.removedRows, rows))
        }
        return underWay
    }

    /// The job was done, or failed.
    ///
    /// - Parameter result: whether there may be more to remove, or what the journal says.
    /// - Throws: what the journal says. What was not written is tried again later.
    mutating func done(_ result: Result<Bool, JournalError>, clock: ContinuousClock.Instant) throws(JournalError) {
        let job = underWay
        underWay = nil
        do throws(JournalError) {
            let isMore = try result.get()
            switch job {
            case .records(let portion): tables.written(portion)
            case .removal: if !isMore { retentionDue = clock + Housekeeping.retentionInterval }
            case nil: break
            }
        } catch {
            notBefore = clock + Housekeeping.pauseAfterTrouble
            throw error
        }
    }

    /// The job was not begun, since the batch before it is not on disk.
    mutating func drop() { underWay = nil }

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
