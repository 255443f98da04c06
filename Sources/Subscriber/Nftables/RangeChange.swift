// Stage 3, enforcement: what must go and come so that ranges without overlaps become others. Values only.

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
