// Stage 2, report -> admission -> journal -> broadcast: what is written to the journal, one job after the other.

import Daemon
import Wire

/// Something to be written: by the journal's thread, or by the loop where that is sooner done.
enum JournalWork: Sendable {
    /// The rows of a batch, for which hosts wait.
    case rows(Ledger.Batch, now: Timestamp)
    /// What nobody waits for.
    case upkeep(Housekeeping.Upkeep)

    /// Does it, on whatever thread this is called.
    func outcome(on journal: Journal) -> JournalOutcome {
        let start = ContinuousClock.now
        do throws(JournalError) {
            let isMore = try perform(on: journal)
            return JournalOutcome(isOfRows: isOfRows, result: .success(isMore), took: .now - start)
        } catch {
            return JournalOutcome(isOfRows: isOfRows, result: .failure(error), took: .now - start)
        }
    }

    private func perform(on journal: Journal) throws(JournalError) -> Bool {
        switch self {
        case .rows(let batch, let now): try journal.append(batch, now: now)
        case .upkeep(.records(let portion)): try journal.keep(portion)
        case .upkeep(.removal(let cutoff, let truth, let limit)):
            return try journal.removeRows(before: cutoff, truth: truth, limit: limit)
        }
        return false
    }

    private var isOfRows: Bool { if case .rows = self { true } else { false } }
}

/// What came of a job.
struct JournalOutcome: Sendable {
    /// Whether it was the rows of a batch.
    var isOfRows: Bool
    /// Whether there may be more to remove. When it failed, nothing of it is on disk.
    var result: Result<Bool, JournalError>
    var took: Duration
}

/// The thread that writes while the loop takes in what comes next.
typealias JournalThread = WorkThread<JournalWork, JournalOutcome>
