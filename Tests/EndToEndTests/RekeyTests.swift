// Keys are replaced while bans flow, with the shipped programs and as the operator's guide says: nothing is lost, and old keys end.

import FoundationEssentials
import Glibc
import Synchronization
import TestSupport
import Testing
import Wire
import ZeroMQ

/// Says once that it is enough.
private final class Whistle: Sendable {
    private let isBlown = Atomic(false)

    var isHeard: Bool { isBlown.load(ordering: .acquiring) }

    func blow() { isBlown.store(true, ordering: .releasing) }
}

@Suite(.needsLab, .serialized) struct RekeyTests {
    /// Runs a line in a host's shell, where the programs are found by their names.
    private func shell(_ line: String, on host: LabHost) async throws -> LabOutput {
        try await host.execute("sh", "-c", "PATH='\(Lab.programs)':\"$PATH\"; \(line)")
    }

    /// Runs a line that must succeed. - Returns: what it printed.
    @discardableResult
    private func succeed(_ line: String, on host: LabHost) async throws -> String {
        let output = try await shell(line, on: host)
        try #require(output.isSuccess, "\(line): \(output.text)")
        return output.text
    }

    /// The command of this name that a step printed for the publisher's host, as it would be pasted there.
    private func printed(_ command: String, in text: String) throws -> String {
        let line = try #require(text.split(separator: "\n").first { $0.contains("fail2ban-cluster \(command) ") }, "\(text)")
        return String(line)
    }

    private func everyHost(of lab: Lab, bans addresses: Set<String>) async throws -> Bool {
        for host in lab.hosts where try await host.banned() != addresses { return false }
        return true
    }

    /// Failed logins all the time. - Returns: the addresses.
    private func attack(_ host: LabHost, until whistle: Whistle) async throws -> Set<String> {
        var addresses: Set<String> = []
        while !whistle.isHeard, !Task.isCancelled {
            let number = addresses.count
            let address = "203.0.\(113 + number / 250).\(1 + number % 250)"
            addresses.insert(address)
            try await host.loginFailure(from: address)
        }
        return addresses
    }

    private func awaitMoreBans(on host: LabHost, _ what: String) async throws {
        let before = try await host.banned().count
        try await eventually(what) { try await host.banned().count > before }
    }

    @Test func aHostAndThePublisherAreRekeyedWhileBansFlowAndNothingIsLostAndOldKeysEnd() async throws {
        // No ban ends while the test runs, however slow the machine is.
        try await Lab.with(bantime: "1h") { lab in
            let (first, second, third) = (lab.host(1), lab.host(2), lab.host(3))
            func option(_ host: LabHost) -> String { " -c '\(host.configuration)'" }
            try await lab.startDaemons()
            // For later: the host's old key in one folder, the publisher's in another.
            try await succeed(
                "cd '\(second.folder)' && mkdir old-host old-publisher && cp -p keys/host.key old-host && cp keys/publisher.pub old-publisher",
                on: second)
            let whistle = Whistle()
            async let attacks = attack(second, until: whistle)

            // The host.
            let begun = try await succeed("fail2ban-cluster rekey" + option(second), on: second)
            try await succeed(try printed("authorize", in: begun) + option(first), on: first)
            let finished = try await succeed("fail2ban-cluster rekey --finish" + option(second), on: second)
            #expect(finished.contains("told fail2ban-monitor to reload\ntold fail2ban-subscriber to reload\n"))
            try await succeed(try printed("revoke", in: finished) + option(first), on: first)
            try await awaitMoreBans(on: third, "bans go on with the host's new key")

            // The publisher; the third host is forgotten.
            try await succeed("fail2ban-cluster rekey --publisher" + option(first), on: first)
            let copy = "cp '\(first.folder)/keys/publisher.pub' '\(second.folder)/keys/publisher.pub'"
            try await succeed(
                "\(copy) && fail2ban-monitor reload\(option(second)) && fail2ban-subscriber reload\(option(second))", on: second)
            try await succeed("fail2ban-cluster rekey --publisher --finish" + option(first), on: first)
            try await succeed(copy, on: second)
            try await awaitMoreBans(on: first, "bans go on with the publisher's new key")
            whistle.blow()
            let addresses = try await attacks
            try await eventually("all bans where the new key is known") {
                let (one, two) = (try await first.banned(), try await second.banned())
                return one == addresses && two == addresses
            }
            #expect(try await third.banned() != addresses)
            try await succeed("cp '\(first.folder)/keys/publisher.pub' '\(third.folder)/keys/publisher.pub'", on: third)
            // Nobody tells it; it looks when it tries again.
            try await eventually("the host that was forgotten has all that it missed", within: .seconds(120)) {
                try await everyHost(of: lab, bans: addresses)
            }

            // What was replaced is good for nothing any more.
            try await succeed(
                "cd '\(second.folder)' && cp keys/publisher.pub old-host && cp -p keys/host.key old-publisher", on: second)
            let text = try String(contentsOfFile: second.configuration, encoding: .utf8)
            for (keys, isGood) in [("keys", true), ("old-host", false), ("old-publisher", false)] {
                let configuration = "\(second.folder)/\(keys).conf"
                try text.replacing("\(second.folder)/keys", with: "\(second.folder)/\(keys)").write(
                    toFile: configuration, atomically: true, encoding: .utf8)
                let output = try await shell("fail2ban-cluster bans -c '\(configuration)'", on: second)
                #expect(output.isSuccess == isGood, "\(keys): \(output.text)")
                #expect(isGood || output.text.contains("no answer from the publisher"), "\(keys): \(output.text)")
            }
        }
    }
}

