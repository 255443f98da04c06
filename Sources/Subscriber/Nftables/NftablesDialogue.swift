// Stage 3, enforcement: decides what the kernel is told and asked next, so that it refuses what is wanted, whatever others do to its table.

import Daemon
import Glibc
import Wire

/// What is written to the table and read from it: one transaction and one page at a time, each beside the other.
///
/// It keeps no list of what the kernel has: that is what is wanted, but for what waits. The kernel ends bans by itself; so does the wanted
/// set. What others do to the table is heard at once, and the table is then written again and compared with what is wanted, as at the start
/// and at an interval.
///
/// What the kernel refuses and the cluster doesn't is lifted once the wanted set is complete; until then it is left alone.
struct NftablesDialogue: Sendable {
    /// Between a comparison that found something and the next.
    static let confirmation: Duration = .seconds(5)
    /// Comparisons in a row in which wanted addresses seem to lack, before all are told again: one is not enough, since the kernel passes
    /// over some while it enlarges a hash set or clears away what ended; more, when it may be by what changed meanwhile.
    static let doubts = (few: 1, many: 3)
    /// The pause when a person must do something first.
    static let slowPause: Duration = .seconds(30)
    /// Failures in a row from which on one is called persistent.
    static let persistentFailures = 6

    private var work = NftablesWork()
    private var prefixes = NftablesPrefixes()
    private var comparison: NftablesComparison?

    private var underWay: NftablesWrite?
    private var isReading = false
    private var applied: [Address] = []
    /// When the table is to be written, with its sets and rules; `nil` when it is there.
    private var tableDue: ContinuousClock.Instant?
    private var makesAnew = false
    /// Whether someone else changed the table while it was being written, perhaps after that was done.
    private var isOutdated = false
    private var comparisonDue: ContinuousClock.Instant?
    /// The wanted set's ``WantedSet/completeFrom`` for which it was compared.
    private var comparedFor: ContinuousClock.Instant?
    /// Comparisons in a row in which addresses seemed to lack.
    private var doubts = 0
    /// Whether the last comparison found nothing to do, as far as could be told beside what changed meanwhile.
    private var agreed = false
    /// Whether someone else changed the table since the last comparison.
    private var wasChanged = false
    private var hasCompared = false
    private var isDraining = false

    /// Someone else may change the table again and again, a second subscriber even: five times at once, then once a second.
    private var repairs = RateLimit(burst: 5, interval: .seconds(1))
    private var pause = GrowingPause(first: .milliseconds(50), most: .seconds(5))
    private var restsUntil: ContinuousClock.Instant?
    private var reported: SystemError?
    private var retryDue: ContinuousClock.Instant

    let reconcile: Duration

    init(reconcile: Duration = .seconds(300), now: ContinuousClock.Instant = .now) {
        self.reconcile = reconcile
        tableDue = now
        retryDue = now
    }

    /// Whether the kernel agreed with what is wanted when it was last looked at.
    var isSettled: Bool { agreed && tableDue == nil && restsUntil == nil }

    /// Whether the kernel has something that isn't wanted and is left alone until the wanted set is complete, as far as is known.
    private(set) var hasUnexplained = true

    /// Whether all that was announced is in the kernel, as far as is known.
    var isWritten: Bool { underWay == nil && tableDue == nil && work.isEmpty && prefixes.isEmpty }

    /// Changes that are not in the kernel for certain.
    var waiting: Int {
        let underWay = if case .addresses(let changes) = underWay { changes.count } else { 0 }
        return work.count + underWay + prefixes.waiting
    }

    /// What keeps the kernel from taking anything, once it lasts or needs a person.
    var trouble: SystemError? { reported }

    /// The addresses and prefixes that were banned in the kernel, or got their end there, since this was last asked.
    mutating func takeApplied() -> [Address] {
        defer { applied = [] }
        return applied + prefixes.takeApplied()
    }

    /// Whether draining is over: all is written, or can't be now.
    var isDrained: Bool { isDraining && underWay == nil && (restsUntil != nil || work.isEmpty && prefixes.isEmpty) }

