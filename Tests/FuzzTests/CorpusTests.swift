// Every input of the fuzzers' corpora, found cases among them, in each run of the tests; `scripts/fuzz` looks for more.

import Daemon
import TestSupport
import Testing

extension FuzzTarget: CustomTestStringConvertible {
    var testDescription: String { name }
}

@Suite struct CorpusTests {
    private static let folder = #filePath.replacing("CorpusTests.swift", with: "Corpus")

    @Test func eachTargetHasACorpusAndEachCorpusATarget() {
        #expect(namesInFolder(Self.folder) == FuzzTarget.all.map(\.name).sorted())
    }

    @Test(arguments: FuzzTarget.all) func nothingInTheCorpusIsAFinding(target: FuzzTarget) throws {
        let names = namesInFolder("\(Self.folder)/\(target.name)")
        #expect(names.count > 2)
        for name in names {
            let input = try readFile("\(Self.folder)/\(target.name)/\(name)", atMost: 1 << 20)
            #expect(input.count <= target.longest, "\(name)")
            #expect(throws: Never.self, "\(target.name)/\(name)") { try target.check(input) }
        }
    }

    /// What a fuzzer meets first.
    @Test(arguments: FuzzTarget.all) func neitherNothingNorNoiseIsAFinding(target: FuzzTarget) {
        var random = SeededGenerator(seed: 1)
        for length in [0, 1, 2, 3, 10, 100, target.longest] {
            let noise = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            #expect(throws: Never.self, "\(noise)") { try target.check(noise) }
        }
    }
}
