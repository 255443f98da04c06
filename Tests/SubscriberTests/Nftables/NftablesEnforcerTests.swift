// The nftables enforcer against the real kernel: what is wanted is in its sets, whatever moves, ends or restarts.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite(.enabled(if: TableUnderTest.obstacle == nil, Comment(rawValue: TableUnderTest.obstacle ?? "")), .serialized, .timeLimit(.minutes(5)))
struct NftablesEnforcerTests {
    @Test func whatIsAnnouncedIsInTheSetsUntilItsEndAndWhatIsLiftedIsNot() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.ban("192.0.2.1")
            try table.ban("192.0.2.2", for: nil)
            try table.ban("2001:db8::1", for: .seconds(72_000))
            try table.ban("198.51.100.0/24")
            try table.ban("2001:db8:1::/64", for: nil)
            try table.settle()
            let four = try table.elements("addresses4")
            #expect(Set(four.keys) == ["192.0.2.1", "192.0.2.2"])
            #expect(four["192.0.2.1"]?.contains(/timeout (10h|9h59m\S+) expires 9h5\dm/) == true, "\(four)")
            #expect(four["192.0.2.2"] == "")
            #expect(try table.elements("addresses6").mapValues { $0.contains("expires 19h5") } == ["2001:db8::1": true])
            #expect(try table.elements("prefixes4").mapValues { $0.contains("expires 9h5") } == ["198.51.100.0/24": true])
            #expect(try table.elements("prefixes6") == ["2001:db8:1::/64": ""])

