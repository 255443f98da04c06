// Stage 3, enforcement: which ranges the kernel's interval sets have, should have, and how the one becomes the other. A value.

import Wire

/// The prefixes that are wanted and the ranges that enforce them.
///
/// All ranges of a family are computed anew, and compared with those that the kernel has: a change of one prefix touches only those around
/// it. Prefixes are few, and many changes are one computation.
struct NftablesPrefixes: Sendable {
    /// Ranges that go and come in one transaction, and those that must change at once with the last of them.
    static let most = 2000
    /// How long ranges rest after they were computed, for each of them: so that a hundred thousand take some percent of the loop's time.
    static let rest: Duration = .microseconds(10)

    private struct Half: Sendable {
        var wanted: Set<Address> = []
        /// What the kernel has: sorted, without overlaps.
        var kernel: [TimedRange] = []
        /// Whether that is known. Until it was looked at, and after a failure, nothing is written: it might overlap what is there.
        var isKnown = false
        /// What the kernel had and nobody explains, while the wanted set isn't complete. It is left alone.
        var unexplained: [TimedRange] = []
        var isDirty = false
        /// Prefixes that were announced and whose ranges are not in the kernel for certain.
        var waiting: Set<Address> = []
        /// Transactions in a row that failed.
        var failures = 0
    }

    private var halves: [Address.Family: Half] = [.ipv4: Half(), .ipv6: Half()]
    private var restsUntil: ContinuousClock.Instant?

    /// Whether nothing waits that can be written.
    var isEmpty: Bool { halves.values.allSatisfy { !$0.isDirty || !$0.isKnown } }

    /// Prefixes that were announced and whose ranges are not in the kernel for certain.
    var waiting: Int { halves.values.reduce(0) { $0 + $1.waiting.count } }

    /// Prefixes whose ranges are as they should be since this was last asked.
    private(set) var applied: [Address] = []

    mutating func takeApplied() -> [Address] {
        defer { applied = [] }
        return applied
    }

    var hasUnexplained: Bool { halves.values.contains { !$0.unexplained.isEmpty } }

    /// When ``next(wanted:now:)`` has something, if it has nothing now.
    var deadline: ContinuousClock.Instant? { isEmpty ? nil : restsUntil }

    mutating func take(_ change: WantedSet.Change) {
        let prefix = change.address
        update(prefix.family) { half in
            half.isDirty = true
            half.waiting.insert(prefix)
            guard change.kind == .lifted else {
                half.wanted.insert(prefix)
                return
            }
            half.wanted.remove(prefix)
            half.unexplained.removeAll { $0.first >= prefix.number && $0.last <= prefix.lastNumber }
        }
    }

    /// The next transaction; `nil` when nothing waits, or it rests.
    mutating func next(wanted: WantedSet, now: ContinuousClock.Instant) -> NftablesWrite? {
        if let restsUntil, restsUntil > now { return nil }
        restsUntil = nil
        for (family, half) in halves where half.isDirty && half.isKnown {
            let target = NftablesPrefixes.target(half.wanted, half.unexplained, wanted, now)
            let kernel = half.kernel.filter { $0.lasts(at: now) }
            let changes = RangeChange.changes(from: kernel, to: target)
            var count = 0
            let some = changes.prefix { change in
                defer { count += change.count }
                return count < NftablesPrefixes.most
            }
            let isAll = half.failures > 1
            update(family) { half in
                half.kernel = kernel
                half.isDirty = !isAll && some.count < changes.count
            }
            if changes.isEmpty {
                settle(family)
                continue
            }
            restsUntil = now + NftablesPrefixes.rest * target.count
            return isAll ? .allRanges(family, target) : .ranges(family, Array(some))
        }
        return nil
    }

    mutating func succeeded(_ write: NftablesWrite) {
        switch write {
        case .table, .addresses: break
        case .allRanges(let family, let ranges):
            update(family) { half in
                half.kernel = ranges
                half.failures = 0
            }
            settle(family)
        case .ranges(let family, let changes):
            update(family) { half in
                let removed = Set(changes.flatMap(\.removed))
                half.kernel = (half.kernel.filter { !removed.contains($0) } + changes.flatMap(\.added)).sorted { $0.first < $1.first }
                half.failures = 0
            }
            settle(family)
        }
    }

    mutating func failed(_ family: Address.Family) {
        update(family) { half in
            half.isDirty = true
            half.isKnown = false
            half.failures += 1
        }
    }

    /// Takes what the kernel really has.
    ///
    /// - Returns: how many ranges must go or come for which no change waits.
    mutating func take(_ ranges: [Address.Family: [TimedRange]], wanted: WantedSet, isComplete: Bool, now: ContinuousClock.Instant) -> Int {
        var differing = 0
        for (family, found) in ranges {
            update(family) { half in
                let explained = NftablesPrefixes.target(half.wanted, [], wanted, now)
                half.kernel = NftablesPrefixes.adopted(found, explained).filter { $0.lasts(at: now) }
                let own = Set(explained)
                half.unexplained = isComplete ? [] : half.kernel.filter { !own.contains($0) }
                let target = NftablesPrefixes.target(half.wanted, half.unexplained, wanted, now)
                let difference = RangeChange.changes(from: half.kernel, to: target).reduce(0) { $0 + $1.count }
                differing += half.isDirty ? 0 : difference
                half.isDirty = difference > 0
                half.isKnown = true
            }
            settle(family)
        }
        return differing
    }

    /// The kernel has the ranges of a family as they were computed last: that is all, unless something changed since.
    private mutating func settle(_ family: Address.Family) {
        guard let half = halves[family], !half.isDirty else { return }
        applied += half.waiting.filter { half.wanted.contains($0) }
        halves[family]?.waiting = []
    }

    /// The same ranges, with the wanted end where the kernel's is as good as that.
    private static func adopted(_ found: [TimedRange], _ wanted: [TimedRange]) -> [TimedRange] {
        let ends = Dictionary(wanted.map { ($0.first, $0) }) { first, _ in first }
        return found.map { range in
            guard let other = ends[range.first], other.last == range.last, NftablesComparison.agree(other.end, range.end) else {
                return range
            }
            return other
        }
    }

    private static func target(
        _ prefixes: Set<Address>, _ others: [TimedRange], _ wanted: WantedSet, _ now: ContinuousClock.Instant
    ) -> [TimedRange] {
        let ranges = prefixes.lazy.filter { wanted.contains($0) }.map { TimedRange($0, until: wanted.kernelEnd(of: $0, now: now)) }
        return TimedRange.disjoint((Array(ranges) + others).filter { $0.lasts(at: now) })
    }

    private mutating func update(_ family: Address.Family, _ body: (inout Half) -> Void) { body(&halves[family, default: Half()]) }
}

extension TimedRange {
    fileprivate func lasts(at now: ContinuousClock.Instant) -> Bool { end.map { $0 > now } ?? true }
}
