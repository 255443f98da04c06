// The files of conf/fail2ban on a real fail2ban: the jails that hold the cluster's bans, and what keeps recidive out.

import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite(.needsLab, .serialized)
struct Fail2banFilesTests {
    @Test func theClustersJailStartsWithoutAWarningAndBansOnAllPorts() async throws {
        try await Lab.with(hosts: 1, withKeys: false) { lab in
            let web1 = lab.host(1)
            // fail2ban-start.txt is all that `fail2ban-client start` printed.
            #expect(web1.file("fail2ban-start.txt") == "Server ready\n")
            #expect(!web1.file("fail2ban.log").contains("ERROR"))

            try await web1.client("set", "fail2ban-cluster", "banip", "203.0.113.9", "2001:db8:bad::9")
            #expect(try await web1.banned() == ["203.0.113.9", "2001:db8:bad::9"])
            #expect(try await web1.refused() == ["203.0.113.9", "2001:db8:bad::9"])
            #expect(try await web1.client("get", "fail2ban-cluster", "bantime") == "86400\n")
            // 6 is TCP and 17 is UDP, with no port named.
            let rules = try await web1.execute("nft", "--numeric-protocol", "list", "ruleset").text
            #expect(rules.contains("meta l4proto { 6, 17 } ip saddr @addr-set-fail2ban-cluster reject"))
        }
    }

    @Test(arguments: ["nftables-allports", "iptables-allports", "iptables-ipset-proto6-allports"])
    func whatAKilledFail2banLeftInTheFirewallIsGoneWhenTheNextOneStarts(_ banaction: String) async throws {
        try await Lab.with(hosts: 1, withKeys: false) { lab in
            let web1 = lab.host(1)
            try "[DEFAULT]\nbanaction_allports = \(banaction)\n"
                .write(toFile: "\(web1.folder)/fail2ban/jail.d/lab.local", atomically: true, encoding: .utf8)
            try await web1.fail2ban(.restart)
            let lifted = ["203.0.113.5", "2001:db8:bad::5"]
            let kept = ["203.0.113.6", "2001:db8:bad::6"]
            for address in lifted + kept { try await web1.client("set", "fail2ban-cluster", "banip", address) }
            /// Those of its addresses that nftables, iptables (by nftables) or ipset refuse.
            func refused() async throws -> Set<String> {
                let words = try await web1.execute("sh", "-c", "nft list ruleset; ipset save").text
                    .split { !$0.isHexDigit && $0 != "." && $0 != ":" }.map(String.init)
                return Set(words).intersection(lifted + kept)
            }
            #expect(try await refused() == Set(lifted + kept))

            // Lifted, but killed before it told the firewall.
            try await web1.fail2ban(.kill)
            let rows = lifted.map { "'\($0)'" }.joined(separator: ",")
            _ = try await web1.execute("sqlite3", "\(web1.folder)/fail2ban.sqlite3", "DELETE FROM bips WHERE ip IN (\(rows))")
            #expect(try await refused() == Set(lifted + kept))
            try await web1.fail2ban(.start)
            try await eventually("only what its database has is refused") { try await refused() == Set(kept) }
            #expect(try await web1.banned() == Set(kept))

            // It does so at a start only.
            try await web1.client("reload")
            #expect(try await refused() == Set(kept))
        }
    }

    @Test func aReloadThatBringsTheFlushingActionFlushesNothing() async throws {
        try await Lab.with(hosts: 1, withKeys: false) { lab in
            let web1 = lab.host(1)
            let local = "\(web1.folder)/fail2ban/jail.d/fail2ban-cluster.local"
            try "[fail2ban-cluster]\naction = %(action_)s\n".write(toFile: local, atomically: true, encoding: .utf8)
            try await web1.fail2ban(.restart)
            #expect(try await !web1.client("get", "fail2ban-cluster", "actions").contains("fail2ban-cluster-flush"))
            try await web1.client("set", "fail2ban-cluster", "banip", "203.0.113.7", "2001:db8:bad::7")
            try FileManager.default.removeItem(atPath: local)
            // fail2ban 1.0.2 makes it, and takes what a reload brings to a running jail for obsolete.
            try await web1.client("reload")
            #expect(try await web1.refused() == ["203.0.113.7", "2001:db8:bad::7"])
            try await web1.fail2ban(.restart)
            #expect(try await web1.client("get", "fail2ban-cluster", "actions").contains("fail2ban-cluster-flush"))
            try await eventually("what its database has is refused") {
                try await web1.refused() == ["203.0.113.7", "2001:db8:bad::7"]
            }
        }
    }

