// The promises of docs/architecture.md: each names tests, and those exist.

import FoundationEssentials
import TestSupport
import Testing

@Suite struct PromiseTests {
    /// The rows of the table of promises: what is promised, and the names of tests.
    private static func promises() throws -> [(promise: String, tests: [String])] {
        let document = try String(contentsOfFile: Lab.repository + "/docs/architecture.md", encoding: .utf8)
        let section = document.split(separator: "\n## ").first { $0.hasPrefix("What it promises") }
        return try #require(section).split(separator: "\n").filter { $0.hasPrefix("| **") }.map { line in
            let cells = line.split(separator: "|")
            let names = cells[1].split(separator: "`").map(String.init).filter { $0.allSatisfy { $0.isLetter || $0.isNumber } }
            return (String(cells[0]), names)
        }
    }

    @Test func eachPromiseNamesTestsThatThereAre() throws {
        let folder = Lab.repository + "/Tests"
        var sources = ""
        for target in try FileManager.default.contentsOfDirectory(atPath: folder) where target.hasSuffix("Tests") {
            for file in try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(target)") where file.hasSuffix(".swift") {
                sources += try String(contentsOfFile: "\(folder)/\(target)/\(file)", encoding: .utf8)
            }
        }
        let promises = try Self.promises()
        #expect(promises.count == 8)
        for (promise, tests) in promises {
            #expect(!tests.isEmpty, "\(promise)")
            for test in tests { #expect(sources.contains("func \(test)("), "\(promise) names \(test)") }
        }
    }
}
