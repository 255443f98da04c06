// What `status` says of hosts: each trouble is named with its remedy, in a table that fits, in JSON, and as metrics.

import Daemon
import Foundation
import Testing

@testable import Operator

/// A cluster of two hosts in which all is well.
///
/// - Parameter secondSubscriber: what the subscriber of the second one tells instead, as JSON.
func wellCluster(secondSubscriber: String? = nil) throws -> ClusterStatus {
    let second =
        secondSubscriber
        ?? #"{"version":"0.1.0","term":"0000000000000007","number":1045,"enforcers":{"nftables":{"settled":true}},"latency":{"count":0}}"#
    let text = """
        {"now":1795212100000,"term":"0000000000000007","next":null,"publisher":{"role":"active","host":"web1","version":"0.1.0",
        "started":1795202100000,"number":1045,"bans":2,"allowed":0,"quorum":1,"plain":[],"journal":{"bytes":1440000,"row":4711},"later":1},
        "hosts":[{"host":"web1","roles":["monitor","operator","subscriber"],"holds":2,
        "lastBan":{"address":"203.0.113.9","jail":"sshd","at":1795212000000},
        "monitor":{"at":1795212090000,"clock":-1,"lag":null,"state":{"version":"0.1.0","waiting":0,"log":"/var/log/fail2ban.log",
        "logProblem":null,"database":"ok","gaps":0}},
        "subscriber":{"at":1795212095000,"clock":-2,"lag":{"events":0,"milliseconds":0},"state":{"version":"0.1.0",
        "term":"0000000000000007","number":1045,"bans":2,"refused":[],"refusedCount":0,"hearing":true,
        "enforcers":{"fail2ban-client":{"settled":true,"waiting":0,"trouble":null,"version":"1.0.2",
        "server":{"loglevel":"INFO","logtarget":"/var/log/fail2ban.log"}}},"latency":{"count":7,"p50":36,"p99":81}}}},
        {"host":"web2","roles":["subscriber"],"holds":0,"lastBan":null,"monitor":null,
        "subscriber":{"at":1795212099000,"clock":0,"lag":{"events":0,"milliseconds":0},"state":\(second)}}]}
        """
    return try JSONDecoder().decode(ClusterStatus.self, from: Data(text.utf8))
}

