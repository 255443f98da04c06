// Promises of the manual: each piece of configuration in it, written above the shipped configuration, is valid.

import Glibc
import TestSupport
import Testing
import Wire

@testable import Daemon

@Suite struct DocumentedConfigurationTests {
    private static let repository = String(#filePath.dropLast("Tests/DaemonTests/DocumentedConfigurationTests.swift".count))
    private static let documents =
        ["README.md"] + namesInFolder(repository + "docs").filter { $0.hasSuffix(".md") }.map { "docs/\($0)" }

    /// A document's blocks that begin with one of our sections, in the order they come.
    private static func blocks(of document: String) -> [String] {
        var blocks: [[Substring]] = []
        var isInside = false
        for line in (textOfFile(repository + document) ?? "").split(separator: "\n", omittingEmptySubsequences: false) {
            let content = line.drop { $0 == " " }
            let begins = Configuration.Section.allCases.contains { content.hasPrefix("[\($0.rawValue)]") }
            let continues = isInside && (content.isEmpty || begins || content.contains(" = "))
            guard line.hasPrefix("    ") || content.isEmpty, begins || continues else {
                isInside = false
                continue
            }
            if !isInside { blocks.append([]) }
            isInside = true
            blocks[blocks.count - 1].append(content)
        }
        return blocks.map { $0.joined(separator: "\n") + "\n" }
    }

    @Test func thereIsSuchAConfigurationForEachHostInTheReadmeAndAMove() {
        #expect(Self.blocks(of: "README.md").count == 3)
        #expect(Self.blocks(of: "docs/migrating-from-fail2ban-zmq-tools.md").count == 1)
        #expect(Self.blocks(of: "docs/operations.md").count >= 2)
    }

    @Test(arguments: documents)
    func eachOfThemIsValid(document: String) throws {
        let host = try #require(Hostname("web1"))
        for block in Self.blocks(of: document) {
            let folder = try TemporaryFolder()
            try folder.write("fail2ban-cluster.conf", try #require(textOfFile(Self.repository + "conf/fail2ban-cluster.conf")))
            // The publisher's is above its own defaults, as on its host.
            try folder.write(
                "fail2ban-cluster.d/publisher.conf", try #require(textOfFile(Self.repository + "conf/fail2ban-cluster.d/publisher.conf")))
            let overlay = try folder.write("fail2ban-cluster.local", block)
            // It may have a token.
            chmod(overlay, 0o640)
            let configuration = try Configuration.load(folder("fail2ban-cluster.conf"), systemHostname: host)
            let warnings = configuration.warnings.filter { !$0.text.contains("example") }
            #expect(warnings.isEmpty, "\(document): \(warnings)")
        }
    }
}
