// What all subcommands have in common: their names, their arguments, and a configuration that none of them takes.

import ArgumentParser
import TestSupport
import Testing

@testable import Daemon

@Suite struct SubcommandTests {
    private struct OwnCheck: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "check")
    }

    private enum Extended: Service {
        static let programName = "extended"
        static let abstract = ""
        static let section = Configuration.Section.monitor
        static var subcommands: [any ParsableCommand.Type] { [OwnCheck.self] }
        static func run(_ configuration: Configuration, _ lifecycle: Lifecycle) {}
    }

    @Test func aWrongConfigurationIsSaidBeforeAnythingStarts() async throws {
        let sample = try Sample("qorum = 1")
        for command in ["start", "run", "check", "status", "stop", "restart", "reload"] {
            let result = try await sample.run(command)
            #expect(result.status == 78)
            #expect(result.error.hasPrefix("sample-daemon: \(sample.configuration):7: [monitor] qorum: no such key"))
        }
        #expect(!exists(sample.pidfile))
    }

    @Test func aDaemonWithoutItsSectionDoesNotRunOnThisHost() async throws {
        let sample = try Sample()
        try sample.folder.write("sample.conf", "[general]\nhostname = host1\n[publisher]\n")
        for command in ["start", "run", "check", "restart"] {
            let result = try await sample.run(command)
            #expect(result.status == 78)
            #expect(
                result.error == "sample-daemon: \(sample.configuration) has no [monitor] section: sample-daemon does not run on this host. "
                    + "Add the section if it should\n")
        }
    }

    @Test(arguments: [["nonsense"], ["start", "--nonsense"], ["start", "--timeout", "soon"]])
    func aWrongCommandLineIsAUsageError(arguments: [String]) async throws {
        #expect(try await Sample().shell("$SAMPLE \(arguments.joined(separator: " "))").status == 64)
    }

    @Test func helpAndVersionAreThere() async throws {
        let sample = try Sample()
        #expect(try await sample.shell("$SAMPLE --version").output == "sample-daemon \(packageVersion)\n")
        let help = try await sample.shell("$SAMPLE --help").output
        for command in ["start", "stop", "restart", "reload", "status", "run", "check"] { #expect(help.contains("\n  \(command) ")) }
    }

    @Test func aServiceMayReplaceASubcommand() {
        let commands = DaemonCommand<Extended>.configuration.subcommands
        #expect(commands.map { $0.configuration.commandName } == ["start", "stop", "restart", "reload", "status", "run", "check"])
        #expect(commands.last == OwnCheck.self)
    }
}