@Suite struct StatusReportTests {
    @Test func whereAllIsWellEachHostIsInSync() throws {
        let report = StatusReport(try wellCluster())
        #expect(report.ok)
        #expect(report.hosts.map(\.verdict.sentence) == ["in sync", "in sync"])
        #expect(
            report.table(width: nil) == """
                publisher web1: active for 2h 46m, version 0.1.0, term 0000000000000007, 2 banned, 0 allowed, last announcement 1045, journal 1.4 MB

                HOST  MONITOR  SUBSCRIBER  VERSION  LAG  LAST BAN    FAIL2BAN  CLOCK   P50/P99   STATE
                web1  10s ago  5s ago      0.1.0    0    1m 40s ago  1.0.2     +0.0 s  36/81 ms  in sync
                web2  -        1s ago      0.1.0    0    -           -         +0.0 s  -         in sync

                """)
    }

    /// Something that is wrong with the first host.
    struct Trouble: Sendable, CustomTestStringConvertible {
        /// What its line says of it.
        var text: String
        /// What that says helps.
        var remedy = ""
        var spoil: @Sendable (inout ClusterStatus) -> Void

        var testDescription: String { text }
    }

    static let troubles = [
        Trouble(text: "the monitor has been silent for 2m", remedy: "fail2ban-monitor status") { $0.hosts[0].monitor?.at -= 110_000 },
        Trouble(text: "no subscriber heard of", remedy: "fail2ban-subscriber check") { $0.hosts[0].subscriber = nil },
        Trouble(text: "its clock is 1h ahead", remedy: "NTP") { $0.hosts[0].subscriber?.clock = 3_600_000 },
        Trouble(text: "its clock is 1m behind", remedy: "NTP") { $0.hosts[0].subscriber?.clock = -60_000 },
        Trouble(text: "fail2ban-client: fail2ban is not running") { $0.enforcer { $0.trouble = "fail2ban is not running" } },
        Trouble(text: "fail2ban logs only from WARNING on", remedy: "loglevel = INFO") { $0.enforcer { $0.server?.loglevel = "WARNING" } },
        Trouble(text: "fail2ban logs to SYSTEMD-JOURNAL", remedy: "logtarget = /var") {
            $0.enforcer { $0.server?.logtarget = "SYSTEMD-JOURNAL" }
        },
        Trouble(text: "the monitor reads /var/log/fail2ban.log", remedy: "fail2banlogpath") {
            $0.enforcer { $0.server?.logtarget = "/srv/f2b.log" }
        },
        Trouble(text: "fail2ban's log is not read: cannot open") { $0.hosts[0].monitor?.state.logProblem = "cannot open it" },
        Trouble(text: "it hears no broadcasts", remedy: "broadcasterbindurl") { $0.hosts[0].subscriber?.state.hearing = false },
        Trouble(text: "it follows another start") { $0.hosts[0].subscriber?.state.term = "0000000000000006" },
        Trouble(text: "12 announcements behind, for 30s") {
            $0.hosts[0].subscriber?.lag = ClusterStatus.Lag(events: 12, milliseconds: 30_000)
        },
    ]

    @Test(arguments: troubles)
    func eachTroubleIsNamedWithItsRemedyAndFailsTheCommand(_ trouble: Trouble) throws {
        var status = try wellCluster()
        trouble.spoil(&status)
        let report = StatusReport(status)
        #expect(!report.ok)
        let sentence = report.hosts[0].verdict.sentence
        #expect(sentence.contains(trouble.text) && (trouble.remedy.isEmpty || sentence.contains(trouble.remedy)), "\(sentence)")
        #expect(report.hosts[1].verdict.level == .ok)
    }

    @Test func whatWillBeWellInAMomentIsNoFailure() throws {
        var status = try wellCluster()
        status.publisher.started = status.now - 5000
        status.hosts[0].monitor = nil
        status.hosts[1].subscriber?.lag = ClusterStatus.Lag(events: 1, milliseconds: 40)
        let report = StatusReport(status)
        #expect(report.ok)
        #expect(report.hosts.map(\.verdict.level) == [.pending, .pending])
        #expect(report.hosts[0].verdict.sentence == "the monitor has not been heard of yet")
    }

    @Test func aHostThatOnlySaysWhatItWouldDoHasAppliedNothing() throws {
        let status = try wellCluster(secondSubscriber: #"{"term":"0000000000000007","number":1045,"enforcers":{"dry-run":{"waiting":0}}}"#)
        #expect(StatusReport(status).hosts[1].verdict.sentence == "in sync; dry-run: nobody is banned here")
        #expect(status.hosts.map { $0.hasApplied(number: 1045, of: "192.0.2.1", term: status.term) } == [true, false])
    }

    @Test func aJournalThatCouldNotBeWrittenIsSaidWithItsRemedy() throws {
        var status = try wellCluster()
        status.publisher.journal.trouble = .init(at: status.now - 3000, text: "database or disk is full", remedy: "make space")
        let report = StatusReport(status)
        #expect(!report.ok)
        #expect(
            report.table(width: nil).split(separator: "\n")[1]
                == "WARNING: the journal could not be written 3s ago, so nothing is acknowledged: database or disk is full: make space")
        #expect(PrometheusText(report).text.contains("fail2ban_cluster_journal_ok 0\n"))
        #expect(
            Verdict(of: status.publisher, now: status.now).findings == [
                Finding(
                    .problem, "the journal could not be written 3s ago, so nothing is acknowledged: database or disk is full",
                    hint: "make space")
            ])
    }

    @Test func endpointsWithoutEncryptionAreSaidLoudly() throws {
        var status = try wellCluster()
        status.publisher.plain = ["tcp://0.0.0.0:5678"]
        #expect(
            StatusReport(status).table(width: nil).split(separator: "\n")[1]
                == "WARNING: old clients are served WITHOUT ENCRYPTION at tcp://0.0.0.0:5678")
    }

    @Test(arguments: [40, 60, 80, 100, 132])
    func theTableFitsTheTerminal(_ width: Int) throws {
        var status = try wellCluster()
        status.enforcer { $0.trouble = "fail2ban gives no answer. systemctl status fail2ban; then look into its log" }
        let lines = StatusReport(status).table(width: width).split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= width }, "\(lines.joined(separator: "\n"))")
        let words = lines.joined(separator: " ").split(separator: " ").joined(separator: " ")
        #expect(words.contains("web2") && words.contains("in sync"))
    }

    @Test func whatAHostTellsOfItselfCannotDriveTheTerminal() throws {
        var status = try wellCluster()
        status.enforcer { $0.trouble = "\u{1b}]0;owned\u{7}\nweb9  in sync" }
        let text = StatusReport(status).table(width: nil)
        #expect(!text.contains("\u{1b}") && !text.contains("\u{7}"))
        #expect(!text.contains("\nweb9"))
    }

    @Test(arguments: [
        #""number":-1"#, #""number":"\u001b[2J""#, #""enforcers":[1]"#, #""latency":{}"#, #""latency":{"count":1e300}"#, #""refused":{}"#,
    ])
    func aHostThatTellsNonsenseIsNamedAndHidesNoOther(_ member: String) throws {
        let report = StatusReport(try wellCluster(secondSubscriber: #"{"term":"0000000000000007",\#(member)}"#))
        #expect(report.hosts.map(\.verdict.level) == [.ok, .wrong])
        #expect(report.hosts[1].verdict.sentence.hasPrefix("what its subscriber tells of itself can't be read: "))
    }

    @Test func numbersAndTextsThatNoDaemonTellsAreBroughtIntoBounds() throws {
        let long = String(repeating: "x", count: 10_000)
        let status = try wellCluster(
            secondSubscriber: """
                {"version":"\(long)","bans":-9223372036854775808,"refusedCount":9223372036854775807,
                "latency":{"count":9223372036854775807,"p50":-9223372036854775808,"p99":9223372036854775807},
                "enforcers":{"a":{"waiting":9223372036854775807,"trouble":"\(long)"},"b":{"waiting":9223372036854775807}}}
                """)
        let report = StatusReport(status)
        #expect(report.table(width: 80).split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(report.table(width: nil).count < 3000)
        #expect(PrometheusText(report).text.contains(#"fail2ban_cluster_host_waiting{host="web2"} 2000000000"#))
    }

    @Test("No time that a publisher tells is too far away to be shown", arguments: [Int64.min, .max], [Int64.min, .max])
    func noTimeOfAPublisherIsTooFarAway(now: Int64, then: Int64) throws {
        var status = try wellCluster()
        (status.now, status.publisher.started) = (now, then)
        status.publisher.journal.trouble = ClusterStatus.Publisher.Journal.Trouble(at: then, text: "the disk is full", remedy: "make room")
        status.hosts[0].lastBan?.at = then
        status.bound()
        let report = StatusReport(status)
        #expect(report.table(width: nil).contains("the disk is full"))
        #expect(PrometheusText(report).text.contains("host_last_ban_time_seconds"))
    }

    @Test func theJSONHasTheStatusAndTheVerdict() throws {
        var status = try wellCluster()
        status.hosts[0].subscriber?.state.refusedCount = 1
        status.hosts[1].subscriber?.clock = -3_600_000
        let json = try JSONOutput.line(StatusReport(status))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        #expect(Set(object.keys) == ["hosts", "now", "ok", "publisher", "term"])
        #expect(object["ok"] as? Bool == false)
        let hosts = try #require(object["hosts"] as? [[String: Any]])
        #expect(
            Set(hosts[0].keys) == ["host", "roles", "holds", "lastBan", "monitor", "subscriber", "level", "reasons", "text"])
        #expect(hosts[0]["text"] as? String == "in sync; refuses 1 by its own rules")
        #expect(hosts[1]["level"] as? String == "wrong")
        #expect(json.hasSuffix("}\n") && !json.dropLast().contains("\n"))
    }
}

