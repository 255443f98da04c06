// Tests of what travels: which addresses a prefix holds, and in which order addresses come.

import TestSupport
import Testing
import Wire

@Suite struct AddressOrderTests {
    /// The same question asked of whole numbers: the first and last address of the range.
    private struct Interval: Equatable {
        var family: Address.Family
        var first: UInt128
        var last: UInt128

        init(_ address: Address) {
            family = address.family
            first = UInt128(address.high) << 64 | UInt128(address.low)
            let free = address.family.width - address.prefixLength
            last = first | (free == 128 ? UInt128.max : (UInt128(1) << UInt128(free)) - 1)
        }

        func holds(_ other: Interval) -> Bool { family == other.family && first <= other.first && other.last <= last }

        func meets(_ other: Interval) -> Bool { family == other.family && first <= other.last && other.first <= last }
    }

    /// Two addresses that often have much in common.
    private func pair(_ random: inout Generator) -> (Address, Address) {
        let a = random.address()
        guard random.once(in: 2) else { return (a, random.address()) }
        let length = random.number(0...a.family.width)
        let flip = random.once(in: 2) ? 0 : UInt64(1) << UInt64(random.number(0...(a.family == .ipv4 ? 31 : 63)))
        let b =
            a.family == .ipv4
            ? Address(ipv4: UInt32(a.low ^ flip), prefixLength: length) : Address(ipv6High: a.high, low: a.low ^ flip, prefixLength: length)
        return (a, b ?? a)
    }

    @Test(
        "A prefix holds the addresses that begin as it does",
        arguments: [
            ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false), ("192.0.2.0/24", "192.0.2.0/24", true),
            ("192.0.2.0/24", "192.0.2.128/25", true), ("192.0.2.128/25", "192.0.2.0/24", false), ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false), ("::/0", "1.2.3.4", false), ("::/0", "ffff::", true), ("192.0.2.1", "192.0.2.1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::", false),
            ("2001:db8::/64", "2001:db8::1:0:0:1", true),
            ("2001:db8::/65", "2001:db8::8000:0:0:1", false), ("::1", "::1", true), ("::1", "::/0", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
        ])
    func aPrefixHoldsWhatBeginsAsItDoes(outer: String, inner: String, holds: Bool) throws {
        #expect(try #require(Address(outer)).contains(#require(Address(inner))) == holds)
    }

    @Test func containsAndOverlapsSayWhatTheRangesSay() {
        forRandomCases(20_000) { random in
            let (a, b) = pair(&random)
            let (x, y) = (Interval(a), Interval(b))
            #expect(a.contains(a) && a.overlaps(a))
            #expect(a.contains(b) == x.holds(y), "\(a) \(b)")
            #expect(a.overlaps(b) == x.meets(y), "\(a) \(b)")
            #expect(a.overlaps(b) == b.overlaps(a))
            let around = a.widened(to: b.prefixLength)
            #expect((around == nil) == (b.prefixLength > a.prefixLength))
            #expect(around.map { $0.contains(a) && $0.prefixLength == b.prefixLength } ?? true, "\(a) \(b)")
            #expect((a == b) == (x == y))
            if a.contains(b), b.contains(a) { #expect(a == b) }
        }
    }

    @Test func itsPrefixesAreAllThatContainItTheWidestFirst() throws {
        let address = try #require(Address("192.0.2.128/26"))
        #expect(address.prefixes.count == 27 && address.prefixes.first?.prefixLength == 0 && address.prefixes.last == address)
        #expect(address.prefixes == address.prefixes.sorted() && address.prefixes.allSatisfy { $0.contains(address) })
        #expect(try #require(Address("2001:db8::1")).prefixes.count == 129)
    }

    @Test func theFirstAddressOfAPrefixIsItsOwn() {
        forRandomCases(5_000) { random in
            let address = random.address()
            let first =
                address.family == .ipv4 ? Address(ipv4: UInt32(address.low)) : Address(ipv6High: address.high, low: address.low)
            // ::ffff:0:0 inside a wide IPv6 prefix is IPv4, which no IPv6 prefix holds.
            if let first, first.family == address.family { #expect(address.contains(first)) }
        }
    }

    @Test func theOrderIsByFamilyThenNetworkThenWiderFirst() throws {
        let texts = [
            "0.0.0.0/0", "0.0.0.0", "9.255.255.255", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0", "10.0.0.1", "255.255.255.255", "::/0", "::",
            "::1", "::1:0:0:0:0/80", "2001:db8::/32", "2001:db8::/64", "2001:db8::", "2001:db8::1", "ffff::",
        ]
        let addresses = try texts.map { try #require(Address($0)) }
        for seed in 1...20 as ClosedRange<UInt64> {
            var random = Generator(seed: seed)
            #expect(addresses.shuffled(using: &random).sorted() == addresses)
        }
    }

    @Test func theOrderIsTotal() {
        forRandomCases(20_000) { random in
            let (a, b) = pair(&random)
            let c = random.once(in: 2) ? pair(&random).0 : b
            #expect([a < b, a == b, b < a].count { $0 } == 1, "\(a) \(b)")
            if a < b, b < c { #expect(a < c, "\(a) \(b) \(c)") }
            // A prefix comes before all that it holds.
            if a.contains(b), a != b { #expect(a < b) }
        }
    }
}
