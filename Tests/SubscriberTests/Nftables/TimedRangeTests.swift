// Prefixes with different ends as ranges without overlaps, against a model that looks at each address.

import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct TimedRangeTests {
    private func range(_ first: UInt128, _ last: UInt128, _ seconds: Int?) -> TimedRange {
        TimedRange(first, last, until: seconds.map { start + .seconds($0) })
    }

    /// Until when each of the addresses 0 to 31 is banned: 0 not, nil without an end.
    private func model(_ ranges: [TimedRange], from origin: UInt128 = 0) -> [ContinuousClock.Instant??] {
        (0..<32).map { offset in
            let covering = ranges.filter { ($0.first...$0.last).contains(origin + UInt128(offset)) }
            guard !covering.isEmpty else { return nil }
            if covering.contains(where: { $0.end == nil }) { return .some(nil) }
            return .some(covering.compactMap(\.end).max())
        }
    }

    private func isDisjoint(_ ranges: [TimedRange]) -> Bool {
        ranges.allSatisfy { $0.first <= $0.last } && zip(ranges, ranges.dropFirst()).allSatisfy { $0.last < $1.first }
    }

    /// Whether no two neighbours could be one.
    private func isShortest(_ ranges: [TimedRange]) -> Bool {
        zip(ranges, ranges.dropFirst()).allSatisfy { $0.last + 1 < $1.first || $0.end != $1.end }
    }

    @Test func aPrefixInsideALongerBanDisappearsAndOneThatOutlastsItStands() throws {
        let wide = TimedRange(try address("192.0.2.0/24"), until: start + .seconds(600))
        let within = try address("192.0.2.64/26")
        #expect(TimedRange.disjoint([wide, TimedRange(within, until: start + .seconds(60))]) == [wide])
        let ranges = TimedRange.disjoint([TimedRange(within, until: nil), wide])
        let base = wide.first
        #expect(ranges == [range(base, base + 63, 600), range(base + 64, base + 127, nil), range(base + 128, base + 255, 600)])
    }

    @Test func theFirstAndTheLastAddressOfAFamilyAreCovered() throws {
        for text in ["0.0.0.0/24", "255.255.255.0/24", "::/56", "ffff:ffff:ffff:ffff::/64", "::/0"] {
            let prefix = try address(text)
            let only = TimedRange(prefix, until: nil)
            #expect(TimedRange.disjoint([only]) == [only])
            #expect(only.last == prefix.lastNumber)
        }
        let all = TimedRange(0, .max, until: start)
        #expect(TimedRange.disjoint([all, range(.max - 3, .max, 5), range(.max, .max, nil)]).map(\.first) == [0, .max - 3, .max])
    }

    /// All sets of up to three of the 15 prefixes in 8 addresses, each with one of three ends.
    @Test func everySetOfThreePrefixesIsCoveredAsTheModelSays() {
        var all: [TimedRange] = []
        for length in 0...3 {
            let size = UInt128(8 >> length)
            for index in 0..<UInt128(1 << length) {
                for end in [10, 20, nil] { all.append(range(index * size, index * size + size - 1, end)) }
            }
        }
        var wrong: [[TimedRange]] = []
        for a in all.indices {
            for b in a..<all.endIndex {
                for c in stride(from: b, to: all.endIndex, by: 1) {
                    let some = [all[b], all[c], all[a]]
                    let ranges = TimedRange.disjoint(some)
                    if !isDisjoint(ranges) || !isShortest(ranges) || model(ranges) != model(some) { wrong.append(some) }
                }
            }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
    }

    @Test(arguments: [0, UInt128(UInt32.max) - 31, UInt128.max - 31]) func anyRangesAreCoveredAsTheModelSays(from origin: UInt128) {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<5000 {
            let some = randomRanges(from: origin, &random)
            let ranges = TimedRange.disjoint(some)
            #expect(isDisjoint(ranges) && isShortest(ranges) && model(ranges, from: origin) == model(some, from: origin), "\(some)")
        }
    }

    @Test func changesLeadFromOneSetToTheOtherInStretchesThatCanStandAlone() {
        var random = SeededGenerator(seed: 6)
        for _ in 0..<5000 {
            let (old, new) = (TimedRange.disjoint(randomRanges(from: 0, &random)), TimedRange.disjoint(randomRanges(from: 0, &random)))
            let changes = RangeChange.changes(from: old, to: new)
            var kernel = Set(old)
            for change in changes {
                #expect(!change.removed.isEmpty || !change.added.isEmpty)
                #expect(Set(change.removed).isSubset(of: kernel), "only what is there goes")
                kernel.subtract(change.removed)
                kernel.formUnion(change.added)
                #expect(isDisjoint(kernel.sorted { $0.first < $1.first }), "after each change nothing overlaps: \(old) \(new)")
            }
            #expect(kernel == Set(new))
            #expect(Set(changes.flatMap(\.removed)).isDisjoint(with: changes.flatMap(\.added)), "what stays is not touched")
        }
    }

    private func randomRanges(from origin: UInt128, _ random: inout SeededGenerator) -> [TimedRange] {
        (0..<Int.random(in: 0...8, using: &random)).map { _ in
            let first = UInt128.random(in: 0..<32, using: &random)
            let last = min(31, first + UInt128.random(in: 0..<16, using: &random))
            return range(origin + first, origin + last, [1, 2, 3, 4, nil].randomElement(using: &random) ?? nil)
        }
    }

    @Test func elementsOfTheKernelAreReadAsRangesInWhateverOrder() {
        func element(_ number: UInt128, behind: Bool = false, end: Int? = nil) -> NftablesElement {
            NftablesElement(number: number, isBehindRange: behind, end: end.map { start + .seconds($0) })
        }
        let elements = [
            element(0, behind: true), element(64, behind: true), element(64, end: 9), element(0, end: 5), element(128, behind: true),
            element(UInt128(UInt32.max) - 255),
        ]
        let expected = [range(0, 63, 5), range(64, 127, 9), range(UInt128(UInt32.max) - 255, UInt128(UInt32.max), nil)]
        var random = SeededGenerator(seed: 7)
        for _ in 0..<50 { #expect(NftablesElement.ranges(elements.shuffled(using: &random), .ipv4) == expected) }
        // One whose end is missing reaches to the next.
        #expect(
            NftablesElement.ranges([element(1), element(9), element(12, behind: true)], .ipv4) == [range(1, 8, nil), range(9, 11, nil)])
    }
}
