// What the daemons share: the subcommand that is the daemon: what is set up before the service runs, and taken down after it.

import ArgumentParser
import Glibc
import Logging

struct RunCommand<S: Service>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "run", abstract: "Be the daemon, in the foreground, as systemd and containers want it.")
    }

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        try reportingErrors(as: S.programName) {
            // Before any thread starts: threads inherit what is blocked, and the environment is not theirs to read yet.
            let manager = ServiceManager.fromEnvironment()
            let signals = try SignalDescriptor(for: manager)
            let starter = Starter.fromEnvironment()
            // A handler and not SIG_IGN, which children would inherit. Writes to a closed pipe fail with EPIPE.
            signal(SIGPIPE) { _ in }
            // Nobody but the daemon's own group reads what it creates; what others may read says so itself.
            umask(0o027)
            FreedMemory.giveBack()
            try run(try options.load(), signals, manager, starter)
        }
    }

    private func run(
        _ configuration: Configuration, _ signals: consuming SignalDescriptor, _ manager: ServiceManager, _ starter: consuming Starter
    ) throws {
        let control = DaemonControl(S.self, configuration)
        try control.requireSection()
        let pidfile = try PidFile(path: control.pidfile)
        try Log.bootstrap(program: S.programName, configuration)
        let log = Logger(label: S.programName)
        do {
            try report(
                configuration.warnings(for: S.section).map { Finding(.warning, "\($0)") } + S.check(configuration), configuration, log)
            let lifecycle = Lifecycle(
                signals: signals, configurationPath: configuration.path, section: S.section, manager: manager, starter: starter, log: log)
            log.notice("starting", metadata: ["version": "\(packageVersion)", "configuration": "\(configuration.path)"])
            try S.run(configuration, lifecycle)
            lifecycle.stopping()
            log.notice("ended")
        } catch {
            // Standard error shows it anyway; a log that goes elsewhere needs it too.
            if configuration.general.logTarget != .stderr { log.critical("ended: \(error)") }
            throw error
        }
        _ = consume pidfile
    }

    /// Says what the checks found, to the log and to who started the daemon.
    private func report(_ findings: [Finding], _ configuration: Configuration, _ log: Logger) throws(ChecksFailed) {
        for finding in findings where finding.severity != .problem {
            log.log(level: finding.severity == .warning ? .warning : .info, "\(finding.sentence)")
            guard finding.severity == .warning, configuration.general.logTarget != .stderr else { continue }
            StandardStreams.writeError("\(S.programName): \(finding)\n")
        }
        if let failure = ChecksFailed(findings) { throw failure }
    }
}

/// What keeps a daemon from starting, all of it.
struct ChecksFailed: ExitError {
    let description: String
    let exitStatus: ExitStatus

    /// `nil` when nothing does.
    init?(_ findings: [Finding]) {
        let problems = findings.filter { $0.severity == .problem }
        guard let first = problems.first else { return nil }
        description = problems.map(\.sentence).joined(separator: "\n")
        exitStatus = first.exitStatus
    }
}

struct CheckCommand<S: Service>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "check", abstract: "Say what is wrong with the configuration and on this host; change nothing.")
    }

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        try reportingErrors(as: S.programName) { try checkService(S.self, try options.load()) }
    }
}

/// What `check` does, for a service that has a `check` of its own with more options: prints what was found.
///
/// - Throws: `ExitCode` when the daemon could not start.
public func checkService<S: Service>(_: S.Type, _ configuration: Configuration) throws {
    try DaemonControl(S.self, configuration).requireSection()
    let findings = configuration.warnings(for: S.section).map { Finding(.warning, "\($0)") } + S.check(configuration)
    for finding in findings { StandardStreams.write("\(S.programName): \(finding)\n") }
    if let problem = findings.first(where: { $0.severity == .problem }) { throw ExitCode(problem.exitStatus.rawValue) }
    StandardStreams.write("\(S.programName): can start; read \(configuration.files.joined(separator: ", "))\n")
}