    @Test func fail2banRepairsADamagedFirewallBesideTheFlushingAction() async throws {
        try await Lab.with(hosts: 1, withKeys: false) { lab in
            let web1 = lab.host(1)
            try await web1.client("set", "fail2ban-cluster", "banip", "203.0.113.8")
            _ = try await web1.execute("nft", "delete", "table", "inet", "f2b-table")
            #expect(try await web1.refused() == [])
            // It looks for the table when it is asked for a ban once more, seconds later.
            try await eventually("fail2ban repairs") {
                try await web1.client("set", "fail2ban-cluster", "banip", "203.0.113.8")
                return try await web1.refused() == ["203.0.113.8"]
            }
            #expect(!web1.file("fail2ban.log").contains("banEpoch"))
        }
    }

    @Test func recidiveCountsTheHostsOwnBansAndNotTheClusters() async throws {
        try await Lab.with(hosts: 1, withKeys: false) { lab in
            let web1 = lab.host(1)
            try "[recidive]\nenabled = true\nmaxretry = 2\nlogpath = \(web1.folder)/fail2ban.log\n"
                .write(toFile: "\(web1.folder)/fail2ban/jail.d/recidive.conf", atomically: true, encoding: .utf8)
            try await web1.client("reload")
            // The cluster's bans first: when recidive has counted the host's own, which come later, it has read these too.
            for (jail, address) in [("fail2ban-cluster", "203.0.113.5"), ("sshd", "203.0.113.6")] {
                for _ in 1...3 {
                    try await web1.client("set", jail, "banip", address)
                    try await web1.client("set", jail, "unbanip", address)
                }
            }
            try await eventually("recidive bans who was banned here twice") { try await !web1.banned(in: "recidive").isEmpty }
            #expect(try await web1.banned(in: "recidive") == ["203.0.113.6"])
        }
    }

    @Test func theLogJailReadsTheSubscribersLinesOldAndNew() async throws {
        try await Lab.with(hosts: 1, withKeys: false) { lab in
            let web1 = lab.host(1)
            try "[fail2bancluster]\nenabled = true\nlogpath = \(web1.folder)/auth.log\n"
                .write(toFile: "\(web1.folder)/fail2ban/jail.d/fail2bancluster.local", atomically: true, encoding: .utf8)
            try await web1.client("reload")
            let stamp = try await web1.execute("date", "+%Y-%m-%dT%H:%M:%S.%6N%:z").text.dropLast()
            let said = "fail2ban-zmq-tools Subscriber: Got broadcast message:"
            let lines = [
                "\(stamp) web1 sshd[7]: Invalid user fail2ban-subscriber[8]: \(said) web2|sshd|Ban|203.0.113.1",
                "\(stamp) web1 fail2ban-subscriber[8]: \(said) web2|sshd|Unban|203.0.113.2",
                "\(stamp) web1 fail2ban-subscriber[8]: \(said) web2|sshd|Ban|203.0.113.3|17",
                "\(stamp) web1 fail2ban-subscriber[8]: \(said) web2.example.org|sshd|Ban|203.0.113.4",
                "\(stamp) web1 /fail2ban-subscriber.py[9]: \(said) mx5.example.net|ssh|Ban|203.0.113.5",
                "\(stamp) web1 fail2ban-subscriber[8]: \(said) web2|sshd|Ban|2001:db8:bad::6",
            ]
            try (lines.joined(separator: "\n") + "\n").write(toFile: "\(web1.folder)/auth.log", atomically: false, encoding: .utf8)
            try await eventually("the last line's address is banned") {
                try await web1.banned(in: "fail2bancluster").contains("2001:db8:bad::6")
            }
            #expect(try await web1.banned(in: "fail2bancluster") == ["203.0.113.4", "203.0.113.5", "2001:db8:bad::6"])
        }
    }

    @Test func aLabLeavesNothingBehind() async throws {
        let directory = try await Lab.with(hosts: 2, withKeys: false) { lab in
            try await lab.host(1).fail2ban(.kill)
            return lab.directory
        }
        #expect(access(directory, F_OK) != 0)
        let processes = try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
            let line = try? String(contentsOfFile: "/proc/\(name)/cmdline", encoding: .utf8)
            return line?.contains(directory) ?? false
        }
        #expect(processes == [])
    }
}
