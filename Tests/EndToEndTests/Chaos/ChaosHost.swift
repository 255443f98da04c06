// Fault test: one host, to which orders and faults happen. What fail2ban did with an order is known for certain in the end.

import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// A host `webN` of the fault test.
struct ChaosHost: Sendable {
    let lab: LabHost
    /// The file that names its network namespace.
    let namespace: String
    let record: ChaosRecord
    /// Set while fail2ban was killed and what it forgot is not yet made good.
    let doubt = Doubt()

    var number: Int { lab.number }

    // MARK: fail2ban

    /// Runs fail2ban-client for this host's fail2ban, without a shell around it.
    func client(_ words: [String]) async throws -> Outcome {
        try await execute(["timeout", "60", "fail2ban-client", "-s", "\(lab.folder)/fail2ban.sock"] + words)
    }

    /// What a jail bans; nil while fail2ban is down or has no such jail.
    func banned(in jail: String) async throws -> Set<String>? {
        let outcome = try await client(["get", jail, "banip"])
        return outcome.status == 0 ? Set(outcome.output.split(whereSeparator: \.isWhitespace).map(String.init)) : nil
    }

    /// Carries out an order, again if fail2ban is killed meanwhile. The caller has the part `orders`.
    func carryOut(_ order: HostOrder) async throws {
        await record.note { $0.orders += 1 }
        if await doubt.isThere { try await recover() }
        switch order.deed {
        case .ban(let jail): try await ban(order.addresses, in: jail)
        case .lift(let jail): try await lift(order.addresses, in: jail)
        case .attack: try await attack(from: order.addresses)
        }
    }

    private func ban(_ addresses: [String], in jail: ChaosJail) async throws {
        let names = addresses.map { HoldName(host: number, jail: jail.rawValue, address: $0) }
        let banTime = jail.isLong ? nil : Int64(jail.banTime) * 1000
        while true {
            let start = ChaosRecord.now()
            if try await client(["set", jail.rawValue, "banip"] + addresses).status == 0 {
                let end = ChaosRecord.now()
                await record.tell { $0.banned(names, banTime: banTime, between: start, and: end) }
                await record.note { $0.bans += names.count }
                return
            }
            await record.tell { $0.mayHaveBanned(names) }
            await record.note { $0.doubtful += names.count }
            try await recover()
        }
    }

    private func lift(_ addresses: [String], in jail: ChaosJail) async throws {
        let names = addresses.map { HoldName(host: number, jail: jail.rawValue, address: $0) }
        if try await client(["set", jail.rawValue, "unbanip"] + addresses).status == 0 {
            await record.tell { $0.lifted(names) }
            await record.note { $0.lifts += names.count }
            return
        }
        // Killed after the row was deleted and before the line was written, fail2ban would have told nobody. So an admin who looks
        // bans again what is gone, which recovering does, and lifts it.
        await record.tell { $0.mayHaveLifted(names) }
        await record.note { $0.doubtful += names.count }
        try await recover()
        try await lift(addresses, in: jail)
    }

    /// Three failed logins each, as scripts/lab writes them; fail2ban finds them in a moment.
    private func attack(from addresses: [String]) async throws {
        let jail = ChaosJail.sshd
        let names = addresses.map { HoldName(host: number, jail: jail.rawValue, address: $0) }
        var missing = addresses
        while !missing.isEmpty {
            let start = ChaosRecord.now()
            var words = ["login-failure", "--dir", String(lab.folder.dropLast("/\(lab.name)".count)), "\(number)"]
            words += missing
            let written = try await execute([Lab.repository + "/scripts/lab"] + words)
            try #require(written.status == 0, "\(written)")
            let limit = ContinuousClock.now + .seconds(10)
            repeat {
                if await doubt.isThere { try await recover() }
                try await Task.sleep(for: .milliseconds(100))
                let banned = try await banned(in: jail.rawValue) ?? []
                missing.removeAll { banned.contains($0) }
            } while !missing.isEmpty && ContinuousClock.now < limit
            if !missing.isEmpty {
                // It was killed with the failures read and no ban made.
                let again = missing.map { HoldName(host: number, jail: jail.rawValue, address: $0) }
                await record.tell { $0.mayHaveBanned(again) }
            }
            let end = ChaosRecord.now()
            let done = names.filter { !missing.contains($0.address) }
            await record.tell { $0.banned(done, banTime: nil, between: start, and: end) }
        }
        await record.note { $0.bans += names.count }
    }

