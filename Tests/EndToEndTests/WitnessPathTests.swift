// fail2ban's database as the witness, on real hosts: a restart is no Unban, and an admin's Unban is one, whatever fail2ban has purged.

import TestSupport
import Testing

@Suite(.needsLab, .serialized) struct WitnessPathTests {
    /// A jail that bans by hand only and changes no firewall, so that thousands of bans take no minutes.
    private func addQuickJail(to host: LabHost) async throws {
        try writeFile("\(host.folder)/fail2ban/action.d/noop.conf", "[Definition]\n")
        try writeFile(
            "\(host.folder)/fail2ban/jail.d/quick.conf",
            "[quick]\nenabled = true\nfilter = fail2ban-cluster\nbackend = polling\nbantime = 6h\naction = noop\n")
        try await host.client("reload")
    }

    private func sqlite(_ database: String, _ query: String) async throws -> String {
        let outcome = try await execute(["sqlite3", "-readonly", "-cmd", ".timeout 10000", database, query])
        try #require(outcome.status == 0, "\(outcome)")
        return String(outcome.output.prefix { $0 != "\n" })
    }

    @Test func aRestartOfFail2banWithFiveThousandBansCausesNoUnbanInTheJournal() async throws {
        try await Lab.with(hosts: 1) { lab in
            let host = lab.host(1)
            let journal = "\(host.folder)/state/journal.sqlite"
            try await addQuickJail(to: host)
            for daemon in ["fail2ban-publisher", "fail2ban-monitor"] {
                let started = try await host.execute(daemon, "start", "-c", host.configuration)
                #expect(started.isSuccess, "\(started.text)")
            }
            for thousand in 0..<5 {
                let addresses = (0..<1000).map { "198.18.\(thousand * 4 + $0 / 250).\($0 % 250)" }
                let banned = try await execute(
                    ["fail2ban-client", "-s", "\(host.folder)/fail2ban.sock", "set", "quick", "banip"] + addresses)
                #expect(banned.output == "1000\n")
            }
            try await eventually("5,000 bans in the journal", within: .seconds(60)) {
                try await sqlite(journal, "SELECT count(*) FROM event WHERE move = 0") == "5000"
            }
            try await host.fail2ban(.restart)
            try await eventually("fail2ban has restored them", within: .seconds(60)) { try await host.banned(in: "quick").count == 5000 }
            // When a later ban is there, all that the restart logged has been read.
            try await host.client("set", "quick", "banip", "203.0.113.1")
            try await eventually("the ban after the restart", within: .seconds(60)) {
                try await sqlite(journal, "SELECT count(*) FROM event WHERE address = '203.0.113.1'") == "1"
            }
            #expect(host.file("fail2ban.log").split(separator: "\n").count { $0.contains("[quick] Unban ") } == 5000)
            #expect(try await sqlite(journal, "SELECT count(*) FROM event WHERE action = 'Unban'") == "0")
            // Beside the bans only ends that their rows moved.
            #expect(try await sqlite(journal, "SELECT count(*) FROM event WHERE move = 0") == "5001")
        }
    }

    @Test func anAdminsUnbanOfABanOlderThanDbpurgeageReachesAllHosts() async throws {
        try await Lab.with { lab in
            let host = lab.host(2)
            let database = "\(host.folder)/fail2ban.sqlite3"
            try await addQuickJail(to: host)
            try await lab.startDaemons()
            try await host.client("set", "quick", "banip", "203.0.113.1", "203.0.113.2")
            for other in lab.hosts {
                try await eventually("the bans on \(other.name)") { try await other.refused() == ["203.0.113.1", "203.0.113.2"] }
            }
            // fail2ban's own purge, which it does once an hour, of what is older than a second.
            try await eventually("that fail2ban has purged the bans") {
                let purge =
                    "import sys; from fail2ban.server.database import Fail2BanDb as D; d = D(sys.argv[1]); d.purgeage = '1s'; d.purge()"
                let outcome = try await execute(["/usr/bin/python3", "-c", purge, database])
                try #require(outcome.status == 0, "\(outcome)")
                return try await sqlite(database, "SELECT count(*) FROM bans") == "0"
            }
            // A restart's Unban lines say nothing, purged or not; the admin's does.
            try await host.fail2ban(.restart)
            try await eventually("fail2ban has restored them") { try await host.banned(in: "quick").count == 2 }
            try await host.client("set", "quick", "unbanip", "203.0.113.1")
            for other in lab.hosts {
                try await eventually("the Unban on \(other.name)", within: .seconds(30)) { try await other.refused() == ["203.0.113.2"] }
            }
        }
    }
}
