// What the daemons share: what start, stop, reload and status do, apart from the command line.

import Glibc

/// One daemon of this host, seen from outside.
struct DaemonControl {
    let programName: String
    let section: Configuration.Section
    let configuration: Configuration

    /// A publisher may have a large journal to replay before it is ready; this is systemd's patience too (DefaultTimeoutStartSec).
    static let startLimit = Duration.seconds(90)
    /// A daemon drains when it is told to end: it answers what waits, and lets a call of fail2ban-client under way end.
    static let stopLimit = Duration.seconds(30)

    init<S: Service>(_: S.Type, _ configuration: Configuration) {
        programName = S.programName
        section = S.section
        self.configuration = configuration
    }

    /// The daemon of a section; all three are named after theirs.
    init(_ section: Configuration.Section, _ configuration: Configuration) {
        programName = "fail2ban-\(section.rawValue)"
        self.section = section
        self.configuration = configuration
    }

    /// The pid file, also of a daemon whose section is gone.
    var pidfile: String { configuration.pidfile(of: section) ?? "" }

    /// Starts the daemon in the background.
    ///
    /// - Returns: its process, when it is ready.
    func start(upTo limit: Duration) throws -> pid_t {
        try requireSection()
        let launch = try Launch(arguments: [programName, "run", "--config", configuration.path])
        switch launch.awaitOutcome(upTo: limit) {
        case .ready(let pid): return pid
        case .ended(status: 0): throw ServiceError("was told to end before it was ready")
        case .ended(let status): throw StartFailed(status: status)
        case .endedBySignal(let signal): throw ServiceError("was ended by signal \(signal) before it was ready")
        case .late(let pid):
            throw ServiceError(
                "is not ready after \(DurationText.text(limit)) and goes on starting as process \(pid)",
                hint: "See its log; '\(programName) stop -c \(configuration.path)' ends it")
        }
    }

    /// Ends the daemon and waits for its end.
    ///
    /// - Returns: its process; `nil` when none ran.
    func stop(upTo limit: Duration) throws -> pid_t? {
        guard let process = try runningProcess() else { return nil }
        let pid = process.pid
        try send(SIGTERM, to: process)
        guard process.awaitEnd(upTo: limit) else {
            throw ServiceError(
                "has not ended \(DurationText.text(limit)) after SIGTERM, as process \(pid): it may wait for a command or a disk that hangs",
                hint: "Its log says more. 'kill -9 \(pid)' ends it at once; what is acknowledged is not lost by that")
        }
        return pid
    }

    /// Makes the daemon read its configuration again and open its log anew.
    func reload() throws -> pid_t {
        guard let process = try runningProcess() else { throw NotRunning(reason: notRunningReason) }
        try send(SIGHUP, to: process)
        return process.pid
    }

    /// How often ``reload(upTo:until:)`` looks: a change that is seen so soon is immediate for a person.
    private static let lookInterval = Duration.milliseconds(20)

    /// The same, and waits until the daemon works as the configuration says now.
    ///
    /// - Returns: its process; `nil` when none runs.
    func reload(upTo limit: Duration, until isDone: (pid_t) throws -> Bool) throws -> pid_t? {
        guard let process = try runningProcess() else { return nil }
        try send(SIGHUP, to: process)
        let deadline = ContinuousClock.now + limit
        while try !isDone(process.pid) {
            if process.awaitEnd(upTo: DaemonControl.lookInterval) {
                throw ServiceError("ended instead, as process \(process.pid)", hint: "Its log says why; then start it again")
            }
            guard ContinuousClock.now < deadline else {
                throw ServiceError(
                    "is not there after \(DurationText.text(limit)) and goes on trying as process \(process.pid)", hint: "See its log")
            }
        }
        return process.pid
    }

    func status() throws -> pid_t {
        guard let process = try runningProcess() else { throw NotRunning(reason: notRunningReason) }
        return process.pid
    }

    /// - Throws: when the configuration does not name this daemon.
    func requireSection() throws(ServiceError) {
        guard !configuration.has(section) else { return }
        throw ServiceError(
            "\(configuration.path) has no [\(section.rawValue)] section: \(programName) does not run on this host",
            hint: "Add the section if it should", exitStatus: .configuration)
    }

    private var notRunningReason: String {
        configuration.has(section) ? "not running" : "not running: \(configuration.path) has no [\(section.rawValue)] section"
    }

    private func send(_ signal: Int32, to process: borrowing ProcessDescriptor) throws {
        do {
            try process.send(signal)
        } catch {
            guard error.exitStatus == .permission else { throw error }
            throw ServiceError(
                "may not be signalled by this user, as process \(process.pid)", hint: "Run the command as root or as the daemon's user",
                exitStatus: .permission)
        }
    }

    /// The process that holds the pid file; `nil` when none does.
    private func runningProcess() throws -> ProcessDescriptor? {
        let holder = try PidFile.holder(of: pidfile)
        switch holder {
        case .nobody: return nil
        case .unseen: throw ServiceError("runs in another PID namespace, by the lock on \(pidfile)", hint: "Run the command there")
        case .process(let pid):
            let process = try ProcessDescriptor.find(pid)
            // Its number may have been used again before it was opened. One who holds the lock afterwards is the one that was opened;
            // otherwise the daemon has ended between the two looks, and the next look tells what runs now.
            return try PidFile.holder(of: pidfile) == holder ? process : try runningProcess()
        }
    }
}

/// The daemon does not run, which is no error of its own.
struct NotRunning: ExitError {
    let reason: String
    var exitStatus: ExitStatus { .notRunning }
    var description: String { reason }
}

/// The daemon ended before it was ready, and has said why on standard error itself.
struct StartFailed: Error {
    let status: Int32
}
