// A host without fail2ban on which the shipped daemons are told what to do, as an operator or an init system does.

import Glibc
import Subprocess
import TestSupport
import Testing

/// One of the three daemons.
enum DaemonProgram: String, CaseIterable, CustomTestStringConvertible {
    case monitor, publisher, subscriber

    /// The name of its program.
    var name: String { "fail2ban-\(rawValue)" }
    var testDescription: String { rawValue }
}

/// What a command did.
struct Outcome: Equatable {
    /// The exit status; 128 + the signal's number when a signal ended it.
    let status: Int
    let output: String
    let error: String
}

/// A folder with a configuration of all three daemons, their keys and their files. No port is needed: they meet on Unix sockets.
struct LoneHost: Sendable {
    let folder: TemporaryFolder

    /// Makes the host, runs `body`, and ends whatever still runs on it.
    static func with(keys: Bool = true, _ body: (LoneHost) async throws -> Void) async throws {
        let host = LoneHost(folder: try TemporaryFolder())
        try host.folder.write("f2bc.conf", host.text)
        try host.folder.write("fail2ban.log", "")
        if keys { try await LoopbackCluster.program("fail2ban-cluster", "init", "-c", host.configuration) }
        do {
            try await body(host)
        } catch {
            try await host.endAll()
            throw error
        }
        try await host.endAll()
    }

    var configuration: String { folder("f2bc.conf") }
    /// What the daemons logged.
    var log: String { folder.read("cluster.log") ?? "" }
    func pidfile(_ program: DaemonProgram) -> String { folder("run/\(program.rawValue).pid") }

    /// The configuration; no two daemons have a key of one name that differs.
    private var text: String {
        """
        [general]
        hostname = web1
        statedir = \(folder("state"))
        keydir = \(folder("keys"))
        logtarget = \(folder("cluster.log"))
        fail2bandbpath = none
        fail2banclient = false
        [publisher]
        pidfile = \(pidfile(.publisher))
        replybindurl = ipc://\(folder("requests"))
        broadcasterbindurl = ipc://\(folder("broadcasts"))
        [monitor]
        pidfile = \(pidfile(.monitor))
        zmqreplyserver = ipc://\(folder("requests"))
        fail2banlogpath = \(folder("fail2ban.log"))
        [subscriber]
        pidfile = \(pidfile(.subscriber))
        zmqpublisherurl = ipc://\(folder("broadcasts"))
        subscriberaction = dry-run

        """
    }

    /// Writes the file that stands above the configuration.
    func overlay(_ text: String) throws { try folder.write("f2bc.local", text) }

    /// The shell command that takes a daemon's section out of the configuration.
    static func removal(of program: DaemonProgram) -> String {
        "sed -i '/^\\[\(program.rawValue)\\]/,/^\\[/{/^\\[\(program.rawValue)\\]/d;/^\\[/!d}' f2bc.conf"
    }

    /// Runs `fail2ban-PROGRAM COMMAND -c FILE`, for at most a minute.
    ///
    /// - Parameter asNobody: whether as the user nobody, who has nothing on this host.
    func run(_ program: DaemonProgram, _ command: String, asNobody: Bool = false) async throws -> Outcome {
        // The program is found by a descriptor, because nobody may be unable to reach the folder that it is built in.
        let user = asNobody ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : ""
        return try await shell("exec 9< '\(Lab.programs)/\(program.name)'; exec \(user) /proc/self/fd/9 \(command) -c '\(configuration)'")
    }

    /// Runs a shell script in this host's folder, for at most a minute.
    func shell(_ script: String) async throws -> Outcome {
        try await execute(["timeout", "--kill-after=5", "60", "sh", "-c", "cd '\(folder.path)'; " + script])
    }

    /// Starts a daemon. - Returns: its process.
    @discardableResult
    func start(_ program: DaemonProgram, sourceLocation: SourceLocation = #_sourceLocation) async throws -> pid_t {
        let outcome = try await run(program, "start")
        try #require(outcome.status == 0, "\(outcome)", sourceLocation: sourceLocation)
        return try #require(pid(of: program), sourceLocation: sourceLocation)
    }

    /// The process that a pid file names.
    func pid(of program: DaemonProgram) -> pid_t? {
        folder.read("run/\(program.rawValue).pid").flatMap { pid_t($0.prefix { $0 != "\n" }) }
    }

    /// Ends what runs. Only a process that says that it is one of the daemons of this host is signalled.
    private func endAll() async throws {
        for program in DaemonProgram.allCases where exists(pidfile(program)) {
            guard try await run(program, "stop").status != 0, let pid = pid(of: program),
                RunningProcess(pid).arguments.contains(configuration)
            else { continue }
            kill(pid, SIGKILL)
        }
    }
}

/// Runs a command and gathers each of its outputs, up to 1 MiB if nothing else is said.
func execute(_ words: [String], limit: Int = 1 << 20) async throws -> Outcome {
    let result = try await Subprocess.run(
        .name("env"), arguments: Arguments(words), output: .string(limit: limit), error: .string(limit: limit))
    return Outcome(status: result.terminationStatus.shellStatus, output: result.standardOutput, error: result.standardError)
}

/// Whether there is something under a path.
func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
