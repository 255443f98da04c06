// The command line as it is documented: every help text, and the completion of three shells.

import ArgumentParser
import Foundation
import Testing

@testable import Operator

@Suite struct GoldenTests {
    private static var commands: [any ParsableCommand.Type] { [OperatorProgram.self] + OperatorProgram.configuration.subcommands }

    /// After a change that is meant: `UPDATE_GOLDEN=1 swift test --filter GoldenTests`, and look at what git diff shows.
    @Test func everyHelpTextIsTheGoldenOne() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden/help.txt")
        let text = Self.commands.map { command in
            "### \(command.configuration.commandName ?? "")\n\n" + OperatorProgram.helpMessage(for: command, columns: 100) + "\n"
        }.joined(separator: "\n")
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" { try text.write(to: path, atomically: true, encoding: .utf8) }
        let golden = try String(contentsOf: path, encoding: .utf8)
        let difference = text.split(separator: "\n").difference(from: golden.split(separator: "\n"))
        #expect(text == golden, "\(difference)")
    }

    @Test(arguments: [CompletionShell.bash, .zsh, .fish])
    func eachShellCompletesEverySubcommandWithItsOptions(_ shell: CompletionShell) {
        let script = OperatorProgram.completionScript(for: shell)
        for command in OperatorProgram.configuration.subcommands {
            #expect(script.contains(command.configuration.commandName ?? "?"), "\(shell)")
        }
        for option in ["json", "since", "format", "prometheus"] { #expect(script.contains(option), "\(shell): \(option)") }
    }

    @Test func everyCommandThatShowsSomethingTakesJSON() {
        let silent = ["init", "keygen", "rekey", "authorize", "revoke"]
        for command in OperatorProgram.configuration.subcommands {
            let name = command.configuration.commandName ?? "?"
            #expect(OperatorProgram.helpMessage(for: command).contains("--json") != silent.contains(name), "\(name)")
        }
    }
}
