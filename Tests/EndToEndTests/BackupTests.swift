// Backup and restore of the publisher with SQLite's own tool: what was acknowledged before is there again, on another machine too.

import FoundationEssentials
import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

@Suite struct BackupTests {
    /// The commands of docs/operations.md.
    @Test(
        .needsSQLite,
        arguments: [
            #"sqlite3 "$FROM" "VACUUM INTO '$TO'""#,
            // Without the transaction, .backup begins anew with each write of the publisher.
            #"sqlite3 "$FROM" BEGIN "SELECT * FROM kept" ".backup '$TO'" COMMIT"#,
        ])
    func aBackupTakenUnderLoadHasAllThatWasAcknowledgedBeforeItAndGoesOnOnAnotherMachine(command: String) async throws {
        try await LoopbackCluster.with { cluster in
            let keys = try await cluster.authorize("web9")
            var reporter = try Load(cluster, keys: keys)
            for _ in 0..<20 { try reporter.report(200) }
            let before = reporter.acknowledged

            let load = Task.detached { [reporter] in
                var reporter = reporter
                while !Task.isCancelled {
                    try reporter.report(50)
                    await Task.yield()
                }
                return reporter.acknowledged
            }
            let copy = cluster.directory + "/backup.sqlite"
            let backup = try await execute([
                "FROM=\(cluster.directory)/journal.sqlite", "TO=\(copy)", "timeout", "60", "sh", "-c", command,
            ])
            load.cancel()
            let after = try await load.value
            #expect(backup.status == 0, "\(backup)")
            #expect(after > before, "nothing was reported while the backup was taken")

            try await OtherMachine.with(cluster, files: ["backup.sqlite": "journal.sqlite"]) { machine in
                let bans = try await machine.bans()
                #expect((1...before).allSatisfy { bans.contains(Load.address($0)) })
                // Numbers go on, and a place behind the backup's end is not one that it knows.
                let former = try #require(try await machine.query("SELECT id FROM term ORDER BY rowid LIMIT 1").first)
                let term = try #require(try await machine.query("SELECT id FROM term ORDER BY rowid DESC LIMIT 1").first)
                #expect(former != term)
                let last = try #require(try await machine.query("SELECT max(number) FROM event").first.flatMap { UInt64($0) })
                #expect(try machine.isKnownPlace(term: former, number: last, keys) == true)
                #expect(try machine.isKnownPlace(term: former, number: last + UInt64(after), keys) == false)
                try machine.ban("2001:db8::77", keys)
                #expect(try await machine.query("SELECT number FROM event WHERE address = '2001:db8::77'") == ["\(last + 1)"])
            }
        }
    }

