// What keeps a daemon from starting: each is said in a sentence with its remedy, ends with its exit status, and leaves nothing behind.

import Glibc
import TestSupport
import Testing

/// Something that is wrong on a host, and what a daemon must say about it.
private struct Obstacle: Sendable, CustomTestStringConvertible {
    let programs: [DaemonProgram]
    /// The shell commands that bring it about, in the host's folder, as root or the user who runs the tests.
    let arrangement: String
    let status: Int
    /// What the message has: what is wrong and what to do. `FOLDER` stands for the host's.
    let words: [String]
    /// Whether `check` sees it too.
    var isChecked = true

    var testDescription: String { arrangement }

    /// For each daemon that it concerns.
    static func pairs(_ obstacles: [Obstacle]) -> [(DaemonProgram, Obstacle)] {
        obstacles.flatMap { obstacle in obstacle.programs.map { ($0, obstacle) } }
    }
}

private let all = DaemonProgram.allCases

/// Overrides keys of the configuration.
private func overlay(_ section: String, _ line: String) -> String { "printf '[\(section)]\\n\(line)\\n' > f2bc.local" }

private let obstacles = [
    // Keys
    Obstacle(
        programs: [.publisher], arrangement: "rm keys/publisher.key", status: 78,
        words: ["FOLDER/keys/publisher.key: is missing", "on the publisher's host run: fail2ban-cluster init"]),
    Obstacle(
        programs: [.publisher], arrangement: "rm keys/authorized_hosts", status: 78,
        words: ["FOLDER/keys/authorized_hosts: is missing", "run: fail2ban-cluster init"]),
    Obstacle(
        programs: [.monitor, .subscriber], arrangement: "rm keys/host.key", status: 78,
        words: ["FOLDER/keys/host.key: is missing", "run: fail2ban-cluster keygen"]),
    Obstacle(
        programs: [.monitor, .subscriber], arrangement: "rm keys/publisher.pub", status: 78,
        words: ["FOLDER/keys/publisher.pub: is missing", "copy it from the folder of keys of the publisher's host"]),
    Obstacle(
        programs: all, arrangement: "rm -r keys", status: 78, words: ["FOLDER/keys/", "is missing", "run: fail2ban-cluster"]),
    Obstacle(
        programs: [.publisher], arrangement: "chmod 640 keys/publisher.key", status: 78,
        words: ["FOLDER/keys/publisher.key: is a secret that others may read (mode 640)", "run: chmod 600 FOLDER/keys/publisher.key"]),
    Obstacle(
        programs: [.monitor, .subscriber], arrangement: "chmod 604 keys/host.key", status: 78,
        words: ["FOLDER/keys/host.key: is a secret that others may read", "run: chmod 600 FOLDER/keys/host.key"]),
    Obstacle(
        programs: [.monitor, .subscriber], arrangement: "cp keys/host.key keys/host.key.new && chmod 640 keys/host.key.new", status: 78,
        words: ["FOLDER/keys/host.key.new: is a secret that others may read (mode 640)", "run: chmod 600 FOLDER/keys/host.key.new"]),
    Obstacle(
        programs: [.publisher], arrangement: "cp keys/host.key keys/publisher.key.new && chmod 644 keys/publisher.key.new", status: 78,
        words: ["FOLDER/keys/publisher.key.new: is a secret that others may read (mode 644)", "run: chmod 600"]),
    Obstacle(
        programs: [.publisher],
        arrangement: overlay(
            "publisher", "plainreplybindurl = tcp://127.0.0.1:*\\nplainallow = 127.0.0.1\\nauth = yes\\nauthtoken = one")
            + " && chmod 644 f2bc.local",
        status: 78,
        words: [
            "FOLDER/f2bc.local: holds authtoken, a secret that everyone on this host may read (mode 644)", "chmod o= FOLDER/f2bc.local",
        ]),
    Obstacle(
        programs: all, arrangement: "chmod 777 keys", status: 78,
        words: ["FOLDER/keys: is a folder of keys that others may change", "run: chmod go-w FOLDER/keys"]),
    Obstacle(
        programs: [.monitor, .subscriber], arrangement: "echo nonsense > keys/host.key", status: 78,
        words: ["FOLDER/keys/host.key: holds no key; allowed: one line of 40 characters of Z85", "run: fail2ban-cluster keygen"]),
    Obstacle(
        programs: [.publisher], arrangement: "echo nonsense >> keys/authorized_hosts", status: 78,
        words: ["FOLDER/keys/authorized_hosts:4: has 1 of the 3 or 4 fields; allowed: host roles key [addresses,…]"]),

    // The configuration
    Obstacle(
        programs: all, arrangement: "rm f2bc.conf", status: 78,
        words: ["cannot read FOLDER/f2bc.conf: No such file or directory", "give another with -c FILE"]),
    Obstacle(
        programs: all, arrangement: "rm f2bc.conf; mkdir f2bc.conf", status: 78, words: ["FOLDER/f2bc.conf, which is no regular file"]),
    Obstacle(
        programs: all, arrangement: "rm f2bc.conf; mkfifo f2bc.conf", status: 78, words: ["FOLDER/f2bc.conf, which is no regular file"]),
    Obstacle(
        programs: all, arrangement: "head -c 2000000 /dev/zero > f2bc.conf", status: 78, words: ["a configuration has at most 1 MiB"]),
    Obstacle(
        programs: all, arrangement: "head -c 1000 /dev/zero > f2bc.conf", status: 78,
        words: ["FOLDER/f2bc.conf:1: the line has control characters or is not UTF-8 text"]),
    Obstacle(
        programs: all, arrangement: "printf '\\377\\376 = 1\\n' > f2bc.local", status: 78,
        words: ["FOLDER/f2bc.local:1: the line has control characters or is not UTF-8 text"]),
    Obstacle(
        programs: all, arrangement: "printf 'nonsense\\n' > f2bc.local", status: 78,
        words: ["FOLDER/f2bc.local:1: the line is neither a key nor a section; allowed: key = value, or [section]"]),
    Obstacle(
        programs: all, arrangement: "{ echo '[monitor]'; seq -f 'key%g = 1' 50000; } > f2bc.local", status: 78,
        words: ["FOLDER/f2bc.local:2: [monitor] key1: no such key", "and 49980 more problems"]),
    Obstacle(
        programs: all, arrangement: "{ echo '[monitor]'; head -c 900000 /dev/zero | tr '\\0' k; echo ' k'; } > f2bc.local", status: 78,
        words: ["FOLDER/f2bc.local:2: `kkkkkkkk"]),
    Obstacle(
        programs: all, arrangement: ": > f2bc.conf", status: 78,
        words: ["FOLDER/f2bc.conf has no [", "] section: fail2ban-", " does not run on this host. Add the section if it should"]),
    Obstacle(
        programs: all, arrangement: overlay("publisher", "qorum = 2"), status: 78,
        words: ["FOLDER/f2bc.local:2: [publisher] qorum: no such key; allowed: pidfile, replybindurl, ", "did you mean quorum?"]),
    Obstacle(
        programs: all, arrangement: overlay("publisher", "quorum = 0"), status: 78,
        words: ["FOLDER/f2bc.local:2: [publisher] quorum: `0` is not allowed; allowed: a whole number from 1 to 1000"]),
    Obstacle(
        programs: all, arrangement: overlay("monitor", "jails = ../x"), status: 78,
        words: ["FOLDER/f2bc.local:2: [monitor] jails: `../x` is not allowed; allowed: names of jails"]),
    Obstacle(
        programs: all, arrangement: overlay("subscriber", "subscriberaction = fail2ban-clinet"), status: 78,
        words: [
            "[subscriber] subscriberaction: `fail2ban-clinet` is not allowed; allowed: one or more of", "did you mean fail2ban-client?",
        ]),
    Obstacle(
        programs: all, arrangement: overlay("subscribr", "jail = x"), status: 78,
        words: ["FOLDER/f2bc.local:1: [subscribr] is no section of this file", "did you mean [subscriber]?"]),
    Obstacle(
        programs: [.publisher], arrangement: overlay("publisher", "plainreplybindurl = tcp://127.0.0.1:*"), status: 78,
        words: ["FOLDER/f2bc.local:2: [publisher] plainreplybindurl: is not encrypted", "list the old clients' addresses in plainallow"]),
    Obstacle(
        programs: [.subscriber],
        arrangement: overlay("subscriber", "subscriberaction = exec\\nexeccommand = FOLDER/nothing".replacing("FOLDER", with: "/nowhere")),
        status: 78,
        words: ["execcommand cannot run /nowhere/nothing: No such file or directory", "name an executable file by its full path"]),

    // Files and folders
    Obstacle(
        programs: all, arrangement: overlay("general", "logtarget = /nowhere/log"), status: 78,
        words: ["FOLDER/f2bc.local:2: [general] logtarget: cannot open the log /nowhere/log: No such file or directory"], isChecked: false),
    Obstacle(
        programs: [.publisher], arrangement: "mkdir run; cp f2bc.conf run/publisher.pid", status: 78,
        words: ["FOLDER/run/publisher.pid is no pid file", "change pidfile, or move the file away"], isChecked: false),
    Obstacle(
        programs: [.monitor], arrangement: "mkdir run run/monitor.pid", status: 1,
        words: ["cannot open the pid file FOLDER/run/monitor.pid"],
        isChecked: false),
    Obstacle(
        programs: [.publisher], arrangement: "echo > state", status: 78,
        words: ["FOLDER/f2bc.conf:3: [general] statedir: cannot use the folder FOLDER/state: Not a directory"]),
    Obstacle(
        programs: [.publisher], arrangement: "mkdir state; head -c 5000 /dev/zero | tr '\\0' x > state/journal.sqlite", status: 1,
        words: ["can't open FOLDER/state/journal.sqlite: file is not a database", "restore the journal from a backup, or move it away"],
        isChecked: false),

    // The network
    Obstacle(
        programs: [.publisher], arrangement: overlay("publisher", "replybindurl = tcp://203.0.113.77:5678"), status: 1,
        words: ["bind tcp://203.0.113.77:5678: ", "this host has no such address; `ip address` lists those it has"], isChecked: false),
]