    /// The processor time that the kernel needs for reading so many elements: 0.4 s for 100,000 and 43 s for a million, since it walks a
    /// hash set from its beginning for each part. Comparisons are so far apart that they take a thousandth of the time.
    static func effort(ofReading elements: Int) -> Duration { .nanoseconds(elements * elements / 20) }

    // MARK: What comes in

    mutating func take(_ change: WantedSet.Change) {
        comparison?.noteChange()
        if change.address.isSingle {
            work.append(change.address, mayBeThere: change.kind != .banned)
        } else {
            prefixes.take(change)
        }
    }

    mutating func drain() { isDraining = true }

    /// Someone else changed the table, or may have.
    mutating func noticed(now: ContinuousClock.Instant) {
        wasChanged = true
        if case .table = underWay { isOutdated = true }
        tableDue = tableDue ?? now
    }

    // MARK: What goes out

    /// What to do next. After `.write`, ``wrote(_:took:wanted:now:using:)`` must follow before the next write; after `.read`,
    /// ``read(_:wanted:now:using:)`` before the next reading.
    mutating func next(wanted: WantedSet, now: ContinuousClock.Instant) -> Step {
        if let restsUntil, restsUntil > now { return .wait(until: restsUntil) }
        restsUntil = nil
        if underWay == nil, let write = nextWrite(wanted, now) {
            underWay = write
            comparison?.note(write)
            return .write(write)
        }
        if comparison == nil, isComparisonDue(wanted, now) {
            comparison = NftablesComparison(now: now, wanted: wanted)
            comparisonDue = nil
            comparedFor = wanted.completeFrom.flatMap { $0 <= now ? $0 : nil }
        }
        if !isReading, let request = comparison?.request {
            isReading = true
            return .read(request)
        }
        let complete = wanted.completeFrom.flatMap { $0 == comparedFor ? nil : $0 }
        let isQuiet = underWay == nil && comparison == nil && !isReading
        let others = isQuiet && !isDraining ? [comparisonDue, complete] : []
        return .wait(until: ([tableDue, prefixes.deadline] + others).compactMap(\.self).min().flatMap { underWay == nil ? $0 : nil })
    }

    private mutating func nextWrite(_ wanted: WantedSet, _ now: ContinuousClock.Instant) -> NftablesWrite? {
        if let due = tableDue {
            guard due <= now else { return nil }
            if wasChanged, repairs.admit(at: now) == nil {
                tableDue = now + .seconds(1)
                return nil
            }
            return .table(anew: makesAnew)
        }
        return work.next(wanted: wanted, now: now).map { .addresses($0) } ?? prefixes.next(wanted: wanted, now: now)
    }

    private func isComparisonDue(_ wanted: WantedSet, _ now: ContinuousClock.Instant) -> Bool {
        guard underWay == nil, !isReading, tableDue == nil, work.isEmpty, prefixes.isEmpty, !isDraining else { return false }
        if let comparisonDue, comparisonDue <= now { return true }
        return wanted.isComplete(now) && wanted.completeFrom != comparedFor
    }

    // MARK: What comes back

    /// What became of the last transaction.
    ///
    /// - Parameter took: How long the kernel took for it.
    mutating func wrote(
        _ result: Result<Void, SystemError>, took: Duration, wanted: WantedSet, now: ContinuousClock.Instant,
        using random: inout some RandomNumberGenerator
    ) -> [Notice] {
        guard let write = underWay.take() else { return [] }
        switch result {
        case .success: return succeeded(write, took, now)
        case .failure(let error): return failed(write, error, now, &random)
        }
    }

    private mutating func succeeded(_ write: NftablesWrite, _ took: Duration, _ now: ContinuousClock.Instant) -> [Notice] {
        switch write {
        case .table:
            tableDue = isOutdated ? now : nil
            isOutdated = false
            makesAnew = false
            comparisonDue = now
            // What was read of a table that may be another one now.
            comparison = nil
            return []
        case .addresses(let changes):
            work.succeeded()
            applied += changes.bans.map(\.address) + changes.moved.map(\.address)
        case .ranges, .allRanges: prefixes.succeeded(write)
        }
        restore()
        return [.wrote(write, took: took)]
    }

