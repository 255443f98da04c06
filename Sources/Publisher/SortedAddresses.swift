// Stage 2, report -> admission -> journal -> broadcast: which addresses are banned, in key order, so that a page of them is found at once.

import Wire

/// A sorted set of addresses in runs of bounded length: a change moves a few thousand bytes, and a page is read where it begins,
/// however many addresses there are. (Sorting a dictionary's keys for each page of a million took most of a second.)
struct SortedAddresses {
    /// The longest run; one that grows beyond it is cut in halves.
    static let longestRun = 512

    /// Sorted, and so are the addresses in each; none is empty.
    private var runs: [[Address]] = []
    /// The first of each, side by side, since most of a search goes through them.
    private var firsts: [Address] = []
    private(set) var count = 0

    /// Adds an address; one that is there stays.
    mutating func insert(_ address: Address) {
        guard !runs.isEmpty else {
            runs = [[address]]
            firsts = [address]
            count = 1
            return
        }
        let run = max(firstRun(behind: address) - 1, 0)
        let place = runs[run].partitionPoint { $0 >= address }
        if place < runs[run].count, runs[run][place] == address { return }
        runs[run].insert(address, at: place)
        if place == 0 { firsts[run] = address }
        count += 1
        guard runs[run].count > SortedAddresses.longestRun else { return }
        let half = runs[run].count / 2
        runs.insert(Array(runs[run][half...]), at: run + 1)
        firsts.insert(runs[run][half], at: run + 1)
        runs[run].removeSubrange(half...)
    }

    /// Removes an address; one that isn't there is no matter.
    mutating func remove(_ address: Address) {
        let run = firstRun(behind: address) - 1
        guard run >= 0 else { return }
        let place = runs[run].partitionPoint { $0 >= address }
        guard place < runs[run].count, runs[run][place] == address else { return }
        runs[run].remove(at: place)
        count -= 1
        if runs[run].isEmpty {
            runs.remove(at: run)
            firsts.remove(at: run)
        } else if place == 0 {
            firsts[run] = runs[run][0]
        }
    }

    /// The addresses behind `after`, or from the first on, at most `limit`.
    func page(after: Address?, limit: Int) -> [Address] {
        var page: [Address] = []
        var run = 0
        if let after { run = max(firstRun(behind: after) - 1, 0) }
        while run < runs.count, page.count < limit {
            let start = after.map { after in runs[run].partitionPoint { $0 > after } } ?? 0
            page += runs[run][start...].prefix(limit - page.count)
            run += 1
        }
        return page
    }

    /// The first run that begins behind the address; the one before it is where the address belongs.
    private func firstRun(behind address: Address) -> Int { firsts.partitionPoint { $0 > address } }
}

extension Array {
    /// Where the elements begin for which the predicate holds, in an array in which they are all behind those for which it doesn't.
    fileprivate func partitionPoint(_ holds: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
