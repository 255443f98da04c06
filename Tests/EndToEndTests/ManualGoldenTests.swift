// The man pages, and what bash, zsh and fish complete by, as the shipped programs make them.

import Glibc
import TestSupport
import Testing

@Suite struct ManualGoldenTests {
    private static let programs = DaemonProgram.allCases.map(\.name) + ["fail2ban-cluster"]
    private static let folder = "Tests/EndToEndTests/Golden"

    @Test func eachManPageIsTheGoldenOne() async throws {
        let folder = try TemporaryFolder()
        // A date that stays.
        let made = try await execute([
            "SOURCE_DATE_EPOCH=1795212000", "\(Lab.repository)/scripts/manual", "--bin", Lab.programs, "--to", folder.path,
        ])
        try #require(made.status == 0, "\(made)")
        let pages = namesInFolder(folder.path)
        #expect(pages.sorted() == (Self.programs.map { "\($0).8" } + ["fail2ban-cluster.conf.5"]).sorted())
        for page in pages { try expectGolden(try #require(folder.read(page)), "\(Self.folder)/\(page)") }
    }

    @Test(arguments: programs, ["bash", "zsh", "fish"])
    func eachCompletionIsTheGoldenOne(program: String, shell: String) async throws {
        let outcome = try await execute(["\(Lab.programs)/\(program)", "--generate-completion-script", shell])
        try #require(outcome.status == 0, "\(outcome)")
        try expectGolden(outcome.output, "\(Self.folder)/\(program).\(shell)")
    }

    /// What bash(1) does when Tab is pressed behind these words.
    private static let completing = """
        . <("$PROGRAM" --generate-completion-script bash)
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        _fail2ban-cluster "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2> /dev/null
        printf '%s\\n' "${COMPREPLY[@]}"
        """

    @Test(arguments: [
        (["st"], ["status"]), (["status", "--f"], ["--format"]), (["status", "--format", ""], ["json", "prometheus", "table"]),
        (["history", "--kind", "re"], ["refused"]), (["check", "-c", "FOLDER/f2bc.c"], ["FOLDER/f2bc.conf"]),
    ])
    func bashCompletesCommandsOptionsValuesAndFiles(words: [String], expected: [String]) async throws {
        try await LoneHost.with(keys: false) { host in
            func here(_ words: [String]) -> [String] { words.map { $0.replacing("FOLDER", with: host.folder.path) } }
            let outcome = try await execute(
                [
                    "PROGRAM=\(Lab.programs)/fail2ban-cluster", "bash", "--norc", "-c", Self.completing, "bash", "fail2ban-cluster",
                ] + here(words))
            #expect(outcome.output.split(separator: "\n").map(String.init).sorted() == here(expected), "\(outcome)")
        }
    }
}
