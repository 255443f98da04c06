// The banned addresses in key order: the same as sorting a set, whatever comes and goes.

import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct SortedAddressesTests {
    @Test func itIsAlwaysWhatASortedSetWouldBe() throws {
        var random = SeededGenerator(seed: 1)
        var sorted = SortedAddresses()
        var plain: Set<Address> = []
        for step in 0..<20_000 {
            let address = try #require(Address(ipv4: UInt32.random(in: 0..<4000, using: &random), prefixLength: 32))
            // It grows first, and then shrinks, so that runs are cut in halves and vanish.
            if Int.random(in: 0..<10, using: &random) < (step < 10_000 ? 8 : 2) {
                if plain.insert(address).inserted { sorted.insert(address) }
            } else {
                sorted.remove(address)
                plain.remove(address)
            }
            guard step % 500 == 0 else { continue }
            #expect(sorted.count == plain.count)
            #expect(sorted.page(after: nil, limit: .max) == plain.sorted())
            #expect(sorted.page(after: address, limit: 700) == Array(plain.filter { $0 > address }.sorted().prefix(700)))
        }
        for address in plain { sorted.remove(address) }
        #expect(sorted.page(after: nil, limit: 1) == [])
    }

    @Test func pagesOneAfterTheOtherHoldEachAddressOnce() throws {
        var sorted = SortedAddresses()
        for i in 0..<3000 { sorted.insert(try #require(Address(ipv4: UInt32(i * 7919 % 3000)))) }
        var all: [Address] = []
        while true {
            let page = sorted.page(after: all.last, limit: 199)
            if page.isEmpty { break }
            all += page
        }
        #expect(all == (0..<3000).compactMap { Address(ipv4: UInt32($0)) })
    }
}