/// What the user nobody meets on a host whose files are all his, but one.
private let missingPermissions = [
    Obstacle(
        programs: all, arrangement: "mkdir state && chown 65534 state && chown 0 .", status: 77,
        words: ["cannot create the folder FOLDER/run: Permission denied. ", "set pidfile to a folder of this user's"], isChecked: false),
    Obstacle(
        programs: all, arrangement: "mkdir run", status: 77,
        words: ["cannot open the pid file FOLDER/run/", ": Permission denied. ", "set pidfile to a folder of this user's"], isChecked: false
    ),
    Obstacle(
        programs: all, arrangement: "chown 0 f2bc.conf && chmod 600 f2bc.conf", status: 77,
        words: ["cannot read FOLDER/f2bc.conf: Permission denied", "as the user whose file it is"]),
    Obstacle(
        programs: [.monitor, .subscriber], arrangement: "chown 0 keys/host.key", status: 77,
        words: ["FOLDER/keys/host.key: cannot be read: Permission denied", "run it as root"]),
    Obstacle(
        programs: [.publisher], arrangement: "chown 0 keys/publisher.key", status: 77,
        words: ["FOLDER/keys/publisher.key: cannot be read: Permission denied", "run it as root"]),
    Obstacle(
        programs: all, arrangement: "chown 0 keys && chmod 700 keys", status: 77,
        words: ["FOLDER/keys/", "Permission denied", "run it as root"]),
    Obstacle(
        programs: all, arrangement: "touch cluster.log", status: 77,
        words: ["[general] logtarget: cannot open the log FOLDER/cluster.log: Permission denied"], isChecked: false),
    Obstacle(
        programs: [.monitor], arrangement: "chown 0 fail2ban.log && chmod 600 fail2ban.log", status: 77,
        words: ["open FOLDER/fail2ban.log: Permission denied"]),
    Obstacle(
        programs: [.publisher], arrangement: "mkdir state", status: 77,
        words: ["FOLDER/f2bc.conf:3: [general] statedir: cannot write in the folder FOLDER/state: Permission denied", "with chown"]),
    Obstacle(
        programs: [.publisher], arrangement: "mkdir state && touch state/journal.sqlite && chown 65534 state", status: 77,
        words: ["cannot write the journal FOLDER/state/journal.sqlite: Permission denied", "chown USER FOLDER/state/journal.sqlite"]),
]

