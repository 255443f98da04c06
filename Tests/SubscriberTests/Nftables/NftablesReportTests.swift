// The nftables enforcer against the real kernel: what it tells of itself, and what the check says.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite(.enabled(if: TableUnderTest.obstacle == nil, Comment(rawValue: TableUnderTest.obstacle ?? "")), .serialized, .timeLimit(.minutes(5)))
struct NftablesReportTests {
    @Test func withoutThePrivilegeItSaysWhatIsMissingAndGoesOn() async throws {
        try await PrivateNetwork.with {
            // Capabilities are a thread's own (capabilities(7)), and this one ends with the test.
            try #require(PrivateNetwork.dropPrivilege())
            let table = try TableUnderTest()
            try table.ban("192.0.2.1")
            for _ in 0..<3 { table.turn(upTo: .milliseconds(10)) }
            let errors = table.log.filter { $0.hasPrefix("error") }
            #expect(errors.count == 1, "\(table.log)")
            #expect(errors.first?.contains("Operation not permitted") == true)
            #expect(errors.first?.contains("Remedy: run the subscriber as root, or with the capability CAP_NET_ADMIN") == true)
            let trouble = try #require(table.enforcer.trouble)
            #expect(trouble.contains("Operation not permitted. run the subscriber as root"), "\(trouble)")
            #expect(table.enforcer.waiting == 1 && table.enforcer.takeApplied().isEmpty)
            table.enforcer.drain()
            #expect(table.enforcer.isDrained)
            let finding = SubscriberCheck.nftables().first
            #expect(finding?.severity == .problem)
            #expect(finding?.exitStatus == .permission)
        }
    }

    @Test func theCheckSaysWhatIsThere() async throws {
        try await PrivateNetwork.with {
            #expect(SubscriberCheck.nftables().map(\.severity) == [.note])
            #expect(SubscriberCheck.leftTable().isEmpty)
            #expect(SubscriberCheck.nftables().first?.text.contains("table inet fail2ban_cluster is not there yet") == true)
            let table = try TableUnderTest()
            try table.settle()
            #expect(SubscriberCheck.nftables().first?.text.contains("table inet fail2ban_cluster is there") == true)
            // For a subscriber that is to enforce by other means from now on.
            #expect(SubscriberCheck.leftTable().map(\.severity) == [.warning])
            #expect(SubscriberCheck.leftTable().first?.hint == "nft delete table inet fail2ban_cluster")
        }
    }

    @Test func whatTheKernelRefusesByNowIsToldOnce() async throws {
        try await PrivateNetwork.with {
            let table = try TableUnderTest()
            try table.ban("192.0.2.1")
            try table.ban("198.51.100.0/24")
            #expect(table.enforcer.waiting == 2)
            try table.settle()
            #expect(table.enforcer.waiting == 0 && table.enforcer.trouble == nil)
            #expect(Set(table.enforcer.takeApplied().map(\.description)) == ["192.0.2.1", "198.51.100.0/24"])
            #expect(table.enforcer.takeApplied().isEmpty)
        }
    }
}