@Suite struct EarlyAndLateStepTests {
    private func command(_ cluster: LoopbackCluster, _ words: String...) async throws -> LabOutput {
        try await LoopbackCluster.programOutput("fail2ban-cluster", words + ["-c", cluster.configuration])
    }

    private func key(_ cluster: LoopbackCluster, _ name: String) throws -> String {
        try String(contentsOfFile: "\(cluster.directory)/keys/\(name)", encoding: .utf8).filter { $0 != "\n" }
    }

    private func awaitBan(_ address: String, in cluster: LoopbackCluster) async throws {
        try cluster.appendToLog([LoopbackCluster.banLine(address)])
        try await eventually("\(address) is banned") { cluster.log.contains("would ban \(address) ") }
    }

    @Test func aKeyThatIsFinishedTooEarlyChangesNothingAndOneThatIsRevokedTooEarlyLocksNobodyOut() async throws {
        try await LoopbackCluster.with { cluster in
            try await cluster.withSubscriber("subscriberaction = dry-run") {
                #expect(try await command(cluster, "rekey").isSuccess)
                let (old, new) = (try key(cluster, "host.pub"), try key(cluster, "host.pub.new"))
                let early = try await command(cluster, "rekey", "--finish")
                #expect(
                    early.exitCode == 1 && early.text.contains("nothing was changed, and web1 goes on with its old one"), "\(early.text)")
                #expect(early.text.contains("fail2ban-cluster authorize web1 --add '\(new)'"))
                #expect(try key(cluster, "host.pub") == old)
                try await awaitBan("203.0.113.1", in: cluster)

                #expect(try await command(cluster, "authorize", "web1", "--add", new).isSuccess)
                #expect(try await command(cluster, "revoke", "web1", "--key", old).isSuccess)
                try await eventually("the old key is out") { cluster.log.contains("all connections are made anew") }
                // The daemons find the new key beside the old one.
                try await awaitBan("203.0.113.2", in: cluster)
                #expect(try await command(cluster, "rekey", "--finish").isSuccess)
                #expect(try key(cluster, "host.pub") == new)
                try await awaitBan("203.0.113.3", in: cluster)
            }
        }
    }

    @Test func secretsAndTokensAreInTheirFilesAndNowhereElse() async throws {
        try await LoopbackCluster.with(plain: true, publisherKeys: "auth = yes\nauthtoken = 7otekcfy4x") { cluster in
            try await cluster.withSubscriber("subscriberaction = dry-run\n[general]\nloglevel = debug") {
                var secrets = ["7otekcfy4x", try key(cluster, "host.key"), try key(cluster, "publisher.key")]
                var said = ""
                for words in [["rekey"], ["rekey", "--publisher"]] {
                    said += try await LoopbackCluster.programOutput("fail2ban-cluster", words + ["-c", cluster.configuration]).text
                }
                secrets += [try key(cluster, "host.key.new"), try key(cluster, "publisher.key.new")]
                said += try await command(cluster, "authorize", "web1", "--add", try key(cluster, "host.pub.new")).text
                said += try await command(cluster, "rekey", "--finish").text
                said += try await command(cluster, "rekey", "--publisher", "--finish").text
                said += try await command(cluster, "hosts").text
                for program in DaemonProgram.allCases {
                    said += try await LoopbackCluster.programOutput(program.name, ["check", "-c", cluster.configuration]).text
                }
                #expect(said.contains("web1 uses its new key from now on") && said.contains("the publisher uses its new key from now on"))
                try await awaitBan("203.0.113.1", in: cluster)
                for program in DaemonProgram.allCases {
                    let pid = try String(contentsOfFile: "\(cluster.directory)/\(program.rawValue).pid", encoding: .utf8)
                    said += RunningProcess(try #require(pid_t(pid.dropLast()))).arguments
                }
                let open = try await EndToEndTests.execute([
                    "find", cluster.directory, "-type", "f", "-perm", "/o=r", "-exec", "cat", "{}", "+",
                ])
                #expect(open.status == 0)
                for secret in secrets {
                    #expect(!said.contains(secret) && !open.output.contains(secret) && !cluster.log.contains(secret))
                }
            }
        }
    }

    @Test func aPublisherThatStandsByTakesItsNewKeyToo() async throws {
        try await LoneHost.with { host in
            try host.overlay("[publisher]\nstandby = yes\n")
            try await host.start(.publisher)
            let begun = try await host.shell("'\(Lab.programs)/fail2ban-cluster' rekey --publisher -c f2bc.conf")
            #expect(begun.status == 0, "\(begun)")
            // It says so only after the publisher has proved to have the new key.
            let finished = try await host.shell("'\(Lab.programs)/fail2ban-cluster' rekey --publisher --finish -c f2bc.conf")
            #expect(finished.status == 0 && finished.output.hasPrefix("the publisher uses its new key from now on\n"), "\(finished)")
            #expect(host.log.contains("this publisher has another key from now on"))
        }
    }
}
