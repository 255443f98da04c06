// Stage 3, the wanted set: which ban ends first.

import Wire

/// A binary heap of ends and addresses, the earliest end first. An address may stand in it several times.
struct ExpiryHeap: Sendable {
    private var entries: [(end: Int64, address: Address)] = []

    init() {}

    /// In time proportional to the number of entries.
    init(_ entries: some Sequence<(Int64, Address)>) {
        self.entries = entries.map { (end: $0.0, address: $0.1) }
        for index in stride(from: self.entries.count / 2 - 1, through: 0, by: -1) { sink(from: index) }
    }

    var count: Int { entries.count }

    /// The earliest end.
    var first: Int64? { entries.first?.end }

    mutating func insert(_ end: Int64, _ address: Address) {
        entries.append((end, address))
        var index = entries.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard entries[index].end < entries[parent].end else { break }
            entries.swapAt(index, parent)
            index = parent
        }
    }

    /// Removes and returns the entry with the earliest end, if that is not later than `limit`.
    mutating func popFirst(dueBy limit: Int64) -> (end: Int64, address: Address)? {
        guard let first = entries.first, first.end <= limit else { return nil }
        entries.swapAt(0, entries.count - 1)
        entries.removeLast()
        sink(from: 0)
        return first
    }

    private mutating func sink(from start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < entries.count && entries[child].end < entries[least].end {
                least = child
            }
            guard least != index else { return }
            entries.swapAt(index, least)
            index = least
        }
    }
}
