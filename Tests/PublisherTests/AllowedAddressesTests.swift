// What is allowed is found whichever way it overlaps with a ban, and only while it is allowed.

import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct AllowedAddressesTests {
    /// An address or prefix of few, so that many overlap.
    private func some(_ random: inout SeededGenerator) throws -> Address {
        if Bool.random(using: &random) {
            let bits = UInt32(0xc000_0200) | UInt32.random(in: 0...15, using: &random)
            return try #require(Address(ipv4: bits, prefixLength: Int.random(in: 26...32, using: &random)))
        }
        let low = UInt64.random(in: 0...15, using: &random)
        return try #require(Address(ipv6High: 0x2001_0db8 << 32, low: low, prefixLength: Int.random(in: 122...128, using: &random)))
    }

    @Test(arguments: 0..<20) func itFindsWhatLookingAtAllFinds(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var allowed = AllowedAddresses()
        var all: [Address: Int64] = [:]
        var found = 0
        for step in 0..<600 {
            let now = Timestamp(milliseconds: Int64(step))
            let address = try some(&random)
            let end: Int64 =
                switch Int.random(in: 0...9, using: &random) {
                case 0: .max
                case 1...5: 0
                default: Int64(step + Int.random(in: -5...50, using: &random))
                }
            allowed.allow(address, until: max(end, 0))
            all[address] = end > 0 ? end : nil
            #expect(allowed.count == all.count)
            #expect(allowed.page(after: nil, limit: 1000).map(\.address) == all.keys.sorted())

            let question = try some(&random)
            let overlapping = all.filter { $0.key.overlaps(question) && $0.value > now.milliseconds }
            let refusal = allowed.refusal(for: question, now: now)
            #expect((refusal == nil) == overlapping.isEmpty, "seed \(seed), step \(step)")
            #expect(allowed.has(question, now: now) == (overlapping[question] != nil))
            let conflict = allowed.conflict(with: question, now: now)
            let others = overlapping.filter { $0.key != question }
            #expect((conflict == nil) == others.isEmpty, "seed \(seed), step \(step)")
            if let conflict {
                found += 1
                #expect(others[conflict.address].map(BanEnd.init(deadline:)) == conflict.end)
                // Of those around it the one that lasts longest.
                let around = others.filter { $0.key.contains(question) }
                #expect(around.isEmpty || around.values.max() == conflict.end.deadline)
            }
        }
        #expect(found > 100)
    }
}
