// The whole path on real hosts: each test has a cluster in network namespaces, with real fail2ban, real keys and a real firewall.

import Glibc
import TestSupport
import Testing

@Suite(.needsLab, .serialized) struct BanPathTests {
    /// Every host of the lab enforces exactly these bans: fail2ban says so, and the firewall has them.
    private func everyHost(of lab: Lab, enforces addresses: Set<String>) async throws -> Bool {
        for host in lab.hosts {
            guard try await host.banned() == addresses, try await host.refused() == addresses else { return false }
        }
        return true
    }

    @Test func aBanOnOneHostIsEnforcedOnEveryHostAndAnAdminsUnbanLiftsItEverywhere() async throws {
        try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.9", "2001:db8:bad::9")
            try await eventually("both bans on every host") { try await everyHost(of: lab, enforces: ["203.0.113.9", "2001:db8:bad::9"]) }
            try await lab.host(2).client("set", "sshd", "unbanip", "203.0.113.9", "2001:db8:bad::9")
            try await eventually("no ban on any host") { try await everyHost(of: lab, enforces: []) }
        }
    }

    @Test func aBanEndsEverywhereAtItsTime() async throws {
        // Long enough to see the ban on a machine that is busy.
        try await Lab.with(hosts: 2, bantime: "15s") { lab in
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.9")
            try await eventually("the ban on every host") { try await everyHost(of: lab, enforces: ["203.0.113.9"]) }
            try await eventually("its end on every host") { try await everyHost(of: lab, enforces: []) }
            #expect(lab.host(1).file("fail2ban-cluster.log").contains("|Unban|203.0.113.9|"))
        }
    }

    @Test func anAddressThatTwoHostsBannedStaysBannedUntilBothLetGo() async throws {
        try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.host(1).loginFailure(from: "203.0.113.9")
            try await eventually("the first host's ban everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.9"]) }
            // web3's firewall has it already, which doesn't stop its sshd jail from seeing failures in the log.
            try await lab.host(3).loginFailure(from: "203.0.113.9")
            try await eventually("the second host's own ban") { try await lab.host(3).banned(in: "sshd") == ["203.0.113.9"] }
            try await eventually("two holders") { try await lab.host(1).holders(of: "203.0.113.9") == ["web1/sshd", "web3/sshd"] }
            try await lab.host(1).client("set", "sshd", "unbanip", "203.0.113.9")
            try await eventually("one holder") { try await lab.host(1).holders(of: "203.0.113.9") == ["web3/sshd"] }
            #expect(try await everyHost(of: lab, enforces: ["203.0.113.9"]))
            try await lab.host(3).client("set", "sshd", "unbanip", "203.0.113.9")
            try await eventually("no ban on any host") { try await everyHost(of: lab, enforces: []) }
        }
    }

    @Test func anAddressInIgnoreipIsBannedNowhereWhereItIsIgnored() async throws {
        try await Lab.with { lab in
            try lab.host(1).overlayConfiguration("[publisher]\nignoreip = 203.0.113.0/28\n")
            try lab.host(3).overlayConfiguration("[subscriber]\nignoreip = 198.51.100.7\n")
            try await lab.startDaemons()
            // The first is ignored by the whole cluster, the second by web3, and the third is where web3 connects from.
            try await lab.host(2).loginFailure(from: "203.0.113.9", "198.51.100.7", "192.0.2.3", "203.0.113.99")
            try await eventually("what web1 enforces") {
                try await lab.host(1).banned() == ["198.51.100.7", "203.0.113.99"]
            }
            try await eventually("what web3 enforces") { try await lab.host(3).banned() == ["203.0.113.99"] }
            #expect(try await lab.host(3).refused() == ["203.0.113.99"])
            #expect(lab.host(2).file("fail2ban.log").contains("Ban 203.0.113.9\n"))
            #expect(lab.host(2).file("fail2ban-cluster.log").contains("192.0.2.3 is an address of an authorised host"))
        }
    }

    @Test func whatHappensWhileAReceivingHostsFail2banIsStoppedIsRightSoonAfterItIsBack() async throws {
        try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.1", "203.0.113.2")
            try await eventually("two bans everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.1", "203.0.113.2"]) }
            try await lab.host(3).fail2ban(.stop)
            try await lab.host(2).loginFailure(from: "203.0.113.3")
            try await lab.host(2).client("set", "sshd", "unbanip", "203.0.113.2")
            try await eventually("the change on web1") { try await lab.host(1).banned() == ["203.0.113.1", "203.0.113.3"] }
            try await lab.host(3).fail2ban(.start)
            try await eventually("the change on web3", within: .seconds(30)) {
                try await everyHost(of: lab, enforces: ["203.0.113.1", "203.0.113.3"])
            }
        }
    }

    @Test func aRestartOfFail2banUnbansNothingAnywhere() async throws {
        try await Lab.with(hosts: 2) { lab in
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.1", "203.0.113.2")
            try await eventually("two bans everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.1", "203.0.113.2"]) }
            try await lab.host(2).fail2ban(.restart)
            // A ban after the restart: when it has arrived, everything that the restart logged has been read before it.
            try await lab.host(2).loginFailure(from: "203.0.113.3")
            try await eventually("three bans everywhere", within: .seconds(30)) {
                try await everyHost(of: lab, enforces: ["203.0.113.1", "203.0.113.2", "203.0.113.3"])
            }
            #expect(lab.host(2).file("fail2ban.log").contains("Unban 203.0.113.1\n"))
            #expect(!lab.host(1).file("fail2ban-cluster.log").contains("|Unban|"))
        }
    }

    @Test func aLogRotatedInTheMiddleOfABurstLosesNothing() async throws {
        try await Lab.with(hosts: 2) { lab in
            try await lab.startDaemons()
            let addresses = (1...40).map { "203.0.113.\($0)" }
            async let failures: Void = {
                for address in addresses { try await lab.host(2).loginFailure(from: address) }
            }()
            try await eventually("the burst has begun") { lab.host(2).file("fail2ban.log").contains("Ban 203.0.113.5\n") }
            try await lab.host(2).rotateLog()
            try await failures
            try await eventually("the whole burst everywhere", within: .seconds(30)) {
                try await everyHost(of: lab, enforces: Set(addresses))
            }
            #expect(!lab.host(2).file("fail2ban.log.1").isEmpty)
        }
    }

    @Test func aHostWithoutAnAuthorisedKeyIsNotHeardAndHearsNothing() async throws {
        try await Lab.with { lab in
            let revoked = try await lab.host(1).execute("fail2ban-cluster", "revoke", "web3", "-c", lab.host(1).configuration)
            #expect(revoked.isSuccess, "\(revoked.text)")
            try await lab.startDaemons()
            try await lab.host(3).loginFailure(from: "203.0.113.3")
            try await lab.host(2).loginFailure(from: "203.0.113.2")
            try await eventually("web3's own ban") { try await lab.host(3).banned(in: "sshd") == ["203.0.113.3"] }
            try await eventually("web2's ban on web1") { try await lab.host(1).banned() == ["203.0.113.2"] }
            try await eventually("the refusal in the log") {
                lab.host(1).file("fail2ban-cluster.log").contains("refused a connection from 192.0.2.3: its key is not in authorized_hosts")
            }
            #expect(try await lab.host(3).banned() == [])
            #expect(try await lab.host(2).banned() == ["203.0.113.2"])
        }
    }

    @Test func anOperatorBansAndUnbansEverywhereWithOneCommand() async throws {
        try await Lab.with(hosts: 2) { lab in
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.2")
            try await eventually("web2's ban everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.2"]) }
            let first = lab.host(1)
            let banned = try await first.execute("fail2ban-cluster", "ban", "--for", "1h", "2001:db8:bad::1", "-c", first.configuration)
            #expect(banned.text == "banned 2001:db8:bad::1\n")
            try await eventually("both everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.2", "2001:db8:bad::1"]) }
            let unbanned = try await first.execute(
                "fail2ban-cluster", "unban", "203.0.113.2", "2001:db8:bad::1", "-c", first.configuration)
            #expect(unbanned.isSuccess, "\(unbanned.text)")
            try await eventually("nothing anywhere") { try await everyHost(of: lab, enforces: []) }
            // web2 has a key, and not the role for it.
            let refused = try await lab.host(2).execute("fail2ban-cluster", "ban", "203.0.113.9", "-c", lab.host(2).configuration)
            #expect(refused.exitCode == 1)
            #expect(refused.text.contains("has not the role operator"))
        }
    }

    @Test func whatAnOperatorAllowsIsBannedNowhereElseThoughAHostKeepsBanningItAndThePublisherIsKilled() async throws {
        try await Lab.with(hosts: 2) { lab in
            let (first, second) = (lab.host(1), lab.host(2))
            func cluster(_ words: String...) async throws -> String {
                let output = try await first.execute(["fail2ban-cluster"] + words + ["-c", first.configuration])
                #expect(output.isSuccess, "\(output.text)")
                return output.text
            }
            try await lab.startDaemons()
            try await second.loginFailure(from: "203.0.113.9")
            try await eventually("web2's ban everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.9"]) }
            #expect(try await cluster("unban", "203.0.113.9", "--for", "1h") == "unbanned 203.0.113.9, allowed for 1h\n")
            try await eventually("its end everywhere") { try await everyHost(of: lab, enforces: []) }
            try await eventually("its end in web2's own jail") { try await second.banned(in: "sshd") == [] }

            /// web2 bans it by itself once more; when the ban that follows is everywhere, the publisher has decided on both.
            func banAgain(andThen next: String, enforced: Set<String>) async throws {
                try await second.loginFailure(from: "203.0.113.9")
                try await eventually("web2's own ban") { try await second.banned(in: "sshd").contains("203.0.113.9") }
                try await second.loginFailure(from: next)
                try await eventually("the next ban everywhere", within: .seconds(60)) { try await everyHost(of: lab, enforces: enforced) }
            }
            try await banAgain(andThen: "203.0.113.10", enforced: ["203.0.113.10"])
            #expect(second.file("fail2ban-cluster.log").contains("allowed by an operator until 20"))

            try await first.killPublisher()
            #expect(try await first.execute("fail2ban-publisher", "start", "-c", first.configuration).isSuccess)
            #expect(try await cluster("bans", "--allowed").contains("203.0.113.9 "))
            // The new term is told by a list what web2 holds: it has this too, and no other host hears of it.
            try await second.client("set", "sshd", "unbanip", "203.0.113.9")
            try await banAgain(andThen: "203.0.113.11", enforced: ["203.0.113.10", "203.0.113.11"])

            #expect(try await cluster("unban", "203.0.113.9", "--for", "0") == "unbanned 203.0.113.9, no longer allowed\n")
            #expect(try await cluster("bans", "--allowed") == "nothing is allowed\n")
            try await second.client("set", "sshd", "unbanip", "203.0.113.9")
            try await banAgain(andThen: "203.0.113.12", enforced: Set((9...12).map { "203.0.113.\($0)" }))
        }
    }
}

extension LabHost {
    /// Ends the publisher by SIGKILL, and waits until it is gone.
    func killPublisher() async throws {
        let pid = try #require(pid_t(file("publisher.pid").filter(\.isNumber)))
        #expect(kill(pid, SIGKILL) == 0)
        try await eventually("its end") { kill(pid, 0) != 0 }
    }

    /// Who holds an address, as `fail2ban-cluster bans` shows it.
    func holders(of address: String) async throws -> Set<String> {
        let output = try await execute("fail2ban-cluster", "bans", "-c", configuration)
        let row = output.text.split(separator: "\n").first { $0.hasPrefix(address + " ") }
        return Set(row?.split(separator: " ").filter { $0.contains("/") }.map(String.init) ?? [])
    }
}
