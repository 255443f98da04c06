// Stage 2, report -> admission -> journal -> broadcast: which addresses are banned, in key order, so that a page of them is found at once.

import Wire

/// A set of addresses in runs of bounded length, in key order: a change touches one run, and a page is read where it begins, however many
/// addresses there are. (Sorting a dictionary's keys for each page of a million took most of a second.)
///
/// What comes new into a run waits at its end, in no order, until there is more of it: to move half a run for each new address cost more
/// than anything else that an event does in memory.
struct SortedAddresses {
    /// The longest run; one that grows beyond it is cut in halves.
    static let longestRun = 512
    /// Addresses that may wait at the end of a run: as many as are put into order in a microsecond or two.
    static let mostWaiting = 64

    private struct Run {
        /// Sorted up to ``sortedCount``.
        private(set) var addresses: [Address]
        private var sortedCount: Int

        /// - Parameter addresses: sorted.
        init(_ addresses: [Address]) {
            self.addresses = addresses
            sortedCount = addresses.count
        }

        mutating func append(_ address: Address) {
            addresses.append(address)
            if addresses.count - sortedCount > SortedAddresses.mostWaiting { sort() }
        }

        mutating func remove(_ address: Address) -> Bool {
            guard let place = place(of: address) else { return false }
            addresses.remove(at: place)
            if place < sortedCount { sortedCount -= 1 }
            return true
        }

        func contains(_ address: Address) -> Bool { place(of: address) != nil }

        private func place(of address: Address) -> Int? {
            let place = addresses[..<sortedCount].partitionPoint { $0 >= address }
            if place < sortedCount, addresses[place] == address { return place }
            return addresses[sortedCount...].firstIndex(of: address)
        }

        /// The upper half, which leaves the run.
        mutating func cut() -> Run {
            sort()
            let half = addresses.count / 2
            let upper = Run(Array(addresses[half...]))
            addresses.removeSubrange(half...)
            sortedCount = half
            return upper
        }

        /// All of it in key order.
        var sorted: [Address] {
            var run = self
            run.sort()
            return run.addresses
        }

        /// Most of it is sorted already, which the sorting of the standard library sees and makes use of.
        private mutating func sort() {
            guard sortedCount < addresses.count else { return }
            addresses.sort()
            sortedCount = addresses.count
        }
    }

    /// None is empty.
    private var runs: [Run] = []
    /// For each run, side by side, an address that is not behind any of it, and behind all of the run before.
    private var firsts: [Address] = []
    private(set) var count = 0

    /// Adds an address that is not there.
    mutating func insert(_ address: Address) {
        count += 1
        guard !runs.isEmpty else {
            runs = [Run([address])]
            firsts = [address]
            return
        }
        let run = max(firstRun(behind: address) - 1, 0)
        assert(!runs[run].contains(address))
        if address < firsts[run] { firsts[run] = address }
        runs[run].append(address)
        guard runs[run].addresses.count > SortedAddresses.longestRun else { return }
        let upper = runs[run].cut()
        firsts.insert(upper.addresses[0], at: run + 1)
        runs.insert(upper, at: run + 1)
    }

    /// Removes an address; one that isn't there is no matter.
    mutating func remove(_ address: Address) {
        let run = firstRun(behind: address) - 1
        guard run >= 0, runs[run].remove(address) else { return }
        count -= 1
        guard runs[run].addresses.isEmpty else { return }
        runs.remove(at: run)
        firsts.remove(at: run)
    }

    /// The addresses behind `after`, or from the first on, at most `limit`.
    func page(after: Address?, limit: Int) -> [Address] {
        var page: [Address] = []
        var run = 0
        if let after { run = max(firstRun(behind: after) - 1, 0) }
        while run < runs.count, page.count < limit {
            let addresses = runs[run].sorted
            let start = after.map { after in addresses[...].partitionPoint { $0 > after } } ?? 0
            page += addresses[start...].prefix(limit - page.count)
            run += 1
        }
        return page
    }

    /// The first run that begins behind the address; the one before it is where the address belongs.
    private func firstRun(behind address: Address) -> Int { firsts[...].partitionPoint { $0 > address } }
}

extension ArraySlice {
    /// Where the elements begin for which the predicate holds, in an order in which they are all behind those for which it doesn't.
    fileprivate func partitionPoint(_ holds: (Element) -> Bool) -> Int {
        var (low, high) = (startIndex, endIndex)
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
