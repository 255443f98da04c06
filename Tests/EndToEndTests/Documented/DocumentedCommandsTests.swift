// Promises of the manual: each command in it is run by a script or a test, or stands in a list of those that nothing runs, with the reason.

import FoundationEssentials
import TestSupport
import Testing

@Suite struct DocumentedCommandsTests {
    private static let folder = Lab.repository + "/Tests/EndToEndTests"

    /// All commands of the manual.
    private func documents() throws -> [DocumentText] {
        let markdown = ["README.md", "docs/operations.md", "docs/migrating-from-fail2ban-zmq-tools.md"].map {
            ($0, "\(Lab.repository)/\($0)")
        }
        let manuals = namesInFolder("\(Self.folder)/Golden").filter { $0.hasSuffix(".5") || $0.hasSuffix(".8") }
        try #require(manuals.count == 5)
        return try markdown.map { DocumentText(markdown: try #require(textOfFile($1)), name: $0) }
            + manuals.map { DocumentText(manual: try #require(textOfFile("\(Self.folder)/Golden/\($0)")), name: $0) }
    }

    /// A section of commands.txt.
    private struct Section {
        /// `run`, `script`, `test` or `not run`.
        var kind: String
        /// The script, the test, or the reason.
        var detail: String
        /// Without those that are in no document.
        var commands: [String]
    }

    /// commands.txt, whose head says what is in it.
    private func sections() throws -> [Section] {
        var sections: [Section] = []
        let text = try #require(textOfFile("\(Self.folder)/Documented/commands.txt"))
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            if let title = line.wholeMatch(of: /\[(run|script|test|not run):? (.+)\]/) {
                sections.append(Section(kind: String(title.1), detail: String(title.2), commands: []))
                continue
            }
            try #require(!sections.isEmpty, "\(line)")
            var command = line
            if sections.last?.kind == "run" {
                let (_, mark, rest) = try #require(line.wholeMatch(of: /([+?]?)web[0-9](?::clone|:interrupt)? (.+)/), "\(line)").output
                guard mark.isEmpty else { continue }
                command = rest
            }
            sections[sections.count - 1].commands.append(String(command))
        }
        return sections
    }

    @Test func eachCommandOfTheManualIsRunOrIsListedWithTheReasonWhyNot() throws {
        let documents = try documents()
        let commands = documents.flatMap(\.commands)
        #expect(commands.count > 150)
        // scripts/try-package takes these from the document.
        let installing = commands.filter { $0.section == "Install on real hosts" && $0.hasPrompt }
        #expect(installing.count >= 20)
        let listed = Set(try sections().flatMap(\.commands) + installing.map(\.text))
        for command in commands where !listed.contains(command.text) {
            if command.isMention, listed.contains(where: { $0.hasPrefix(command.text + " ") }) { continue }
            Issue.record("\(command.place): nothing runs `\(command.text)`: add it to Documented/commands.txt")
        }
        #expect(documents.flatMap(\.unknown) == [], "no program of DocumentText.programs; what a program prints stands between fences")
    }

    @Test func whatIsListedStandsInTheManualAndItsScriptOrTestIsThere() throws {
        let documented = Set(try documents().flatMap(\.commands).map(\.text))
        var sources = ""
        for name in try FileManager.default.subpathsOfDirectory(atPath: "\(Lab.repository)/Tests") where name.hasSuffix("Tests.swift") {
            sources += textOfFile("\(Lab.repository)/Tests/\(name)") ?? ""
        }
        for section in try sections() {
            #expect(!section.commands.isEmpty, "\(section.detail)")
            for command in section.commands { #expect(documented.contains(command), "no document has `\(command)`") }
            switch section.kind {
            case "script": #expect(exists("\(Lab.repository)/\(section.detail)"), "\(section.detail)")
            case "test":
                #expect(sources.contains("func \(section.detail)(") || sources.contains("struct \(section.detail) "), "\(section.detail)")
            default: break
            }
        }
    }
}
