// Complete lists on real hosts: what the log can't tell reaches every host all the same, with fail2ban's database and without.

import TestSupport
import Testing

@Suite(.needsLab, .serialized) struct HoldsPathTests {
    /// Every host of the lab enforces exactly these bans.
    private func everyHost(of lab: Lab, enforces addresses: Set<String>) async throws -> Bool {
        for host in lab.hosts {
            guard try await host.banned() == addresses, try await host.refused() == addresses else { return false }
        }
        return true
    }

    @Test func theFirstStartContributesTheBansThatFail2banAlreadyHas() async throws {
        try await Lab.with(hosts: 2) { lab in
            try await lab.host(2).loginFailure(from: "203.0.113.1", "2001:db8:bad::1")
            try await eventually("web2's own bans") { try await lab.host(2).banned(in: "sshd").count == 2 }
            try await lab.startDaemons()
            try await eventually("both everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.1", "2001:db8:bad::1"]) }
            // Held by web2, as if it had been reported: its admin lifts it.
            try await lab.host(2).client("set", "sshd", "unbanip", "203.0.113.1")
            try await eventually("one everywhere") { try await everyHost(of: lab, enforces: ["2001:db8:bad::1"]) }
        }
    }

    @Test func whatAnAdminLiftedWhileTheMonitorHadNoCheckpointIsLiftedEverywhere() async throws {
        try await Lab.with(hosts: 2) { lab in
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.1", "203.0.113.2")
            try await eventually("both everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.1", "203.0.113.2"]) }
            try await lab.host(2).stop()
            try await lab.host(2).client("set", "sshd", "unbanip", "203.0.113.1")
            _ = try await lab.host(2).execute("rm", "-f", "\(lab.host(2).folder)/state/monitor.checkpoint")
            try await lab.host(2).start()
            try await eventually("one everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.2"]) }
        }
    }

    @Test func withoutADatabaseAnAdminsUnbanIsHeardAndARestartIsNot() async throws {
        try await Lab.with(hosts: 2) { lab in
            try lab.host(2).overlayConfiguration("[general]\nfail2bandbpath = none\n")
            try await lab.host(2).loginFailure(from: "203.0.113.1")
            try await eventually("web2's own ban") { try await lab.host(2).banned(in: "sshd").count == 1 }
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.2", "203.0.113.3")
            let all: Set = ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
            try await eventually("three everywhere") { try await everyHost(of: lab, enforces: all) }
            try await lab.host(2).client("restart", "sshd")
            // When the admin's unban has arrived, the restart's Unbans before it have been decided.
            try await eventually("web2 has its bans again") { try await lab.host(2).banned(in: "sshd") == all }
            try await lab.host(2).client("set", "sshd", "unbanip", "203.0.113.2")
            try await eventually("two everywhere", within: .seconds(30)) {
                try await everyHost(of: lab, enforces: ["203.0.113.1", "203.0.113.3"])
            }
            #expect(!lab.host(1).file("fail2ban-cluster.log").contains("|Unban|203.0.113.1|"))
        }
    }
}
