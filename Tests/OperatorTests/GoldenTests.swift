// The command line as it is documented: every help text, and what the completion of three shells must have.

import ArgumentParser
import TestSupport
import Testing

@testable import Operator

@Suite struct GoldenTests {
    private static var commands: [any ParsableCommand.Type] { [OperatorProgram.self] + OperatorProgram.configuration.subcommands }

    @Test func everyHelpTextIsTheGoldenOne() throws {
        let text = Self.commands.map { command in
            "### \(command.configuration.commandName ?? "")\n\n" + OperatorProgram.helpMessage(for: command, columns: 100) + "\n"
        }.joined(separator: "\n")
        try expectGolden(text, "Tests/OperatorTests/Golden/help.txt")
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