    /// Waits until fail2ban is there again with what it should have, and bans again what it forgot when it was killed.
    ///
    /// fail2ban writes a ban into its database from another thread, after it has said that it is banned.
    func recover() async throws {
        let wasKilled = await doubt.isThere
        let clock = ContinuousClock()
        let start = clock.now
        for jail in ChaosJail.allCases where jail.isLong {
            let expected = await record.oracle.lasting(jail.rawValue, of: number)
            var actual = try await banned(in: jail.rawValue)
            // What it has not restored for so long, it has forgotten.
            var limit = clock.now + .seconds(5)
            while actual == nil || (!expected.isSubset(of: actual ?? []) && clock.now < limit) {
                try #require(clock.now - start < .seconds(120), "fail2ban of \(lab.name) does not come back")
                try await Task.sleep(for: .milliseconds(100))
                let before = actual
                actual = try await banned(in: jail.rawValue)
                if before == nil || actual != before { limit = clock.now + .seconds(5) }
            }
            let forgotten = expected.subtracting(actual ?? []).sorted()
            guard !forgotten.isEmpty else { continue }
            let names = forgotten.map { HoldName(host: number, jail: jail.rawValue, address: $0) }
            await record.tell { $0.forgot(names) }
            await record.note { $0.forgotten += names.count }
            await doubt.end()
            try await ban(forgotten, in: jail)
        }
        await doubt.end()
        if wasKilled { try await noteWhatIsFoundAgain() }
    }

    /// Waits until fail2ban has restored the cluster's bans that its database has.
    ///
    /// `unban --all` while it restores flushes what is just being restored: from then on fail2ban lists a ban that its firewall lacks, and
    /// nobody can see that through fail2ban.
    func awaitRestoredBans() async throws {
        let query = "SELECT ip FROM bips WHERE jail = 'fail2ban-cluster' AND timeofban + bantime > unixepoch()"
        try await eventually("the bans that fail2ban of \(lab.name) restores", within: .seconds(120)) {
            let rows = try await execute(
                ["sqlite3", "-readonly", "-cmd", ".timeout 10000", "\(lab.folder)/fail2ban.sqlite3", query])
            try #require(rows.status == 0, "\(rows)")
            guard let banned = try await banned(in: "fail2ban-cluster") else { return false }
            return banned.isSuperset(of: rows.output.split(separator: "\n").map(String.init))
        }
    }

    /// A killed fail2ban reads the last seconds of its jails' logs once more, and bans what an admin lifted in them.
    private func noteWhatIsFoundAgain() async throws {
        // When it has found a failure behind them, it has found all of them.
        let mark = await record.nextMark()
        try await attack(from: ["100.64.\(mark >> 8).\(mark & 255)"])
        let jail = ChaosJail.sshd
        let found = try await banned(in: jail.rawValue) ?? []
        let oracle = await record.oracle
        let names = found.subtracting(oracle.lasting(jail.rawValue, of: number)).sorted().map {
            HoldName(host: number, jail: jail.rawValue, address: $0)
        }.filter { oracle.histories[$0]?.isLifted ?? false }
        let now = ChaosRecord.now()
        await record.tell { $0.banned(names, banTime: nil, between: now, and: now) }
    }

    // MARK: The daemons

