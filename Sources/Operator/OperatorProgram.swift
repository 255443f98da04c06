// The operator's command: `fail2ban-cluster` and its subcommands; what they share.

public import ArgumentParser
import Daemon

/// `fail2ban-cluster COMMAND`: the operator's view of a cluster. `OperatorProgram.main()` is all that the program does.
public struct OperatorProgram: ParsableCommand {
    static let programName = "fail2ban-cluster"

    public static let configuration = CommandConfiguration(
        commandName: programName,
        abstract: "The operator's command of a fail2ban cluster.",
        discussion: """
            Begin with `status`, and with `check` on a host where something is wrong. Exit status: 0 done, 1 failed, 64 wrong command line, 77 a permission is missing, 78 the configuration or a key file is wrong.
            """,
        version: "\(programName) \(packageVersion)",
        groupedSubcommands: [
            CommandGroup(
                name: "Looking",
                subcommands: [
                    StatusCommand.self, BansCommand.self, WhyCommand.self, HistoryCommand.self, WatchCommand.self, HostsCommand.self,
                    CheckCommand.self,
                ]),
            CommandGroup(name: "Ordering", subcommands: [BanCommand.self, UnbanCommand.self]),
            CommandGroup(
                name: "Keys",
                subcommands: [
                    InitCommand.self, KeygenCommand.self, RekeyCommand.self, AuthorizeCommand.self, RevokeCommand.self,
                ]),
        ])

    public init() {}

    /// The whole program: reads the command line, does what it says, and ends the process.
    public static func main() {
        StandardStreams.open()
        main(keyLast(Array(CommandLine.arguments.dropFirst())))
    }
}

/// A subcommand that reads the configuration, does something, and prints one text.
protocol OperatorCommand: ParsableCommand {
    var options: ConfigurationOption { get }

    /// - Returns: What is printed, lines with their newlines.
    func perform(_ configuration: Configuration) throws -> String
}

extension OperatorCommand {
    func run() throws {
        try reportingErrors(as: OperatorProgram.programName) {
            let configuration = try options.load()
            for warning in configuration.warnings {
                StandardStreams.writeError("\(OperatorProgram.programName): \(warning)\n")
            }
            StandardStreams.write(try perform(configuration))
        }
    }
}