            table.announce(try unban("192.0.2.1"), try unban("198.51.100.0/24"), try unban("2001:db8::1"), try unban("2001:db8:1::/64"))
            try table.run(until: "what is lifted is gone") {
                try table.addresses("addresses4") == ["192.0.2.2"]
                    && ["addresses6", "prefixes4", "prefixes6"].allSatisfy { try table.addresses($0) == [] }
            }
        }
    }

    @Test func theTableIsAsTheNftToolWouldWriteIt() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.settle()
            let expected = """
                table inet fail2ban_cluster {
                	counter refused4 {
                		packets 0 bytes 0
                	}

                	counter refused6 {
                		packets 0 bytes 0
                	}

                	set addresses4 {
                		type ipv4_addr
                		flags timeout
                	}

                	set addresses6 {
                		type ipv6_addr
                		flags timeout
                	}

                	set prefixes4 {
                		type ipv4_addr
                		flags interval,timeout
                	}

                	set prefixes6 {
                		type ipv6_addr
                		flags interval,timeout
                	}

                	chain refuse {
                		ip saddr @addresses4 counter name "refused4" drop
                		ip6 saddr @addresses6 counter name "refused6" drop
                		ip saddr @prefixes4 counter name "refused4" drop
                		ip6 saddr @prefixes6 counter name "refused6" drop
                	}

                	chain input {
                		type filter hook input priority filter - 10; policy accept;
                		jump refuse
                	}

                	chain forward {
                		type filter hook forward priority filter - 10; policy accept;
                		jump refuse
                	}
                }

                """
            let listed = try table.nft("list", "ruleset")
            #expect(listed == expected, "\(zip(listed.split(separator: "\n"), expected.split(separator: "\n")).first { $0 != $1 } as Any)")
            // Its own words bring it back, so an operator can keep them.
            try table.load("flush ruleset\n" + listed)
        }
    }

    @Test func anEndThatMovesIsTheKernelsToo() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            for (address, seconds) in [("192.0.2.1", 36_000), ("192.0.2.2", 36_000), ("192.0.2.3", 36_000), ("198.51.100.0/24", 36_000)] {
                try table.ban(address, for: .seconds(seconds))
            }
            try table.settle()
            try table.ban("192.0.2.1", for: .seconds(864_000))
            try table.ban("192.0.2.2", for: .seconds(3600))
            try table.ban("192.0.2.3", for: nil)
            try table.ban("198.51.100.0/24", for: .seconds(864_000))
            try table.run(until: "the new ends are there") {
                let elements = try table.elements("addresses4")
                return try elements["192.0.2.1"]?.contains("expires 9d23h5") == true && elements["192.0.2.2"]?.contains("expires 5") == true
                    && elements["192.0.2.3"] == "" && table.elements("prefixes4")["198.51.100.0/24"]?.contains("expires 9d23h5") == true
            }
        }
    }

    @Test func theKernelEndsABanWithoutTheSubscriberAndTheSubscriberAgrees() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest(reconcile: .seconds(1))
            try table.ban("192.0.2.1", for: .milliseconds(800))
            try table.ban("198.51.100.0/24", for: .milliseconds(800))
            try table.ban("192.0.2.2")
            try table.settle()
            // Nobody turns the loop meanwhile.
            try await Task.sleep(for: .milliseconds(1100))
            #expect(try table.addresses("addresses4") == ["192.0.2.2"])
            #expect(try table.addresses("prefixes4") == [])
            try table.run(until: "the bans are over here too") { table.wanted.count == 1 && table.enforcer.isSettled }
            try table.ban("192.0.2.1")
            try table.ban("198.51.100.0/24")
            try table.run(until: "it is banned again") {
                try table.addresses("addresses4") == ["192.0.2.1", "192.0.2.2"] && table.addresses("prefixes4") == ["198.51.100.0/24"]
            }
            #expect(table.log.allSatisfy { !$0.hasPrefix("warning") && !$0.hasPrefix("error") }, "\(table.log)")
        }
    }

    @Test func nestedAndOverlappingPrefixesAreBannedUntilTheLatestEndOfEach() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.ban("198.51.100.0/24", for: .seconds(36_000))
            try table.ban("198.51.100.64/26", for: .seconds(72_000))
            try table.ban("198.51.100.70/31", for: .seconds(3600))
            try table.ban("198.51.100.128/25", for: nil)
            try table.ban("198.51.100.65", for: .seconds(3600))
            try table.settle()
            var ranges = try table.elements("prefixes4")
            #expect(Set(ranges.keys) == ["198.51.100.0/26", "198.51.100.64/26", "198.51.100.128/25"], "\(ranges)")
            #expect(ranges["198.51.100.128/25"] == "")
            #expect(ranges["198.51.100.64/26"]?.contains("expires 19h5") == true)
            #expect(try table.addresses("addresses4") == ["198.51.100.65"])

            table.announce(try unban("198.51.100.64/26"), try unban("198.51.100.128/25"))
            try table.run(until: "the wide one stands alone") { try table.addresses("prefixes4") == ["198.51.100.0/24"] }
            ranges = try table.elements("prefixes4")
            #expect(ranges["198.51.100.0/24"]?.contains("expires 9h5") == true, "\(ranges)")
            table.announce(try unban("198.51.100.0/24"))
            try table.run(until: "only the inner one is left") { try table.addresses("prefixes4") == ["198.51.100.70/31"] }
        }
    }

    @Test(arguments: 1...4) func theKernelHasTheRangesOfAnyPrefixesAfterAnyChanges(seed: UInt64) async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            table.complete()
            var random = SeededGenerator(seed: seed)
            for _ in 0..<25 {
                for _ in 0..<Int.random(in: 1...12, using: &random) {
                    let length = Int.random(in: 25...31, using: &random)
                    let bits = 0xc633_6400 + UInt32.random(in: 0..<256, using: &random)
                    let prefix = try #require(Address(ipv4: bits, prefixLength: length)).description
                    if Bool.random(using: &random) {
                        try table.ban(
                            prefix, for: [.seconds(500), .seconds(5000), .seconds(50_000), nil].randomElement(using: &random) ?? nil)
                    } else {
                        table.announce(try unban(prefix))
                    }
                }
                try table.settle()
                let expected = TimedRange.disjoint(table.wanted.addresses.map { TimedRange($0, until: table.wanted.end(of: $0)) })
                let found = try NftablesReader().all(of: .prefixes4)
                #expect(NftablesElement.ranges(found, .ipv4).count == expected.count)
                for (a, b) in zip(NftablesElement.ranges(found, .ipv4), expected) {
                    #expect(a.first == b.first && a.last == b.last && NftablesComparison.agree(a.end, b.end))
                }
            }
            #expect(table.log.allSatisfy { !$0.hasPrefix("warning") && !$0.hasPrefix("error") }, "\(table.log)")
        }
    }

    @Test func aBanUntilTheYear9999IsInTheKernelBesideOthers() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            for text in ["192.0.2.1", "198.51.100.0/24"] {
                var event = try ban(text)
                event.end = .at(.latest)
                table.apply(event)
            }
            try table.ban("192.0.2.2")
            try table.ban("203.0.113.0/24")
            table.complete()
            try table.settle()
            #expect(try table.elements("addresses4").mapValues { $0.isEmpty } == ["192.0.2.1": true, "192.0.2.2": false])
            #expect(try table.elements("prefixes4").mapValues { $0.isEmpty } == ["198.51.100.0/24": true, "203.0.113.0/24": false])
            #expect(table.log.allSatisfy { !$0.hasPrefix("warning") && !$0.hasPrefix("error") }, "\(table.log)")
        }
    }

    @Test func thousandsAreMovedAndLiftedInFewTransactionsWhileSomeEnd() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            let all = try (0..<5000).map { try numbered($0).description }
            for (index, text) in all.enumerated() {
                try table.ban(text, for: index % 10 == 0 ? .milliseconds(index / 5) : .seconds(36_000))
            }
            table.complete()
            try table.settle()
            for (index, text) in all.enumerated() where index % 10 != 0 { try table.ban(text, for: .seconds(72_000)) }
            try table.settle()
            #expect(try table.elements("addresses4").values.count { $0.contains("expires 19h5") } == 4500)
            table.announce(try unban("10.0.0.1"))
            for text in all { table.announce(try unban(text)) }
            try table.settle()
            #expect(try table.addresses("addresses4") == [])
            #expect(table.log.allSatisfy { !$0.hasPrefix("warning") && !$0.hasPrefix("error") }, "\(table.log)")
        }
    }

    @Test func bansStayWhenTheSubscriberStopsAndAreTakenUpWhenItStarts() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.ban("192.0.2.1", for: .seconds(7200))
            try table.ban("192.0.2.2")
            try table.ban("198.51.100.0/24")
            try table.ban("203.0.113.0/24")
            table.complete()
            try table.settle()
            table.enforcer.drain()
            #expect(table.enforcer.isDrained)

            table.restart()
            try table.settle()
            #expect(table.enforcer.hasUnexplained, "nobody has said yet what is banned")
            #expect(try table.addresses("addresses4") == ["192.0.2.1", "192.0.2.2"])
            #expect(try table.addresses("prefixes4") == ["198.51.100.0/24", "203.0.113.0/24"])

            try table.ban("192.0.2.1", for: .seconds(3600))
            try table.ban("192.0.2.3")
            // It overlaps what is there.
            try table.ban("203.0.113.128/25", for: nil)
            try table.settle()
            #expect(try table.addresses("prefixes4") == ["198.51.100.0/24", "203.0.113.0/25", "203.0.113.128/25"])
            table.complete()
            try table.run(until: "what isn't banned any more is lifted") {
                try table.addresses("addresses4") == ["192.0.2.1", "192.0.2.3"] && table.addresses("prefixes4") == ["203.0.113.128/25"]
            }
            try table.settle()
            #expect(!table.enforcer.hasUnexplained)
            #expect(try table.elements("addresses4")["192.0.2.1"]?.contains("expires 5") == true, "its end is the new one")
        }
    }

    @Test func anUnbanOfABanFromBeforeThisProcessIsEnforcedAtOnce() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.ban("192.0.2.1", for: nil)
            try table.ban("198.51.100.0/24", for: nil)
            try table.settle()
            table.restart()
            try table.settle()
            table.announce(try unban("192.0.2.1"), try unban("198.51.100.0/24"))
            try table.run(until: "they are lifted") { try table.addresses("addresses4").union(table.addresses("prefixes4")) == [] }
        }
    }
}