    /// The process that a daemon's pid file names.
    func pid(of daemon: DaemonProgram) -> pid_t? {
        textOfFile("\(lab.folder)/\(daemon.rawValue).pid").flatMap { pid_t($0.prefix { $0 != "\n" }) }
    }

    /// The publisher's term that the subscriber remembers a place in.
    var followedTerm: String? {
        textOfFile("\(lab.folder)/state/subscriber.term").map { String($0.prefix { $0 != " " }) }
    }

    /// The file with the seconds by which a daemon's wall clock is wrong.
    func clockFile(of daemon: DaemonProgram) -> String { "\(lab.folder)/\(daemon.rawValue).clock" }

    /// Runs `fail2ban-DAEMON COMMAND` on the host, with a wall clock that ``clockFile(of:)`` decides where that is possible.
    func control(_ daemon: DaemonProgram, _ command: String) async throws -> Outcome {
        let clock = FakeTime.preload.map {
            [
                "LD_PRELOAD=\($0)", "FAKETIME_TIMESTAMP_FILE=\(clockFile(of: daemon))", "FAKETIME_CACHE_DURATION=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
            ]
        }
        return try await execute(
            ["nsenter", "--net=\(namespace)", "--", "env"] + (clock ?? [])
                + ["timeout", "60", "\(Lab.programs)/\(daemon.name)", command, "-c", lab.configuration])
    }

    /// Starts a daemon, again and again while another fault keeps it from starting.
    func start(_ daemon: DaemonProgram) async throws {
        let limit = ContinuousClock.now + .seconds(120)
        while true {
            let outcome = try await control(daemon, "start")
            if outcome.status == 0 { return }
            await record.note { $0.repeatedStarts += 1 }
            try #require(ContinuousClock.now < limit, "\(daemon.name) of \(lab.name) does not start: \(outcome)")
            try await Task.sleep(for: .milliseconds(300))
        }
    }

    /// kill -9, and waits for its end.
    func kill(_ daemon: DaemonProgram) async throws {
        guard let pid = pid(of: daemon), RunningProcess(pid).arguments.contains(lab.configuration) else { return }
        try await end(pid)
    }

    func killFail2ban() async throws {
        let text = textOfFile("\(lab.folder)/fail2ban.pid") ?? ""
        guard let pid = pid_t(text.filter(\.isNumber)), RunningProcess(pid).arguments.contains("fail2ban") else { return }
        try await end(pid)
    }

    private func end(_ pid: pid_t) async throws {
        Glibc.kill(pid, SIGKILL)
        try await eventually("the end of process \(pid)") { !RunningProcess(pid).isAlive }
    }

    func startFail2ban() async throws {
        let folder = lab.folder
        let limit = ContinuousClock.now + .seconds(60)
        while true {
            // -x: a kill -9 leaves the socket behind, without which fail2ban does not start.
            let outcome = try await execute([
                "nsenter", "--net=\(namespace)", "--", "timeout", "60", "fail2ban-client", "-c", "\(folder)/fail2ban", "-x", "start",
            ])
            if outcome.status == 0 { return }
            await record.note { $0.repeatedStarts += 1 }
            try #require(ContinuousClock.now < limit, "fail2ban of \(lab.name) does not start: \(outcome)")
            try await Task.sleep(for: .milliseconds(300))
        }
    }
}

/// Whether fail2ban was killed since it was last seen to have all that it should.
actor Doubt {
    private(set) var isThere = false
    func begin() { isThere = true }
    func end() { isThere = false }
}

/// libfaketime, which gives one process another wall clock.
enum FakeTime {
    /// What such a process has in LD_PRELOAD: Debian's shared object; nil where it isn't installed, or can't be used.
    static let preload: String? = {
        let path = "/usr/lib/\(machine)-linux-gnu/faketime/libfaketimeMT.so.1"
        return exists(path) && !Sanitizer.takesClock ? path : nil
    }()

    #if arch(x86_64)
        private static let machine = "x86_64"
    #else
        private static let machine = "aarch64"
    #endif
}
