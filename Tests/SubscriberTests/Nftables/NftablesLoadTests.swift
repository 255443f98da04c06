// The nftables enforcer with many bans: how long the kernel takes, how long the loop's turns are, and how the nft tool compares.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Subscriber

/// 10,000 bans; `NFTABLES_BANS=1000000` for another number. `-c release -Xswiftc -enable-testing` for figures that mean something.
@Suite(
    .enabled(if: TableUnderTest.obstacle == nil, Comment(rawValue: TableUnderTest.obstacle ?? "")), .serialized, .timeLimit(.minutes(10)))
struct NftablesLoadTests {
    private static let bans = getenv("NFTABLES_BANS").flatMap { Int(String(cString: $0)) } ?? 10_000

    /// Spread over 10.0.0.0/8 and more, each once.
    private static func many(_ count: Int) throws -> [Address] {
        try (0..<count).map { try #require(Address(ipv4: 0x0a00_0000 &+ UInt32($0) &* 2_654_435_761 % 0x2000_0000)) }
    }

    @Test func manyBansAreInTheKernelSoonAndTheLoopGoesOnMeanwhile() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.settle()
            let addresses = try Self.many(Self.bans)
            let event = try ban("192.0.2.1", for: .seconds(36_000))
            let began = ContinuousClock.now
            for address in addresses {
                var next = event
                next.address = address
                table.apply(next)
            }
            let announced = began.duration(to: .now)
            var longest = Duration.zero
            let writing = ContinuousClock.now
            while !table.enforcer.isWritten {
                let turn = ContinuousClock.now
                table.enforcer.advance(wanted: table.wanted, now: turn)
                longest = max(longest, turn.duration(to: .now))
                table.turn(upTo: .milliseconds(20))
            }
            let took = writing.duration(to: .now)
            let transactions = table.log.compactMap { $0.firstMatch(of: /banned \d+ addresses in (\d+) µs/).flatMap { Int($0.1) } }
            let kernel = transactions.reduce(0, +)
            try table.settle()
            #expect(try NftablesReader().all(of: .addresses4).count == Self.bans)

            // The same by the nft tool, into a set of the same kind, elsewhere.
            let elements = addresses.map { "\($0) timeout 10h" }.joined(separator: ", ")
            try table.nft("add table inet other; add set inet other some { type ipv4_addr; flags timeout; }")
            let script = try TemporaryFolder()
            let file = try script.write("script", "add element inet other some { \(elements) }\n")
            let tool = ContinuousClock.now
            try table.nft("-f", file)
            let toolTook = tool.duration(to: .now)
            print(
                """
                \(Self.bans) bans: written in \(took.milliseconds) ms, \(kernel / 1000) ms of it in \(transactions.count) \
                transactions, the longest \(transactions.max() ?? 0) µs; the loop's longest turn \(longest.milliseconds) ms; announced in \
                \(announced.milliseconds) ms; nft -f took \(toolTook.milliseconds) ms, ratio \(took / toolTook)
                """)
            #expect(transactions.count == (Self.bans + NftablesWork.most - 1) / NftablesWork.most)
            // Of the order of the tool's time, also in a debug build on a busy machine.
            #expect(took < toolTook * 10)
        }
    }

    @Test func oneMoreBanTakesMicrosecondsWhateverElseIsThere() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.settle()
            for address in try Self.many(Self.bans) { try table.announce(address) }
            try table.run(until: "all are there", within: .seconds(120)) { table.enforcer.isWritten }
            // What another program keeps: as many intervals, 100,000 at most.
            let foreign = try (0..<min(Self.bans, 100_000)).map {
                try #require(Address(ipv4: 0x4000_0000 + UInt32($0) * 1024, prefixLength: 24)).description
            }
            try table.nft("add table inet other; add set inet other blocks { type ipv4_addr; flags interval; }")
            let script = try TemporaryFolder()
            try table.nft("-f", script.write("script", "add element inet other blocks { \(foreign.joined(separator: ", ")) }\n"))
            table.settleNotices()

            var calls: [Int] = []
            for index in 0..<1000 {
                let before = table.log.count
                try table.ban("192.0.\(index / 250).\(index % 250)")
                var took: Int? {
                    table.log[before...].compactMap { $0.firstMatch(of: /banned \S+ in (\d+) µs/).flatMap { Int($0.1) } }.first
                }
                try table.run(until: "it is written") { took != nil }
                calls.append(try #require(took))
            }
            calls.sort()
            #expect(calls.count == 1000)
            let tool = ContinuousClock.now
            try table.nft("add element inet fail2ban_cluster addresses4 { 198.51.100.77 timeout 1h }")
            let toolTook = tool.duration(to: .now)
            print(
                """
                one more ban with \(Self.bans) in the set and \(foreign.count) intervals elsewhere: median \(calls[calls.count / 2]) µs, p99 \
                \(calls[calls.count * 99 / 100]) µs in the kernel's call; nft add element \(toolTook.milliseconds) ms
                """)
            #expect(calls[calls.count / 2] < 1000)
        }
    }

    @Test func aComparisonOfManyBansHoldsUpTheLoopForNoLongTurn() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            for address in try Self.many(Self.bans) { try table.announce(address) }
            try table.settle()
            // Lost without a word: all are told again.
            try table.nft("flush set inet fail2ban_cluster addresses4")
            var longest = Duration.zero
            let began = ContinuousClock.now
            repeat {
                let turn = ContinuousClock.now
                table.enforcer.advance(wanted: table.wanted, now: turn)
                longest = max(longest, turn.duration(to: .now))
                table.turn(upTo: .milliseconds(20))
            } while !(table.enforcer.isSettled && table.log.contains { $0.contains("another program") })
            let took = began.duration(to: .now)
            print("\(Self.bans) bans flushed: right again after \(took.milliseconds) ms, the longest turn \(longest.milliseconds) ms")
            #expect(try NftablesReader().all(of: .addresses4).count == Self.bans)
        }
    }
}