@Suite struct ObstacleTests {
    /// Starts the daemon, and sees what it says and leaves.
    private func expect(_ obstacle: Obstacle, of program: DaemonProgram, on host: LoneHost, asNobody: Bool = false) async throws {
        for command in ["start"] + (obstacle.isChecked ? ["check"] : []) {
            let outcome = try await host.run(program, command, asNobody: asNobody)
            #expect(outcome.status == obstacle.status, "\(command): \(outcome)")
            let text = command == "check" ? outcome.output + outcome.error : outcome.error
            for words in obstacle.words {
                #expect(text.contains(words.replacing("FOLDER", with: host.folder.path)), "\(command): \(outcome)")
            }
            // Each line says who speaks; a mistake of the program itself would print other lines.
            #expect(text.split(separator: "\n").allSatisfy { $0.hasPrefix("\(program.name): ") }, "\(command): \(outcome)")
        }
        #expect(host.pid(of: program).map { RunningProcess($0).isAlive } != true)
    }

    @Test(arguments: Obstacle.pairs(obstacles))
    fileprivate func whatKeepsADaemonFromStartingIsSaidWithItsRemedy(program: DaemonProgram, obstacle: Obstacle) async throws {
        try await LoneHost.with { host in
            let arranged = try await host.shell(obstacle.arrangement)
            try #require(arranged.status == 0, "\(arranged)")
            try await expect(obstacle, of: program, on: host)
            #expect(!exists(host.pidfile(program)) || obstacle.arrangement.contains(".pid"))
        }
    }

