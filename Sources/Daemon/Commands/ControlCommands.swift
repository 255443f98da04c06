// What the daemons share: the subcommands that act on a daemon from outside: start, stop, restart, reload and status.

import ArgumentParser
import Glibc

struct StartCommand<S: Service>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "start", abstract: "Start it in the background; done when it is ready.")
    }

    @OptionGroup var options: ConfigurationOption

    @Option(help: "How long to wait until it is ready.")
    var timeout = TimeLimit(DaemonControl.startLimit)

    func run() throws {
        try reportingErrors(as: S.programName) {
            let pid = try started(DaemonControl(S.self, try options.load()), upTo: timeout.duration)
            StandardStreams.write("\(S.programName): started, process \(pid)\n")
        }
    }
}

struct StopCommand<S: Service>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "stop", abstract: "End it when it has drained; done when it has ended, or did not run.")
    }

    @OptionGroup var options: ConfigurationOption

    @Option(help: "How long to wait until it has ended.")
    var timeout = TimeLimit(DaemonControl.stopLimit)

    func run() throws {
        try reportingErrors(as: S.programName) {
            let pid = try DaemonControl(S.self, try options.load()).stop(upTo: timeout.duration)
            StandardStreams.write("\(S.programName): \(pid.map { "stopped, was process \($0)" } ?? "was not running")\n")
        }
    }
}

struct RestartCommand<S: Service>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "restart", abstract: "Stop it, if it runs, and start it.")
    }

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        try reportingErrors(as: S.programName) {
            let configuration = try options.load()
            let control = DaemonControl(S.self, configuration)
            // What cannot start is not stopped.
            try control.requireSection()
            if let failure = ChecksFailed(S.check(configuration)) { throw failure }
            _ = try control.stop(upTo: DaemonControl.stopLimit)
            let pid = try started(control, upTo: DaemonControl.startLimit)
            StandardStreams.write("\(S.programName): restarted, process \(pid)\n")
        }
    }
}

struct ReloadCommand<S: Service>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "reload", abstract: "Make it read its configuration again and open its log anew.")
    }

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        try reportingErrors(as: S.programName) {
            let pid = try DaemonControl(S.self, try options.load()).reload()
            StandardStreams.write("\(S.programName): told process \(pid) to reload; its log says what came of it\n")
        }
    }
}

struct StatusCommand<S: Service>: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "status", abstract: "Say whether it runs: exit status 0 if it does, 3 if not.")
    }

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        try reportingErrors(as: S.programName) {
            let configuration = try options.load()
            let pid = try DaemonControl(S.self, configuration).status()
            let detail = try S.detail(configuration).map { ", \($0)" } ?? ""
            StandardStreams.write("\(S.programName): running, process \(pid)\(detail)\n")
        }
    }
}

/// The daemon's process; a daemon that failed has said why, so only its exit status is left to pass on.
private func started(_ control: DaemonControl, upTo limit: Duration) throws -> pid_t {
    do {
        return try control.start(upTo: limit)
    } catch let failure as StartFailed {
        throw ExitCode(failure.status)
    }
}

/// A time on the command line, as in the configuration: `90`, `10m`, `1m 30s`.
struct TimeLimit: ExpressibleByArgument {
    let duration: Duration

    init(_ duration: Duration) { self.duration = duration }

    init?(argument: String) {
        guard let seconds = DurationText.seconds(argument) else { return nil }
        duration = .seconds(seconds)
    }

    var defaultValueDescription: String { DurationText.text(duration) }
}
