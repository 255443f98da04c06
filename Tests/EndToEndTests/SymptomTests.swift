// What can go wrong on a host, each brought about on purpose: `check`, `status` or `why` names it, with what helps.

import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct SymptomTests {
    // MARK: The publisher, and the way to it

    @Test func aPublisherThatIsDownIsNamed() async throws {
        try await LoopbackCluster.with { cluster in
            try await LoopbackCluster.program("fail2ban-publisher", "stop", "-c", cluster.configuration)
            try await expect(
                cluster, "status", "no answer from the publisher within 10 s: nothing listens at ",
                "see that fail2ban-publisher runs there, and that zmqreplyserver names its replybindurl")
            let metrics = try await LoopbackCluster.programOutput(
                "fail2ban-cluster", ["status", "--format", "prometheus", "-c", cluster.configuration])
            #expect(metrics.exitCode == 1)
            #expect(metrics.text.contains("fail2ban_cluster_up 0\n"))
        }
    }

    @Test func aKeyThatIsNotAuthorisedIsNamed() async throws {
        try await LoopbackCluster.with { cluster in
            let key = try #require(textOfFile("\(cluster.directory)/keys/host.pub")).prefix { $0 != "\n" }
            try await LoopbackCluster.program("fail2ban-cluster", "revoke", "web1", "-c", cluster.configuration)
            try await expect(cluster, "status", " doesn't let this host in", "fail2ban-cluster authorize web1 '\(key)'")
        }
    }

    @Test func anotherKeyThanThePublishersIsNamed() async throws {
        try await LoopbackCluster.with { cluster in
            let keys = "\(cluster.directory)/keys"
            let copied = try await execute(["cp", "\(keys)/host.pub", "\(keys)/publisher.pub"])
            try #require(copied.status == 0, "\(copied)")
            try await expect(
                cluster, "status", " does not have the key in \(keys)/publisher.pub", "copy publisher.pub from its host again")
        }
    }

    @Test(.needsLab, arguments: [(5678, "no answer from the publisher within 10 s: "), (5680, "no broadcasts can come: ")])
    func aPortThatAFirewallBlocksIsNamed(port: Int, beginning: String) async throws {
        try await withHost { host in
            let rules = "add table inet blocked; add chain inet blocked in { type filter hook input priority -20; }; "
            let blocked = try await host.execute("nft", rules + "add rule inet blocked in tcp dport \(port) drop")
            try #require(blocked.isSuccess, "\(blocked)")
            try await expect(
                host, "problem: \(beginning)tcp://192.0.2.1:\(port) can't be reached",
                "see that its host is up, and that no firewall in between blocks the port")
        }
    }

    @Test(.enabled(if: FakeTime.preload != nil, "libfaketime is missing: run scripts/install-packages lab"))
    func aClockThatIsWrongIsNamed() async throws {
        try await LoopbackCluster.with { cluster in
            try await LoopbackCluster.program("fail2ban-monitor", "stop", "-c", cluster.configuration)
            // Behind `timeout`, since the first program that libfaketime is loaded into loses its arguments.
            let started = try await execute([
                "LD_PRELOAD=\(try #require(FakeTime.preload))", "FAKETIME=+1h", "FAKETIME_DONT_FAKE_MONOTONIC=1", "timeout", "60",
                "\(Lab.programs)/fail2ban-monitor", "start", "-c", cluster.configuration,
            ])
            try #require(started.status == 0, "\(started)")
            try await eventually("the monitor is heard of") {
                try await output(of: cluster, "status").text.contains(" ahead")
            }
            try await expect(cluster, "status", "its clock is ", "ahead: let NTP set it, and the publisher's")
        }
    }

    @Test(.needsMount) func aFullDiskIsNamed() async throws {
        try await LoneHost.withSmallDisk("2m") { host in
            try await host.start(.publisher)
            _ = try await host.shell("cat /dev/zero > state/filler")
            let order = try await host.shell("'\(Lab.programs)/fail2ban-cluster' ban 203.0.113.9 -c f2bc.conf")
            #expect(order.status == 1 && order.error.contains("database or disk is full"), "\(order)")
            for command in ["status", "check"] {
                let outcome = try await host.shell("'\(Lab.programs)/fail2ban-cluster' \(command) -c f2bc.conf")
                #expect(outcome.status == 1, "\(outcome)")
                let text = outcome.output
                #expect(text.contains("the journal could not be written ") && text.contains("database or disk is full"), "\(outcome)")
                #expect(text.contains("see that the disk has space and that the folder belongs to the publisher's user"), "\(outcome)")
            }
            // It is over with the next thing that is written.
            let mended = try await host.shell("rm state/filler && '\(Lab.programs)/fail2ban-cluster' ban 203.0.113.9 -c f2bc.conf")
            #expect(mended.status == 0, "\(mended)")
            let status = try await host.shell("'\(Lab.programs)/fail2ban-cluster' status -c f2bc.conf")
            #expect(!status.output.contains("the journal"), "\(status)")
        }
    }

    // MARK: fail2ban

    @Test(.needsLab) func aFail2banThatIsStoppedIsNamed() async throws {
        try await withHost { host in
            try await host.fail2ban(.stop)
            try await expect(host, "problem: fail2ban is not running. start it: systemctl start fail2ban")
        }
    }

    @Test(.needsLab) func aFail2banThatLogsOnlyWarningsIsNamed() async throws {
        try await withHost { host in
            try await host.client("set", "loglevel", "WARNING")
            try await expect(
                host, "problem: fail2ban logs only from WARNING on, so none of its bans is reported",
                "loglevel = INFO in fail2ban.local, then fail2ban-client reload")
        }
    }

    @Test(.needsLab) func aFail2banThatLogsToTheJournalIsNamed() async throws {
        try await withHost { host in
            try await host.client("set", "logtarget", "SYSTEMD-JOURNAL")
            try await expect(
                host, "problem: fail2ban logs to SYSTEMD-JOURNAL, which is not read",
                "logtarget = /var/log/fail2ban.log in fail2ban.local, then restart it")
        }
    }

    @Test(.needsLab) func aJailThatIsMissingIsNamed() async throws {
        try await withHost { host in
            try await host.client("stop", "fail2ban-cluster")
            try await expect(
                host, "problem: fail2ban has no jail 'fail2ban-cluster'",
                "copy conf/fail2ban (jail.d, filter.d, action.d) to /etc/fail2ban, and run: fail2ban-client reload")
        }
    }

    // MARK: Addresses

    @Test func anAddressThatThePublisherIgnoresIsNamed() async throws {
        try await LoopbackCluster.with(publisherKeys: "ignoreip = 203.0.113.0/24") { cluster in
            try cluster.appendToLog([LoopbackCluster.banLine("203.0.113.9")])
            try await eventually("its ban is refused") {
                try await output(of: cluster, "why", "203.0.113.9").text.contains("Ban of 203.0.113.9 refused: ignoreip has 203.0.113.0/24")
            }
            let why = try await output(of: cluster, "why", "203.0.113.9")
            #expect(why.exitCode == 0)
            #expect(why.text.hasPrefix("203.0.113.9 is not banned: it must never be, since ignoreip has 203.0.113.0/24; "), "\(why)")
            #expect(
                why.text.contains(
                    "take it out of ignoreip in [publisher] on the publisher's host, and run there: fail2ban-publisher reload"))
        }
    }

    @Test func anAddressThatAHostIgnoresIsNamed() async throws {
        try await LoopbackCluster.with { cluster in
            try await cluster.withSubscriber("subscriberaction = dry-run\nignoreip = 203.0.113.0/24") {
                try cluster.appendToLog([LoopbackCluster.banLine("203.0.113.9")])
                try await eventually("the host says that it doesn't enforce it") {
                    try await output(of: cluster, "why", "203.0.113.9").text.contains(
                        "not on web1: refused by its own rules: see ignoreip in [subscriber] there")
                }
            }
        }
    }

    // MARK: Asking

    /// A host with a fail2ban, on which all three daemons run and are well.
    private func withHost(_ body: (LabHost) async throws -> Void) async throws {
        try await Lab.with(hosts: 1) { lab in
            let host = lab.host(1)
            try await host.start()
            let well = try await host.execute("fail2ban-cluster", "check", "-c", host.configuration)
            #expect(well.isSuccess, "\(well.text)")
            try await body(host)
        }
    }

    /// `check` on the host fails, and says all of these.
    private func expect(_ host: LabHost, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let check = try await host.execute("fail2ban-cluster", "check", "-c", host.configuration)
        #expect(check.exitCode == 1, "\(check.text)", sourceLocation: sourceLocation)
        for text in words { #expect(check.text.contains(text), "\(check.text)", sourceLocation: sourceLocation) }
    }

    private func output(of cluster: LoopbackCluster, _ words: String...) async throws -> LabOutput {
        try await LoopbackCluster.programOutput("fail2ban-cluster", words + ["-c", cluster.configuration])
    }

    /// A command fails, and says all of these.
    private func expect(
        _ cluster: LoopbackCluster, _ command: String, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await output(of: cluster, command)
        #expect(outcome.exitCode == 1, "\(outcome.text)", sourceLocation: sourceLocation)
        for text in words { #expect(outcome.text.contains(text), "\(outcome.text)", sourceLocation: sourceLocation) }
    }
}