    @Test(.needsSQLite) func theThreeFilesOfAKilledPublisherHaveAllThatWasAcknowledged() async throws {
        try await LoopbackCluster.with { cluster in
            let keys = try await cluster.authorize("web9")
            var reporter = try Load(cluster, keys: keys)
            for _ in 0..<10 { try reporter.report(100) }
            let pid = try #require(textOfFile(cluster.directory + "/publisher.pid").flatMap { pid_t($0.prefix { $0 != "\n" }) })
            kill(pid, SIGKILL)
            try await eventually("its end") { kill(pid, 0) != 0 }
            let files = ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"]
            try await OtherMachine.with(cluster, files: Dictionary(uniqueKeysWithValues: files.map { ($0, $0) })) { machine in
                let bans = try await machine.bans()
                #expect((1...reporter.acknowledged).allSatisfy { bans.contains(Load.address($0)) })
            }
            try await LoopbackCluster.program("fail2ban-publisher", "start", "-c", cluster.configuration)
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test where SQLite's command isn't installed.
    fileprivate static var needsSQLite: Self {
        .enabled("sqlite3 is missing: run scripts/install-packages lab") {
            try await execute(["sh", "-c", "command -v sqlite3"]).status == 0
        }
    }
}

/// Bans of ever new addresses, reported as a monitor does.
private struct Load: Sendable {
    private let cluster: LoopbackCluster
    private let keys: KeyPair
    private(set) var acknowledged = 0

    init(_ cluster: LoopbackCluster, keys: KeyPair) throws {
        self.cluster = cluster
        self.keys = keys
    }

    static func address(_ number: Int) -> String { "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)" }

    mutating func report(_ count: Int) throws {
        let lines = (1...count).map { "web9|sshd|Ban|\(Load.address(acknowledged + $0))|-|-|-|-|detected" }
        let answer = try cluster.report(lines, with: keys)
        try #require(answer.position == UInt64(count) && answer.refused.isEmpty, "\(answer)")
        acknowledged += count
    }
}

/// A publisher in another folder, with the keys and the restored journal of the first one.
private struct OtherMachine {
    let folder: TemporaryFolder
    private let cluster: LoopbackCluster

    /// - Parameter files: what is copied into its folder of state, under which name.
    static func with(
        _ cluster: LoopbackCluster, files: [String: String], _ body: (OtherMachine) async throws -> Void
    ) async throws {
        let machine = OtherMachine(folder: try TemporaryFolder(), cluster: cluster)
        mkdir(machine.folder("state"), 0o750)
        for (from, to) in files where exists("\(cluster.directory)/\(from)") {
            try FileManager.default.copyItem(atPath: "\(cluster.directory)/\(from)", toPath: machine.folder("state/\(to)"))
        }
        try FileManager.default.copyItem(atPath: cluster.directory + "/keys", toPath: machine.folder("keys"))
        try machine.folder.write(
            "f2bc.conf",
            """
            [general]
            hostname = web1
            statedir = \(machine.folder("state"))
            keydir = \(machine.folder("keys"))
            logtarget = \(machine.folder("log"))
            fail2bandbpath = none
            [publisher]
            pidfile = \(machine.folder("publisher.pid"))
            replybindurl = ipc://\(machine.folder("requests"))
            broadcasterbindurl = ipc://\(machine.folder("broadcasts"))
            [monitor]
            pidfile = \(machine.folder("monitor.pid"))
            zmqreplyserver = ipc://\(machine.folder("requests"))

            """)
        try await LoopbackCluster.program("fail2ban-publisher", "start", "-c", machine.folder("f2bc.conf"))
        do {
            try await body(machine)
        } catch {
            _ = try? await LoopbackCluster.program("fail2ban-publisher", "stop", "-c", machine.folder("f2bc.conf"))
            throw error
        }
        try await LoopbackCluster.program("fail2ban-publisher", "stop", "-c", machine.folder("f2bc.conf"))
    }

    /// The addresses that are banned.
    func bans() async throws -> Set<String> {
        let text = try await LoopbackCluster.program("fail2ban-cluster", "bans", "-c", folder("f2bc.conf"))
        return Set(text.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) })
    }

    /// What sqlite3 prints, line by line.
    func query(_ sql: String) async throws -> [String] {
        let outcome = try await execute(["sqlite3", "-readonly", folder("state/journal.sqlite"), sql])
        try #require(outcome.status == 0, "\(outcome)")
        return outcome.output.split(separator: "\n").map(String.init)
    }

    private func ask(_ message: Message, _ keys: KeyPair) throws -> Message {
        let socket = try Socket(.dealer, in: try Context())
        try socket.curveClient(own: keys, server: cluster.publisher)
        try socket.connect("ipc://" + folder("requests"))
        _ = try socket.send([[]] + message.frames)
        let answer = try #require(try socket.next(by: .now + .seconds(60)), "no answer").frames
        return try Message(frames: Array(answer.dropFirst()))
    }

    /// What a subscriber is told that starts with this place.
    func isKnownPlace(term: String, number: UInt64, _ keys: KeyPair) throws -> Bool? {
        let request = SyncRequest(term: Term(term), last: number, wantsAll: true)
        guard case .snapshot(_, _, _, let isKnownPlace) = try SyncAnswer(ask(request.message, keys)).content else { return nil }
        return isKnownPlace
    }

    func ban(_ address: String, _ keys: KeyPair) throws {
        let now = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
        let line = "1|web9|sshd|Ban|\(address)|-|-|-|-|detected\n"
        let answer = try ask(Message(.report, ["stream": "restored", "now": "\(now)"], body: Array(line.utf8)), keys)
        try #require(try Acknowledgement(answer).position == 1)
    }
}
