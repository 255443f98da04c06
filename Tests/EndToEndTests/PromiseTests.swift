// The promises of docs/architecture.md and what attackers cannot do after docs/threat-model.md: each names tests, and those exist.

import FoundationEssentials
import TestSupport
import Testing

@Suite struct PromiseTests {
    /// The rows of a section's tables that begin in this way: what is promised, and the names of tests.
    private func promises(_ document: String, _ title: String, _ beginning: String) throws -> [(promise: String, tests: [String])] {
        let document = try String(contentsOfFile: "\(Lab.repository)/docs/\(document)", encoding: .utf8)
        let section = document.split(separator: "\n## ").first { $0.hasPrefix(title) }
        return try #require(section).split(separator: "\n").filter { $0.hasPrefix("| \(beginning)") }.map { line in
            let cells = line.split(separator: "|")
            let names = cells[1].split(separator: "`").map(String.init).filter { $0.allSatisfy { $0.isLetter || $0.isNumber } }
            return (String(cells[0]), names)
        }
    }

    @Test(arguments: [
        ("architecture.md", "What it promises", "**", 8), ("threat-model.md", "What each attacker can and cannot do", "Cannot ", 25),
    ])
    func eachPromiseNamesTestsThatThereAre(document: String, title: String, beginning: String, count: Int) throws {
        let folder = Lab.repository + "/Tests"
        var sources = ""
        for target in try FileManager.default.contentsOfDirectory(atPath: folder) where target.hasSuffix("Tests") {
            for file in try FileManager.default.subpathsOfDirectory(atPath: "\(folder)/\(target)") where file.hasSuffix(".swift") {
                sources += try String(contentsOfFile: "\(folder)/\(target)/\(file)", encoding: .utf8)
            }
        }
        let promises = try promises(document, title, beginning)
        #expect(promises.count == count)
        for (promise, tests) in promises {
            #expect(!tests.isEmpty, "\(promise)")
            for test in tests { #expect(sources.contains("func \(test)("), "\(promise) names \(test)") }
        }
    }
}