extension ClusterStatus {
    /// Changes what the first host says of fail2ban.
    fileprivate mutating func enforcer(_ change: (inout SubscriberReport.Enforcer) -> Void) {
        guard var enforcer = hosts[0].subscriber?.state.enforcers?["fail2ban-client"] else { return }
        change(&enforcer)
        hosts[0].subscriber?.state.enforcers?["fail2ban-client"] = enforcer
    }
}

@Suite struct PrometheusTextTests {
    private struct Sample: Equatable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    /// Reads the text format as a scraper does, and sees that each metric has its HELP and TYPE before its samples.
    private func parse(_ text: String) throws -> [Sample] {
        var samples: [Sample] = []
        var helped: Set<Substring> = []
        var typed: Set<Substring> = []
        try #require(text.hasSuffix("\n"))
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3)
            if line.hasPrefix("# HELP ") {
                #expect(helped.insert(words[2]).inserted, "\(line)")
                continue
            }
            if line.hasPrefix("# TYPE ") {
                #expect(helped.contains(words[2]) && typed.insert(words[2]).inserted, "\(line)")
                #expect(["gauge", "counter"].contains(words[3]))
                continue
            }
            let sample = try #require(
                line.wholeMatch(
                    of: /([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)+)\})? (-?[0-9.]+)/),
                "\(line)")
            #expect(typed.contains(sample.1), "\(line)")
            var labels: [String: String] = [:]
            for label in (sample.2 ?? "").matches(of: /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/) {
                labels[String(label.1)] = String(label.2)
            }
            samples.append(Sample(name: String(sample.1), labels: labels, value: try #require(Double(sample.3))))
        }
        return samples
    }

    @Test func theMetricsAreInTheTextFormatWithTheNumbersOfTheStatus() throws {
        var status = try wellCluster()
        status.hosts[1].subscriber?.clock = -90_500
        let samples = try parse(PrometheusText(StatusReport(status)).text)
        func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
            samples.first { $0.name == "fail2ban_cluster_" + name && $0.labels == labels }?.value
        }
        #expect(value("up") == 1)
        #expect(value("ok") == 0)
        #expect(value("bans") == 2)
        #expect(value("announcements_total") == 1045)
        #expect(value("host_ok", ["host": "web1"]) == 1)
        #expect(value("host_ok", ["host": "web2"]) == 0)
        #expect(value("host_clock_difference_seconds", ["host": "web2"]) == -90.5)
        #expect(value("host_monitor_age_seconds", ["host": "web1"]) == 10)
        #expect(value("host_monitor_age_seconds", ["host": "web2"]) == nil)
        #expect(value("host_latency_p99_seconds", ["host": "web1"]) == 0.081)
        #expect(value("publisher_info", ["host": "web1", "version": "0.1.0", "term": "0000000000000007"]) == 1)
    }

    @Test func labelsAreEscaped() throws {
        var status = try wellCluster()
        status.publisher.version = "1\"\\\n2"
        let samples = try parse(PrometheusText(StatusReport(status)).text)
        #expect(samples.contains { $0.labels["version"] == #"1\"\\\n2"# })
    }

    @Test func aPublisherThatGivesNoAnswerIsDown() throws {
        #expect(try parse(PrometheusText.unreachable) == [Sample(name: "fail2ban_cluster_up", labels: [:], value: 0)])
    }
}
