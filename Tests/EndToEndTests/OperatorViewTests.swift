// What an operator sees of a real cluster: status, why, history, bans and watch, from the line in a log to the host that refuses the
// address.

import Foundation
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct OperatorViewTests {
    /// Runs `fail2ban-cluster` with `--json` and reads what it prints.
    private func ask(_ cluster: LoopbackCluster, _ words: String...) async throws -> [String: Any] {
        let output = try await LoopbackCluster.programOutput("fail2ban-cluster", words + ["--json", "-c", cluster.configuration])
        let line = output.text.split(separator: "\n").last { $0.hasPrefix("{") }
        let object = try line.map { try JSONSerialization.jsonObject(with: Data($0.utf8)) } as? [String: Any]
        return try #require(object, "\(words): \(output.text)")
    }

    /// What the cluster says of the host web1.
    private func web1(_ cluster: LoopbackCluster) async throws -> [String: Any] {
        let hosts = try #require(try await ask(cluster, "status")["hosts"] as? [[String: Any]])
        return try #require(hosts.first { $0["host"] as? String == "web1" })
    }

    @Test func aBanIsSeenByEveryCommandAndIsNamedWhereItIsApplied() async throws {
        try await LoopbackCluster.with { cluster in
            try await cluster.withSubscriber("subscriberaction = exec\nexeccommand = /bin/true") {
                try cluster.appendToLog([
                    LoopbackCluster.banLine("203.0.113.9"), LoopbackCluster.banLine("198.51.100.7"), LoopbackCluster.banLine("127.0.0.5"),
                ])
                try await eventually("both daemons are heard of and the ban is applied", within: .seconds(90)) {
                    let host = try await web1(cluster)
                    let subscriber = (host["subscriber"] as? [String: Any])?["state"] as? [String: Any]
                    let latency = subscriber?["latency"] as? [String: Any]
                    return host["level"] as? String == "ok" && subscriber?["bans"] as? Int == 2 && latency?["count"] as? Int == 2
                        && host["monitor"] is [String: Any]
                }
                let host = try await web1(cluster)
                #expect(host["text"] as? String == "in sync")
                #expect((host["lastBan"] as? [String: Any])?["address"] as? String == "198.51.100.7")

                let why = try await ask(cluster, "why", "203.0.113.9")
                #expect(why["banned"] as? Bool == true)
                let applied = try #require((why["applied"] as? [[String: Any]])?.first)
                #expect(applied["hosts"] as? Int == 1)
                #expect((why["events"] as? [[String: Any]])?.map { $0["cause"] as? String } == ["detected"])

                let refused = try await ask(cluster, "why", "127.0.0.5")
                #expect(refused["banned"] as? Bool == false)
                #expect((refused["verdict"] as? String)?.contains("it must never be, since 127.0.0.0/8 is loopback") == true)
                #expect((refused["events"] as? [[String: Any]])?.first?["refusal"] as? String == "127.0.0.0/8 is loopback")

                let bans = try #require(try await ask(cluster, "bans", "--jail", "sshd")["bans"] as? [[String: Any]])
                #expect(bans.map { $0["applied"] as? Int } == [1, 1])
                #expect((try await ask(cluster, "bans", "203.0.113.0/24")["bans"] as? [Any])?.count == 1)

                try await LoopbackCluster.program("fail2ban-cluster", "unban", "203.0.113.9", "-c", cluster.configuration)
                let events = try #require(try await ask(cluster, "history", "203.0.113.9")["events"] as? [[String: Any]])
                #expect(events.map { $0["action"] as? String } == ["Ban", "Unban"])
                #expect((try await ask(cluster, "history", "--kind", "refused")["events"] as? [Any])?.count == 1)
                let after = try await ask(cluster, "why", "203.0.113.9")
                #expect((after["verdict"] as? String)?.contains("an operator on web1 lifted it") == true)

                let metrics = try await LoopbackCluster.programOutput(
                    "fail2ban-cluster", ["status", "--format", "prometheus", "-c", cluster.configuration]
                ).text
                #expect(metrics.contains("fail2ban_cluster_up 1\n"))
                #expect(metrics.contains(#"fail2ban_cluster_host_latency_bans{host="web1"} 2"#))
            }
        }
    }

    @Test func watchShowsWhatIsAnnouncedAndEndsCleanlyWithCtrlC() async throws {
        try await LoopbackCluster.with { cluster in
            try await cluster.withSubscriber("subscriberaction = dry-run") {
                let (out, pidfile) = ("\(cluster.directory)/watch.out", "\(cluster.directory)/watch.pid")
                async let ended = execute([
                    "timeout", "120", "sh", "-c",
                    "echo $$ > \(pidfile); exec \(Lab.programs)/fail2ban-cluster watch -c \(cluster.configuration) > \(out)",
                ])
                func read(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
                var last = 0
                try await eventually("watch shows a ban", within: .seconds(60)) {
                    // It shows what comes after it has connected, which nobody else can see.
                    last += 1
                    try cluster.appendToLog([LoopbackCluster.banLine("198.51.100.\(last % 250)", jail: "jail\(last / 250)")])
                    return read(out).contains("  Ban 198.51.100.")
                }
                let pid = try #require(pid_t(read(pidfile).dropLast()))
                kill(pid, SIGINT)
                let outcome = try await ended
                #expect(outcome.status == 0, "\(outcome)")
                #expect(
                    read(out).split(separator: "\n").allSatisfy {
                        $0.hasSuffix("web1/jail0, detected") || $0.hasSuffix("web1/jail1, detected")
                    }
                )
                #expect(!read(out).contains("\u{1b}"))
            }
        }
    }
}
