// What `--json` prints, command by command: the golden form, and that docs/cli-json.md has each of its members and no other.

import Daemon
import Foundation
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Operator

@Suite struct JSONGoldenTests {
    private static let now: Int64 = 1_795_212_100_000

    /// A command with what it prints of something that has a value for each member.
    private struct Sample {
        /// The section of docs/cli-json.md.
        var section: String
        var command: String
        var json: String
    }

    private func samples() throws -> [Sample] {
        func sample(_ section: String, _ value: some Encodable, command: String? = nil) throws -> Sample {
            Sample(section: section, command: command ?? section, json: try JSONOutput.line(value))
        }
        let status = try troubledCluster()
        let page = try BanPage(
            json: Array(
                """
                {"now":\(Self.now),"bans":[{"address":"203.0.113.9","end":\(Self.now + 90_000),"holders":[{"host":"web1","jail":"sshd",
                "seen":\(Self.now - 100_000),"end":\(Self.now + 90_000)}]},{"address":"2001:db8::/64","end":null,
                "holders":[{"host":"admin","jail":"fail2ban-cluster","seen":\(Self.now)}]}],"next":null}
                """.utf8))
        let allowed = try BanPage(
            json: Array(
                #"{"now":\#(Self.now),"bans":[],"allowed":[{"address":"198.51.100.0/24","end":\#(Self.now + 1)}],"next":null}"#.utf8))
        let event = HistoryEvent(
            row: 4711, number: 1045, kind: "admitted", at: Self.now, seen: Self.now - 17, host: "web1", jail: "sshd", action: "Ban",
            address: "203.0.113.9", end: Self.now + 90_000, permanent: false, cause: "detected", plain: false,
            refusal: "203.0.113.0/24 is in ignoreip", move: false)
        let holder = Standing.Record.Holder(host: "web1", jail: "sshd", seen: Self.now - 17, end: Self.now + 90_000)
        let standing = Standing(
            address: "203.0.113.9", now: Self.now, quorum: 1,
            records: [.init(address: "203.0.113.9", banned: true, end: Self.now + 90_000, holders: [holder])],
            protected: "203.0.113.0/24 is in ignoreip", allowed: "allowed by an operator for ever")
        var line = AnnouncementLine(isColoured: false)
        let announcement = Event(
            host: try #require(Hostname("web1")), jail: try #require(Jail("sshd")), action: .ban,
            address: try #require(Address("203.0.113.9")), number: 1045, seen: Timestamp(milliseconds: Self.now - 17),
            admitted: Timestamp(milliseconds: Self.now), end: .at(Timestamp(milliseconds: Self.now + 90_000)), cause: .detected)
        let broadcast = Broadcast(term: Term(id: 7), first: 1045, now: Timestamp(milliseconds: Self.now), events: [announcement])
        let host = AuthorizedHosts.Host(
            name: try #require(Hostname("web1")), roles: [.monitor, .subscriber],
            key: try #require(PublicKey(z85: "3B)ZazIo!V7zyo<JD(=O82wFXXS{#V!>RI3s9vbk")), addresses: [try #require(Address("192.0.2.1"))])
        let findings = [Finding(.problem, "no key", hint: "run keygen"), Finding(.note, "well")]
        return [
            try sample("status", StatusReport(status)), try sample("bans", BansOutput(page, status)),
            try sample("bans", AllowedOutput(allowed), command: "bans --allowed"), try sample("history", ["events": [event]]),
            try sample("why", Story(standing, status, [event])),
            Sample(section: "watch", command: "watch", json: try line.text(of: broadcast, json: true)),
            try sample("ban, unban", OrderOutput(order: "ban", addresses: ["203.0.113.9"]), command: "ban"),
            try sample("ban, unban", OrderOutput(order: "allow", addresses: ["203.0.113.9"]), command: "unban --for 1h"),
            try sample("hosts", HostsOutput([host])), try sample("check", CheckReport(ok: false, findings: findings)),
        ]
    }

    /// Two hosts, of which the first is in trouble and the second tells what nobody can read.
    private func troubledCluster() throws -> ClusterStatus {
        var status = try wellCluster()
        status.publisher.plain = ["tcp://*:5678"]
        status.publisher.journal.trouble = .init(
            at: Self.now - 1000, text: "database or disk is full", remedy: "see that the disk has space")
        status.hosts[0].monitor?.state.logProblem = "no such file"
        status.hosts[0].monitor?.lag = nil
        status.hosts[0].subscriber?.state.enforcers?["fail2ban-client"]?.trouble = "fail2ban does not run"
        status.hosts[0].subscriber?.state.refused = ["203.0.113.7"]
        status.hosts[1].subscriber?.unreadable = true
        return status
    }

    @Test func whatEachCommandPrintsIsTheGoldenOneOnOneLineWithItsMembersSorted() throws {
        var text = ""
        for sample in try samples() {
            let object = try JSONSerialization.jsonObject(with: Data(sample.json.utf8))
            let compact = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
            #expect(sample.json == String(decoding: compact, as: UTF8.self) + "\n", "\(sample.command)")
            let shown = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
            text += "### \(sample.command)\n\n\(String(decoding: shown, as: UTF8.self))\n\n"
        }
        try expectGolden(text, "Tests/OperatorTests/Golden/json.txt")
    }

    /// The words in backticks, and in the first column of tables, by section.
    private func documentedMembers() throws -> [String: (inTables: Set<String>, all: Set<String>)] {
        let document = try #require(textOfFile(Lab.repository + "/docs/cli-json.md"))
        var members: [String: (inTables: Set<String>, all: Set<String>)] = [:]
        for section in document.split(separator: "\n## ").dropFirst() {
            let lines = section.split(separator: "\n", omittingEmptySubsequences: false)
            let rows = lines.filter { $0.hasPrefix("| ") && $0 != "| member | meaning |" }
            let inTables = Set(rows.flatMap { $0.dropFirst(2).prefix { $0 != "|" }.split { !$0.isLetter } }.map(String.init))
            let quoted = section.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
            members[String(lines[0])] = (inTables, inTables.union(quoted.map { String($0.element) }))
        }
        return members
    }

    /// The names of all members, at any depth. What ways of enforcing are called are no names of ours.
    private func members(_ value: Any) -> Set<String> {
        if let object = value as? [String: Any] {
            let own = Set(object.keys.filter { !$0.contains("-") && $0 != "nftables" })
            return object.values.reduce(own) { $0.union(members($1)) }
        }
        return (value as? [Any])?.reduce([]) { $0.union(members($1)) } ?? []
    }

    @Test func eachMemberIsDocumentedAndEachDocumentedMemberIsThere() throws {
        let documented = try documentedMembers()
        let samples = try samples()
        #expect(documented.keys.sorted() == Set(samples.map(\.section)).sorted())
        for (section, documented) in documented {
            let printed = try samples.filter { $0.section == section }.reduce(into: Set<String>()) { all, sample in
                all.formUnion(members(try JSONSerialization.jsonObject(with: Data(sample.json.utf8))))
            }
            // `why` tells events as `history` does.
            let elsewhere = section == "why" ? try #require(self.documentedMembers()["history"]).all : []
            #expect(printed.subtracting(documented.all).subtracting(elsewhere).sorted() == [], "\(section): not documented")
            #expect(documented.inTables.subtracting(printed).sorted() == [], "\(section): documented only")
        }
    }
}
