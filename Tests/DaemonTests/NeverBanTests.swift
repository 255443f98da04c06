// Promises of what no host can make the cluster ban.

import TestSupport
import Testing
import Wire

@testable import Daemon

/// An address that a test wrote itself.
private func address(_ text: String) throws -> Address { try #require(Address(text)) }

@Suite struct NeverBanTests {
    private func refusal(_ text: String, _ neverBan: NeverBan) throws -> NeverBan.Refusal? { neverBan.refusal(for: try address(text)) }

    @Test(arguments: [
        ("127.0.0.1", NeverBan.Rule.loopback), ("127.255.0.0/24", .loopback), ("::1", .loopback), ("0.0.0.0", .unspecified),
        ("::", .unspecified), ("224.0.0.1", .multicast), ("ff02::1", .multicast), ("255.255.255.255", .broadcast),
        ("169.254.1.1", .linkLocal), ("fe80::1", .linkLocal), ("0.0.0.0/0", .prefixTooWide), ("::/0", .prefixTooWide),
        ("198.51.0.0/23", .prefixTooWide), ("2001:db8::/55", .prefixTooWide), ("::ffff:127.0.0.1", .loopback),
    ])
    func whatIsNeverBannedAnywhereIsRefused(text: String, rule: NeverBan.Rule) throws {
        #expect(try refusal(text, NeverBan())?.rule == rule)
    }

    @Test(arguments: [
        "203.0.113.9", "198.51.100.0/24", "2001:db8::1", "2001:db8::/56", "128.0.0.1", "126.255.255.255", "223.255.255.255", "1.0.0.0",
    ])
    func othersMayBeBanned(text: String) throws {
        #expect(try refusal(text, NeverBan()) == nil)
    }

    @Test func ignoreipProtectsAndSaysWhatMatched() throws {
        let neverBan = NeverBan(ignoreip: ["10.1.2.3/8", "2001:db8::5", "192.0.2.7"].compactMap { IgnoreRule($0) })
        #expect(try refusal("10.9.9.9", neverBan)?.text == "ignoreip has 10.0.0.0/8")
        #expect(try refusal("192.0.2.7", neverBan)?.text == "ignoreip has 192.0.2.7")
        #expect(try refusal("192.0.2.8", neverBan) == nil)
    }

    @Test func aPrefixThatCoversAProtectedAddressIsRefused() throws {
        let neverBan = NeverBan(ignoreip: ["192.0.2.7", "2001:db8::5"].compactMap { IgnoreRule($0) })
        #expect(try refusal("192.0.2.0/24", neverBan)?.rule == .ignoreip)
        #expect(try refusal("2001:db8::/64", neverBan)?.rule == .ignoreip)
        #expect(try refusal("192.0.3.0/24", neverBan) == nil)
    }

    /// Hosts that have only IPv6 see the rest of the Internet as 64:ff9b::/96.
    @Test func whatStandsForIPv4BehindATranslatorIsProtectedAsThatIs() throws {
        let neverBan = NeverBan(ignoreip: ["192.0.2.7"].compactMap { IgnoreRule($0) })
        let refusals = try ["64:ff9b::c000:207", "64:ff9b::c000:200/120", "64:ff9b::/104", "64:ff9b::/96", "64:ff9b::/56"].map {
            try refusal($0, neverBan)?.text
        }
        #expect(
            refusals == [
                "64:ff9b::c000:207 stands for 192.0.2.7: ignoreip has 192.0.2.7",
                "64:ff9b::c000:200/120 stands for 192.0.2.0/24: ignoreip has 192.0.2.7",
                "64:ff9b::/104 stands for 0.0.0.0/8: the prefix is wider than minprefix4 = 24",
                "64:ff9b::/96 stands for 0.0.0.0/0: the prefix is wider than minprefix4 = 24",
                "64:ff9b::/56 stands for 0.0.0.0/0: the prefix is wider than minprefix4 = 24",
            ])
        for text in ["64:ff9b::c000:208", "64:ff9b::c633:6400/120", "64:ff9b:0:0:1::/80", "64:ff9b:1::/56"] {
            #expect(try refusal(text, neverBan) == nil, "\(text)")
        }
    }

    @Test func theLimitsOfPrefixesAreSettings() throws {
        let neverBan = NeverBan(minPrefix4: 28, minPrefix6: 64)
        #expect(try refusal("203.0.113.0/27", neverBan)?.text == "the prefix is wider than minprefix4 = 28")
        #expect(try refusal("203.0.113.0/28", neverBan) == nil)
        #expect(try refusal("2001:db8::/63", neverBan)?.text == "the prefix is wider than minprefix6 = 64")
    }

    @Test func aNameProtectsFromItsResolutionOn() throws {
        let name = try #require(Hostname("office.example.org"))
        var neverBan = NeverBan(ignoreip: [.name(name)])
        #expect(neverBan.names == [name])
        #expect(try refusal("203.0.113.9", neverBan) == nil)
        neverBan.resolve(name, to: [try address("203.0.113.9")])
        #expect(try refusal("203.0.113.9", neverBan)?.text == "ignoreip has 203.0.113.9 (office.example.org)")
    }

    @Test func aNameServerThatIsDownOpensNoDoor() throws {
        let name = try #require(Hostname("office.example.org"))
        var neverBan = NeverBan(ignoreip: [.name(name)])
        neverBan.resolve(name, to: [try address("203.0.113.9")])
        neverBan.resolve(name, to: [])
        #expect(try refusal("203.0.113.9", neverBan) != nil)
    }

    @Test func aReloadKeepsWhatIsResolvedAndWhoIsKnown() throws {
        let kept = try #require(Hostname("kept.example.org"))
        let gone = try #require(Hostname("gone.example.org"))
        var neverBan = NeverBan(ignoreip: [.name(kept), .name(gone)])
        neverBan.resolve(kept, to: [try address("203.0.113.1")])
        neverBan.resolve(gone, to: [try address("203.0.113.2")])
        neverBan.protect([try address("203.0.113.3")], as: .peer)
        neverBan.reconfigure(ignoreip: [.name(kept)], minPrefix4: 24, minPrefix6: 56)
        #expect(try refusal("203.0.113.1", neverBan)?.rule == .ignoreip)
        #expect(try refusal("203.0.113.2", neverBan) == nil)
        #expect(try refusal("203.0.113.3", neverBan)?.rule == .peer)
    }

    @Test func protectingAnewReplacesWhatARuleProtected() throws {
        var neverBan = NeverBan()
        neverBan.protect([try address("203.0.113.1")], as: .ownAddress)
        neverBan.protect([try address("203.0.113.2")], as: .ownAddress)
        neverBan.protect([try address("203.0.113.3")], as: .gateway)
        #expect(try refusal("203.0.113.1", neverBan) == nil)
        #expect(try refusal("203.0.113.2", neverBan)?.text == "203.0.113.2 is an address of this host")
        #expect(try refusal("203.0.113.3", neverBan)?.text == "203.0.113.3 is a gateway of this host")
    }

    @Test func itAnswersAsLookingAtEachProtectedAddressWould() throws {
        var random = SeededGenerator(seed: 1)
        // Few distinct bits, so that prefixes often nest.
        func randomAddress() throws -> Address {
            let bits = UInt32.random(in: 0..<64, using: &random) << 8 | 0xc612_0000
            return Bool.random(using: &random)
                ? try #require(Address(ipv4: bits, prefixLength: Int.random(in: 16...32, using: &random)))
                : try #require(Address(ipv6High: UInt64(bits) << 24, low: 0, prefixLength: Int.random(in: 24...64, using: &random)))
        }
        for _ in 0..<50 {
            let protected = try (0..<20).map { _ in try randomAddress() }
            var neverBan = NeverBan(minPrefix4: 8, minPrefix6: 16)
            neverBan.protect(protected, as: .peer)
            for _ in 0..<100 {
                let asked = try randomAddress()
                #expect((neverBan.refusal(for: asked) != nil) == protected.contains { $0.overlaps(asked) })
            }
        }
    }
}

@Suite struct HostAddressesTests {
    @Test func loopbackIsAmongTheHostsOwn() throws {
        #expect(try HostAddresses.own().contains(try address("127.0.0.1")))
    }
}
