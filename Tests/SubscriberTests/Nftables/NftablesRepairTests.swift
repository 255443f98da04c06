// The nftables enforcer against the real kernel: what others do to its table is put right, and what they do to theirs is no matter.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite(.enabled(if: TableUnderTest.obstacle == nil, Comment(rawValue: TableUnderTest.obstacle ?? "")), .serialized, .timeLimit(.minutes(5)))
struct NftablesRepairTests {
    @Test func aTableThatSomeoneDeletesIsBackAtOnceWithAllBans() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            for index in 0..<2000 { try table.ban(try numbered(index).description) }
            try table.ban("198.51.100.0/24")
            try table.settle()
            let whole = try table.nft("list", "chains")
            for command in [["delete", "table", "inet", "fail2ban_cluster"], ["flush", "ruleset"]] {
                try table.nft(command.joined(separator: " "))
                try table.run(until: "it is whole again") {
                    try table.nft("list", "tables").contains("fail2ban_cluster") && table.addresses("addresses4").count == 2000
                }
                try table.settle()
                #expect(try table.addresses("prefixes4") == ["198.51.100.0/24"])
                #expect(try table.nft("list", "chains") == whole)
            }
            #expect(table.log.contains { $0.contains("another program changed table inet fail2ban_cluster: 2000 lacked") }, "\(table.log)")
        }
    }

    @Test(arguments: [
        "flush set inet fail2ban_cluster addresses4", "flush set inet fail2ban_cluster prefixes4",
        "delete element inet fail2ban_cluster addresses4 { 192.0.2.1 }", "flush chain inet fail2ban_cluster refuse",
        "flush chain inet fail2ban_cluster input", "flush table inet fail2ban_cluster",
        "add rule inet fail2ban_cluster refuse accept", "insert rule inet fail2ban_cluster input accept",
        "delete chain inet fail2ban_cluster forward", "add table inet fail2ban_cluster { flags dormant; }",
        "add element inet fail2ban_cluster addresses4 { 203.0.113.7 }",
        "add element inet fail2ban_cluster prefixes4 { 203.0.113.0/24 }",
        "flush ruleset; add table inet fail2ban_cluster; add set inet fail2ban_cluster addresses4 { type ipv6_addr; }",
        "flush ruleset; add table inet fail2ban_cluster; add chain inet fail2ban_cluster input { type filter hook input priority 7; }",
    ])
    func whatSomeoneChangesInTheTableIsPutRightAtOnce(_ command: String) async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.ban("192.0.2.1", for: nil)
            try table.ban("198.51.100.0/24", for: nil)
            table.complete()
            try table.settle()
            let whole = try table.nft("list", "ruleset")
            try table.nft(command)
            #expect(try table.nft("list", "ruleset") != whole)
            try table.run(until: "it is as before") { try table.nft("list", "ruleset") == whole }
            try table.settle()
        }
    }

    @Test func noticesThatWereLostLeadToAComparison() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.ban("192.0.2.1")
            try table.ban("192.0.2.2")
            table.complete()
            try table.settle()
            // More notices than the socket holds, and nobody takes them: what is said of the table afterwards is lost.
            let strangers = try (0..<250_000).map { try numbered($0).description }.joined(separator: ", ")
            try table.load(
                "add table inet other; add set inet other some { type ipv4_addr; }; add element inet other some { \(strangers) }")
            try table.nft("delete element inet fail2ban_cluster addresses4 { 192.0.2.1 }; flush chain inet fail2ban_cluster refuse")
            let kernel = try #require(table.enforcer.kernel)
            #expect(try table.droppedNotices(kernel.notices.port) > 0, "they were lost")
            try table.run(until: "it is as before") {
                try table.addresses("addresses4") == ["192.0.2.1", "192.0.2.2"]
                    && table.nft("list", "chain", "inet", "fail2ban_cluster", "refuse").contains("@addresses4")
            }
            try table.settle()
        }
    }

    @Test func whatOthersDoToTheirTablesCausesNoWork() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.settle()
            let before = table.log.count
            try table.nft(
                "add table inet other; add set inet other addresses4 { type ipv4_addr; }; add element inet other addresses4 { 1.2.3.4 }")
            try table.nft("add table ip fail2ban_cluster")
            for _ in 0..<5 { table.turn(upTo: .milliseconds(20)) }
            #expect(table.enforcer.isSettled)
            #expect(table.log.count == before)
        }
    }

    @Test func whatChangedWithoutANoticeIsFoundAtTheNextComparison() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest(reconcile: .seconds(2))
            try table.ban("192.0.2.1")
            try table.ban("192.0.2.2")
            try table.ban("198.51.100.0/24")
            table.complete()
            try table.settle()
            // By its own port, whose changes are not told.
            try table.meddle([
                .addresses(.init(bans: [TimedAddress(address: try address("203.0.113.1"), end: nil)], lifted: [try address("192.0.2.1")])),
                .addresses(.init(moved: [TimedAddress(address: try address("192.0.2.2"), end: .now + .seconds(90))])),
                .allRanges(.ipv4, [TimedRange(try address("203.0.113.0/24"), until: nil)]),
            ])
            try table.run(until: "it is right again") {
                let elements = try table.elements("addresses4")
                return try Set(elements.keys) == ["192.0.2.1", "192.0.2.2"] && elements["192.0.2.2"]?.contains("expires 9h5") == true
                    && table.addresses("prefixes4") == ["198.51.100.0/24"]
            }
            try table.settle()
            #expect(table.log.contains { $0.contains("was not as it should be") })
        }
    }

    @Test func twoThatWantDifferentThingsChangeTheTableOnceASecondAndNotWithoutEnd() async throws {
        try await PrivateNetwork.with {
            let (one, other) = (try TableUnderTest(), try TableUnderTest())
            try one.ban("192.0.2.1")
            try other.ban("192.0.2.2")
            one.complete()
            other.complete()
            var writes: Int { (one.log + other.log).count { $0.contains("lifted") } }
            let start = ContinuousClock.now
            // As long as it takes on a busy machine until both have changed something.
            while ContinuousClock.now < start + .seconds(4) || (writes < 2 && ContinuousClock.now < start + .seconds(40)) {
                one.turn(upTo: .milliseconds(1))
                other.turn(upTo: .milliseconds(1))
            }
            let most = 10 * Int((ContinuousClock.now - start) / .seconds(1))
            #expect((2...most).contains(writes), "\(writes) of at most \(most)")
        }
    }
}
