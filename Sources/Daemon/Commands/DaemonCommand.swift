// What the daemons share: the command line of a daemon, put together from the common subcommands and its own.

public import ArgumentParser
import Glibc

/// `fail2ban-monitor`, `fail2ban-publisher` or `fail2ban-subscriber`, with `--help`, `--version` and subcommands.
public struct DaemonCommand<S: Service>: ParsableCommand {
    public static var configuration: CommandConfiguration {
        let common: [any ParsableCommand.Type] = [
            StartCommand<S>.self, StopCommand<S>.self, RestartCommand<S>.self, ReloadCommand<S>.self, StatusCommand<S>.self,
            RunCommand<S>.self, CheckCommand<S>.self,
        ]
        let own = S.subcommands.map { $0.configuration.commandName }
        return CommandConfiguration(
            commandName: S.programName, abstract: S.abstract,
            discussion: """
                Exit status: 0 done, 1 failed, 3 not running, 64 wrong command line, 77 a permission is missing, 78 the configuration \
                is wrong or has no [\(S.section.rawValue)] section.
                """,
            version: "\(S.programName) \(packageVersion)",
            subcommands: common.filter { !own.contains($0.configuration.commandName) } + S.subcommands)
    }

    public init() {}
}

/// `-c FILE`, which every subcommand takes.
public struct ConfigurationOption: ParsableArguments {
    @Option(
        name: [.customShort("c"), .customLong("config")], help: ArgumentHelp("The configuration file.", valueName: "file"),
        completion: .file())
    public var file = Configuration.defaultPath

    public init() {}

    /// Reads the configuration.
    public func load() throws(ConfigurationError) -> Configuration { try Configuration.load(absolutePath(file)) }
}

/// Runs the body of a subcommand, and turns its errors into a sentence on standard error and the documented exit status.
///
/// - Throws: only what ArgumentParser turns into an exit status.
public func reportingErrors(as programName: String, _ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as ExitCode {
        throw error
    } catch {
        let status = (error as? any ExitError)?.exitStatus ?? .failed
        // Under systemd the line says how bad it is (sd-daemon(3)).
        let mark = Log.standardErrorIsJournal() ? "<\(LOG_ERR)>" : ""
        StandardStreams.writeError(
            "\(error)".split(separator: "\n").map { "\(mark)\(programName): \(LogText.escaped(String($0)))\n" }.joined())
        throw ExitCode(status.rawValue)
    }
}