    @Test(.needsNobody, arguments: Obstacle.pairs(missingPermissions))
    fileprivate func aMissingPermissionIsSaidWithItsRemedy(program: DaemonProgram, obstacle: Obstacle) async throws {
        try await LoneHost.with { host in
            let arranged = try await host.shell("chown -R 65534:65534 . && " + obstacle.arrangement)
            try #require(arranged.status == 0, "\(arranged)")
            try await expect(obstacle, of: program, on: host, asNobody: true)
            #expect(!exists(host.pidfile(program)))
        }
    }

    @Test(.needsNobody, arguments: DaemonProgram.allCases)
    func nobodyRunsADaemonWithFilesOfHisOwn(program: DaemonProgram) async throws {
        try await LoneHost.with { host in
            _ = try await host.shell("chown -R 65534:65534 .")
            #expect(try await host.run(program, "start", asNobody: true).status == 0)
            #expect(try await host.run(program, "status", asNobody: true).status == 0)
            #expect(try await host.run(program, "stop", asNobody: true).status == 0)
        }
    }

    @Test(.needsNobody, arguments: DaemonProgram.allCases)
    func anyoneMayAskForTheStatusAndNobodyElseMayStopIt(program: DaemonProgram) async throws {
        try await LoneHost.with { host in
            let pid = try await host.start(program)
            #expect(try await host.run(program, "status", asNobody: true).status == 0)
            for command in ["stop", "reload", "restart"] {
                let outcome = try await host.run(program, command, asNobody: true)
                #expect(outcome.status == 77 && outcome.error.hasPrefix("\(program.name): "), "\(command): \(outcome)")
            }
            #expect(RunningProcess(pid).isAlive)
        }
    }

    @Test(.needsNobody) func aPortThatOnlyRootMayHaveIsAMissingPermission() async throws {
        // In a network namespace of its own, where the kernel's default holds whatever this machine has set.
        try await LoneHost.with { host in
            try host.overlay("[publisher]\nreplybindurl = tcp://127.0.0.1:78\n")
            let outcome = try await host.shell(
                """
                chown -R 65534:65534 .
                exec 9< '\(Lab.programs)/fail2ban-publisher'
                exec unshare --net sh -c 'ip link set lo up
                    exec setpriv --reuid=65534 --regid=65534 --clear-groups /proc/self/fd/9 start -c f2bc.conf'
                """)
            #expect(outcome.status == 77 && outcome.error.contains("bind tcp://127.0.0.1:78: Permission denied"), "\(outcome)")
            #expect(outcome.error.contains("a port below 1024 needs the capability CAP_NET_BIND_SERVICE; choose a higher one or grant it"))
        }
    }

    @Test(arguments: ["replybindurl", "broadcasterbindurl", "plainreplybindurl", "plainbroadcasterbindurl"])
    func aPortInUseIsSaidWithItsRemedyAndIsFreeAgainAfterwards(key: String) async throws {
        try await LoneHost.with { host in
            let port = try TakenPort()
            try host.overlay("[publisher]\n\(key) = tcp://127.0.0.1:\(port.number)\nplainallow = 127.0.0.1\n")
            let outcome = try await host.run(.publisher, "start")
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("bind tcp://127.0.0.1:\(port.number): Address already in use"), "\(outcome)")
            #expect(outcome.error.contains("another process listens there; is another publisher running? `ss -ltnp` shows it"))
            #expect(!exists(host.pidfile(.publisher)))
            port.giveBack()
            try await host.start(.publisher)
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test, saying why, where nobody can't be used.
    fileprivate static var needsNobody: Self {
        .enabled("only root can become another user, and the Swift libraries must be readable for all") {
            guard geteuid() == 0 else { return false }
            let program = "exec 9< '\(Lab.programs)/fail2ban-monitor'; exec setpriv --reuid=65534 --clear-groups /proc/self/fd/9 --version"
            return try await execute(["sh", "-c", program]).status == 0
        }
    }
}
