// Stage 3, enforcement: one comparison of what the kernel's sets hold with what is wanted, page by page. A value.

import Wire

/// Counts which of the wanted single addresses the kernel has, and finds what it has beyond them or with another end.
///
/// It keeps no list of what it saw, which would take as much memory as the wanted set. When some are missing, all are told again: adding
/// what is there changes nothing.
struct NftablesComparison: Sendable {
    /// How far the kernel's end of an element may be from the wanted one. 1 s: the kernel counts in its ticks, of 1 to 10 ms, and a page
    /// waits a moment for the loop.
    static let tolerance: Duration = .seconds(1)
    /// Ends that come this soon may come before the comparison is over.
    static let soon: Duration = .seconds(600)

    let began: ContinuousClock.Instant
    /// Whether what isn't wanted is to go.
    let isComplete: Bool
    /// Sets that are still to be read, the one that is being read first.
    private(set) var remaining = NftablesSet.allCases
    /// Single addresses that the kernel has.
    private(set) var found = 0
    /// Those of them that are wanted.
    private var seen = 0
    /// The ends of those of them that come soon.
    private var soonOver: [ContinuousClock.Instant] = []
    /// Those that are wanted until another time.
    private(set) var misdated = 0
    /// Those that aren't wanted.
    private(set) var surplus = 0
    /// Addresses of which something was announced since it began, and those that were written to the kernel.
    private var announced = 0
    private var written = 0
    private var elements: [NftablesElement] = []
    /// What the interval sets have, but for those that were written to meanwhile.
    private(set) var ranges: [Address.Family: [TimedRange]] = [:]
    private var rewritten: Set<Address.Family> = []

    init(now: ContinuousClock.Instant, wanted: WantedSet) {
        began = now
        isComplete = wanted.isComplete(now)
    }

    /// What to read next; `nil` when all was read.
    var request: NftablesReader.Request? {
        guard let set = remaining.first else { return nil }
        return isBegun ? .goOn(set) : .begin(set)
    }

    private var isBegun = false

    /// Something is wanted now, or isn't any more, or until another time.
    mutating func noteChange() { announced += 1 }

    /// This goes to the kernel while its sets are read.
    mutating func note(_ write: NftablesWrite) {
        switch write {
        case .table: break
        case .addresses(let changes): written += changes.count
        case .ranges(let family, _), .allRanges(let family, _):
            rewritten.insert(family)
            ranges[family] = nil
        }
    }

    /// Takes one page.
    ///
    /// - Parameter work: Hears of each address whose element must go or have another end.
    mutating func take(_ page: NftablesReader.Page, wanted: WantedSet, now: ContinuousClock.Instant, work: inout NftablesWork) {
        guard page.set == remaining.first else { return }
        if page.set.hasIntervals {
            elements += page.elements
            if page.isLast, !rewritten.contains(page.set.family) {
                ranges[page.set.family] = NftablesElement.ranges(elements, page.set.family)
            }
        } else {
            for element in page.elements { look(at: element, in: page.set, wanted, now, &work) }
        }
        isBegun = !page.isLast
        guard page.isLast else { return }
        elements = []
        remaining.removeFirst()
    }

    private mutating func look(
        at element: NftablesElement, in set: NftablesSet, _ wanted: WantedSet, _ now: ContinuousClock.Instant, _ work: inout NftablesWork
    ) {
        guard let address = Address(element.number, set.family) else { return }
        found += 1
        guard wanted.contains(address) else {
            if work.contains(address) { return }
            surplus += 1
            if isComplete { work.append(address, mayBeThere: true) }
            return
        }
        let end = wanted.kernelEnd(of: address, now: now)
        if let end {
            // Its time is over already: the kernel was about to end it.
            guard end > now else { return }
            if end < began + NftablesComparison.soon { soonOver.append(end) }
        }
        seen += 1
        if !NftablesComparison.agree(element.end, end), !work.contains(address) {
            misdated += 1
            work.append(address, mayBeThere: true)
        }
    }

    static func agree(_ a: ContinuousClock.Instant?, _ b: ContinuousClock.Instant?) -> Bool {
        switch (a, b) {
        case (nil, nil): true
        case (let a?, let b?): (min(a, b)..<max(a, b)).duration <= tolerance
        default: false
        }
    }

    /// Whether so many that seem to lack, or were told twice, may come from what changed meanwhile: an address that was announced, or one
    /// that the kernel passed over for one that was written, since it finds its place in a hash set again by counting.
    func explains(lacking: Int) -> Bool { abs(lacking) <= announced + written }

    /// Whether so many that had another end, or were too many, may be those of which something was announced meanwhile.
    func explains(wrong: Int) -> Bool { wrong <= announced }

    /// How many wanted single addresses the kernel lacks, when all was read; negative when it told some twice.
    func lacking(_ wanted: WantedSet, now: ContinuousClock.Instant) -> Int {
        let over = soonOver.count { $0 <= now }
        return wanted.count(lastingAt: now, where: \.isSingle) - (seen - over)
    }
}

extension Range<ContinuousClock.Instant> {
    fileprivate var duration: Duration { lowerBound.duration(to: upperBound) }
}

extension WantedSet {
    /// Whether what isn't wanted isn't banned for certain.
    func isComplete(_ now: ContinuousClock.Instant) -> Bool { completeFrom.map { $0 <= now } ?? false }
}