    private mutating func failed(
        _ write: NftablesWrite, _ error: SystemError, _ now: ContinuousClock.Instant, _ random: inout some RandomNumberGenerator
    ) -> [Notice] {
        var notices: [Notice] = []
        let isSuspect = error.nftablesObstacle == .content
        switch write {
        case .table:
            // Something in it is there in another form, and the kernel can't change that: EEXIST, EOPNOTSUPP and more, by what it is.
            makesAnew = !makesAnew && error.nftablesObstacle != .passing && error.code != EPERM
            if makesAnew {
                tableDue = now
                agreed = false
                return []
            }
        case .addresses(let changes):
            if let address = work.failed(changes, isSuspect: isSuspect) { notices.append(.rejected(address, error)) }
        case .ranges(let family, _), .allRanges(let family, _): prefixes.failed(family)
        }
        return notices + failed(error, now, &random)
    }

    private mutating func failed(
        _ error: SystemError, _ now: ContinuousClock.Instant, _ random: inout some RandomNumberGenerator
    ) -> [Notice] {
        agreed = false
        tableDue = now
        if error.nftablesObstacle == .gone { wasChanged = true }
        let next = pause.next(using: &random)
        // The first time at once: someone has just removed the table, or the kernel has just ended something.
        restsUntil = now + (error.nftablesObstacle == .person ? NftablesDialogue.slowPause : pause.failures == 1 ? .zero : next)
        let isPersistent = pause.failures == NftablesDialogue.persistentFailures
        let isNew = reported?.code != error.code && (pause.failures > 1 || error.nftablesObstacle == .person)
        guard isNew || isPersistent else { return [] }
        reported = error
        return [.failing(error, persistent: isPersistent || error.nftablesObstacle == .person)]
    }

    private mutating func restore() {
        pause.reset()
        reported = nil
    }

    /// What became of the last reading.
    mutating func read(
        _ result: Result<NftablesReader.Page, SystemError>, wanted: WantedSet, now: ContinuousClock.Instant,
        using random: inout some RandomNumberGenerator
    ) -> [Notice] {
        isReading = false
        switch result {
        case .success(let page):
            comparison?.take(page, wanted: wanted, now: now, work: &work)
            guard let comparison, comparison.request == nil else { return [] }
            self.comparison = nil
            return compared(comparison, wanted, now)
        case .failure(let error):
            guard comparison != nil else { return [] }
            comparison = nil
            comparisonDue = now
            return failed(error, now, &random)
        }
    }

    private mutating func compared(
        _ comparison: NftablesComparison, _ wanted: WantedSet, _ now: ContinuousClock.Instant
    ) -> [Notice] {
        let rejected = work.rejected.count { wanted.contains($0) }
        let lacking = comparison.lacking(wanted, now: now) - rejected
        let isExplained = comparison.explains(lacking: lacking)
        doubts = lacking == 0 ? 0 : doubts + 1
        let tellsAll = doubts > (wasChanged ? 0 : isExplained ? NftablesDialogue.doubts.many : NftablesDialogue.doubts.few)
        if tellsAll {
            doubts = 0
            work.appendAll(of: wanted)
        }
        let differing = prefixes.take(comparison.ranges, wanted: wanted, isComplete: comparison.isComplete, now: now)
        let toLift = comparison.isComplete ? comparison.surplus : 0
        hasUnexplained = comparison.surplus > toLift || prefixes.hasUnexplained
        let isRight = comparison.explains(wrong: comparison.misdated + toLift)
        agreed = isExplained && isRight && differing == 0

        let effort = NftablesDialogue.effort(ofReading: comparison.found)
        comparisonDue = now + (agreed ? max(reconcile, effort * 1000) : max(NftablesDialogue.confirmation, effort * 20))
        if agreed {
            restore()
            if retryDue <= now {
                retryDue = now + reconcile
                work.retryRejected()
            }
        }
        defer {
            hasCompared = true
            wasChanged = false
        }
        let outcome = Outcome(
            found: comparison.found, lacking: tellsAll && !isExplained ? lacking : 0, misdated: isRight ? 0 : comparison.misdated,
            surplus: isRight ? 0 : toLift, ranges: differing)
        if !hasCompared { return [.connected(outcome, took: comparison.began.duration(to: now))] }
        if wasChanged { return [.repaired(outcome)] }
        return outcome.isEmpty ? [] : [.corrected(outcome)]
    }
}
