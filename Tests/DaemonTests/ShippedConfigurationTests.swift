// Promises of the configuration that is shipped in conf/: it shows every key with its default, and its examples work.
// The publisher's section is in a file of its own in fail2ban-cluster.d, which one host has.

import TestSupport
import Testing
import Wire

@testable import Daemon

@Suite struct ShippedConfigurationTests {
    /// conf/ of this package.
    private static let folder = String(#filePath.dropLast("Tests/DaemonTests/ShippedConfigurationTests.swift".count)) + "conf"
    private static let files = namesInFolder(folder).filter { $0.hasSuffix(".conf") }.map { "\(folder)/\($0)" }

    /// A file with its overlays.
    private func text(of file: String) throws -> String {
        let overlays = file.dropLast("conf".count) + "d"
        return try ([file] + namesInFolder(String(overlays)).sorted().map { "\(overlays)/\($0)" })
            .map { try #require(textOfFile($0)) }.joined(separator: "\n")
    }

    /// They have no default; the shipped file shows an example.
    private static let required = ["zmqreplyserver", "zmqpublisherurl"]

    @Test func thereIsAShippedConfiguration() {
        #expect(Self.files.contains("\(Self.folder)/fail2ban-cluster.conf"))
    }

    @Test func aHostIsNoPublisherUntilItIsMadeOne() throws {
        let folder = try TemporaryFolder()
        try folder.write("fail2ban-cluster.conf", try #require(textOfFile("\(Self.folder)/fail2ban-cluster.conf")))
        let host = try #require(Hostname("host1"))
        let configuration = try Configuration.load(folder("fail2ban-cluster.conf"), systemHostname: host)
        #expect(configuration.publisher == nil && configuration.monitor != nil && configuration.subscriber != nil)
    }

    @Test(arguments: files)
    func anUncommentedLineShowsTheDefault(file: String) throws {
        let host = try #require(Hostname("host1"))
        let configuration = try Configuration.load(file, systemHostname: host)
        #expect(configuration.general == GeneralSettings(hostname: host))
        #expect(configuration.publisher == PublisherSettings())
        var monitor = try #require(configuration.monitor)
        monitor.replyServers = []
        #expect(monitor == MonitorSettings())
        var subscriber = try #require(configuration.subscriber)
        (subscriber.replyServers, subscriber.publishers) = ([], [])
        #expect(subscriber == SubscriberSettings())
        #expect(configuration.warnings.allSatisfy { $0.text.contains("example") })
    }

    @Test(arguments: files)
    func everyKeyIsInTheShippedFile(file: String) throws {
        let text = try text(of: file)
        var shown: [String: Set<String>] = [:]
        var section = ""
        for line in text.split(separator: "\n") {
            let content = line.drop { $0 == "#" }
            if content.hasPrefix("[") { section = String(content.dropFirst().dropLast()) }
            guard let equal = content.firstIndex(of: "="), !content.hasPrefix(" ") else { continue }
            shown[section, default: []].insert(String(content[..<equal].filter { $0 != " " }))
        }
        for section in Configuration.Section.allCases {
            // Those two old keys of [monitor] have no effect.
            let known = Set(Configuration.keys(of: section)).subtracting(section == .monitor ? ["auth", "authtoken"] : [])
            #expect(shown[section.rawValue] == known)
        }
    }

    /// A commented line is an example that works.
    @Test(arguments: files)
    func everyExampleIsValid(file: String) throws {
        let text = try text(of: file)
        let lines = text.split(separator: "\n").map { $0.hasPrefix("#") && !$0.hasPrefix("# ") && $0.count > 1 ? $0.dropFirst() : $0 }
        // The example of the plain endpoints takes the ports that the line above it says to give up.
        let moved = lines.joined(separator: "\n").replacing("\nreplybindurl = tcp://*:5678", with: "\nreplybindurl = tcp://*:5681")
            .replacing("\nbroadcasterbindurl = tcp://*:5680", with: "\nbroadcasterbindurl = tcp://*:5682")
        let configuration = try load(moved)
        #expect(configuration.publisher?.authTokens.count == 2)
        #expect(configuration.subscriber?.execCommand.count == 3)
    }
}
