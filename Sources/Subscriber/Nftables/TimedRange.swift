// Stage 3, enforcement: overlapping and nested prefixes with different ends as ranges that don't overlap, and how those become others.
// Values.

import HeapModule
import Wire

/// Addresses of one family, from `first` to `last`, both of them in it, that are banned until `end`.
struct TimedRange: Hashable, Sendable {
    var first: UInt128
    var last: UInt128
    /// `nil`: until it is lifted.
    var end: ContinuousClock.Instant?

    init(_ first: UInt128, _ last: UInt128, until end: ContinuousClock.Instant?) {
        self.first = first
        self.last = last
        self.end = end
    }

    init(_ prefix: Address, until end: ContinuousClock.Instant?) { self.init(prefix.number, prefix.lastNumber, until: end) }

    /// Whether one of them ends later than, or with, the other.
    static func lasts(_ a: ContinuousClock.Instant?, asLongAs b: ContinuousClock.Instant?) -> Bool {
        guard let a else { return true }
        return b.map { a >= $0 } ?? false
    }

    /// The same bans as ranges that don't overlap, sorted: each address until the latest end of those that it is in. An interval set of the
    /// kernel takes no others. As few as possible.
    static func disjoint(_ ranges: some Sequence<TimedRange>) -> [TimedRange] {
        let sorted = ranges.sorted { $0.first < $1.first }
        var result: [TimedRange] = []
        // Those that have begun, the latest end first. What is over is dropped when it comes to the top.
        var begun = Heap<Begun>()
        var next = sorted.startIndex
        var position: UInt128 = 0
        while true {
            while let top = begun.max, top.range.last < position { begun.removeMax() }
            if begun.isEmpty {
                guard next < sorted.endIndex else { return result }
                position = max(position, sorted[next].first)
            }
            while next < sorted.endIndex, sorted[next].first <= position {
                if sorted[next].last >= position { begun.insert(Begun(range: sorted[next])) }
                next += 1
            }
            guard let top = begun.max?.range else { continue }
            // Up to where nothing else begins.
            let last = next < sorted.endIndex ? min(top.last, sorted[next].first - 1) : top.last
            if let before = result.last, before.last + 1 == position, before.end == top.end {
                result[result.count - 1].last = last
            } else {
                result.append(TimedRange(position, last, until: top.end))
            }
            guard last < .max else { return result }
            position = last + 1
        }
    }

    private struct Begun: Comparable {
        let range: TimedRange

        static func < (a: Begun, b: Begun) -> Bool { !lasts(a.range.end, asLongAs: b.range.end) }
        static func == (a: Begun, b: Begun) -> Bool { a.range.end == b.range.end }
    }
}

/// Some ranges that go, and those that then come. Both stand in the same stretch of addresses and touch nothing outside of it, so that
/// stretches can be changed one after the other, and each must be changed at once.
struct RangeChange: Hashable, Sendable {
    var removed: [TimedRange] = []
    var added: [TimedRange] = []

    var count: Int { removed.count + added.count }

    /// - Parameters:
    ///   - old, new: Sorted, and each without overlaps.
    static func changes(from old: [TimedRange], to new: [TimedRange]) -> [RangeChange] {
        var changes: [RangeChange] = []
        var (i, k) = (old.startIndex, new.startIndex)
        while i < old.endIndex || k < new.endIndex {
            var change = RangeChange()
            // A stretch: from here as long as a range of either begins before the others have ended.
            var last = min(i < old.endIndex ? old[i].first : .max, k < new.endIndex ? new[k].first : .max)
            while true {
                if i < old.endIndex, k < new.endIndex, old[i] == new[k], old[i].first <= last || change.count == 0 {
                    last = max(last, old[i].last)
                    i += 1
                    k += 1
                } else if i < old.endIndex, old[i].first <= last {
                    last = max(last, old[i].last)
                    change.removed.append(old[i])
                    i += 1
                } else if k < new.endIndex, new[k].first <= last {
                    last = max(last, new[k].last)
                    change.added.append(new[k])
                    k += 1
                } else {
                    break
                }
            }
            if change.count > 0 { changes.append(change) }
        }
        return changes
    }
}
