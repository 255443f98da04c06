// A standby takes the place of a publisher that is gone: on real hosts, with what the operator's guide says to do.

import TestSupport
import Testing

@Suite(.needsLab, .serialized) struct StandbyTests {
    /// `web1` has the publisher, `web2` its standby with the same keys; the daemons of all hosts know both.
    private func withStandby(_ body: (Lab) async throws -> Void) async throws {
        try await Lab.with { lab in
            for host in lab.hosts {
                let standby = """
                    [publisher]
                    pidfile = \(host.folder)/publisher.pid
                    standby = yes

                    """
                try host.overlayConfiguration(
                    """
                    [monitor]
                    zmqreplyserver = tcp://192.0.2.1:5678, tcp://192.0.2.2:5678
                    [subscriber]
                    zmqreplyserver = tcp://192.0.2.1:5678, tcp://192.0.2.2:5678
                    zmqpublisherurl = tcp://192.0.2.1:5680, tcp://192.0.2.2:5680
                    \(host.number == 2 ? standby : "")
                    """)
            }
            for file in ["publisher.key", "authorized_hosts"] {
                let copied = try await lab.host(2).execute(
                    "cp", "-p", "\(lab.host(1).folder)/keys/\(file)", "\(lab.host(2).folder)/keys/")
                try #require(copied.isSuccess, "\(copied.text)")
            }
            try await lab.startDaemons()
            try await body(lab)
        }
    }

    private func publisher(_ command: String, on host: LabHost) async throws -> LabOutput {
        try await host.execute("fail2ban-publisher", command, "-c", host.configuration)
    }

    private func awaitEverywhere(_ addresses: Set<String>, in lab: Lab, _ what: String) async throws {
        try await eventually(what, within: .seconds(60)) {
            for host in lab.hosts where try await host.banned() != addresses { return false }
            return true
        }
    }

    @Test func aStandbyWithABackupTakesOverAndNobodyLosesABan() async throws {
        try await withStandby { lab in
            let (old, new) = (lab.host(1), lab.host(2))
            #expect(try await publisher("status", on: old).text.hasSuffix(", active\n"))
            #expect(try await publisher("status", on: new).text.hasSuffix(", standby\n"))
            try await lab.host(3).loginFailure(from: "203.0.113.1")
            try await new.loginFailure(from: "203.0.113.2")
            try await awaitEverywhere(["203.0.113.1", "203.0.113.2"], in: lab, "two bans")
            #expect(new.file("state/journal.sqlite").isEmpty, "the standby took something in")

            let backup = try await old.execute(
                "sqlite3", "\(old.folder)/state/journal.sqlite", ".backup '\(new.folder)/state/journal.sqlite'")
            try #require(backup.isSuccess, "\(backup.text)")
            // Made after the backup; the hosts hold it, and tell the new publisher.
            try await lab.host(3).loginFailure(from: "203.0.113.3")
            try await awaitEverywhere(["203.0.113.1", "203.0.113.2", "203.0.113.3"], in: lab, "a ban that the backup lacks")

            try await old.killPublisher()
            let promoted = try await publisher("promote", on: new)
            #expect(promoted.isSuccess && promoted.text.contains("promoted; active as process "), "\(promoted.text)")
            #expect(try await publisher("status", on: new).text.hasSuffix(", active\n"))
            // A host that has nothing to report asks every 30 s.
            try await eventually("the new publisher is told what its backup lacks", within: .seconds(90)) {
                try await new.holders(of: "203.0.113.3") == ["web3/sshd"]
            }

            try await new.loginFailure(from: "203.0.113.4")
            try await awaitEverywhere(
                ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"], in: lab, "the next ban, and all before it")
            try await new.client("set", "sshd", "unbanip", "203.0.113.2")
            try await awaitEverywhere(["203.0.113.1", "203.0.113.3", "203.0.113.4"], in: lab, "a ban of before, lifted")

            let restarted = try await publisher("restart", on: new)
            #expect(restarted.isSuccess, "\(restarted.text)")
            #expect(try await publisher("status", on: new).text.hasSuffix(", active\n"), "promoted for good")
            try await lab.host(3).loginFailure(from: "203.0.113.5")
            try await awaitEverywhere(["203.0.113.1", "203.0.113.3", "203.0.113.4", "203.0.113.5"], in: lab, "a ban after its restart")
        }
    }

    @Test func anOldPublisherThatComesBackAsAStandbyDisturbsNobody() async throws {
        try await withStandby { lab in
            let (old, new) = (lab.host(1), lab.host(2))
            try await lab.host(3).loginFailure(from: "203.0.113.1")
            try await awaitEverywhere(["203.0.113.1"], in: lab, "a ban")
            try await old.killPublisher()
            #expect(try await publisher("promote", on: new).isSuccess)
            try old.overlayConfiguration(
                """
                [monitor]
                zmqreplyserver = tcp://192.0.2.1:5678, tcp://192.0.2.2:5678
                [publisher]
                standby = yes
                """)
            #expect(try await publisher("start", on: old).isSuccess)
            #expect(try await publisher("status", on: old).text.hasSuffix(", standby\n"))
            try await lab.host(3).loginFailure(from: "203.0.113.2")
            try await awaitEverywhere(["203.0.113.1", "203.0.113.2"], in: lab, "the next ban, and the one before")
        }
    }
}
