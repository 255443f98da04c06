// The operator's command: `fail2ban-cluster status`, how the publisher and every host are doing.

import ArgumentParser
import Daemon
import Wire

struct StatusCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the publisher and every host are doing.",
        discussion: """
            A line for each host: when monitor and subscriber were heard of last, their version, how far the host is behind, its last ban, \
            fail2ban's version, its clock's difference, how long a ban takes from the log line to its firewall (half of them, 99 %), and \
            whether it is in sync or why not, with what helps. Exit status: 0 all is well, 1 something is wrong, also when the publisher \
            gives no answer.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table
        case json
        case prometheus
    }

    @OptionGroup var output: JSONOption
    @Option(help: ArgumentHelp("table, json, or prometheus for node_exporter's textfile collector.", valueName: "format"))
    var format = Format.table
    @OptionGroup var options: ConfigurationOption

    func validate() throws {
        if output.json, format == .prometheus { throw ValidationError("--json and --format prometheus exclude each other.") }
    }

    func perform(_ configuration: Configuration) throws -> String {
        let status: ClusterStatus
        do {
            var conversation = try Conversation(configuration)
            status = try conversation.status()
        } catch {
            // What collects metrics is to learn that there are none.
            if format == .prometheus { StandardStreams.write(PrometheusText.unreachable) }
            throw error
        }
        let report = StatusReport(status)
        switch output.json ? .json : format {
        case .table: StandardStreams.write(report.table(width: Terminal.width))
        case .json: StandardStreams.write(try JSONOutput.line(report))
        case .prometheus: StandardStreams.write(PrometheusText(report).text)
        }
        if !report.ok { throw ExitCode(ExitStatus.failed.rawValue) }
        return ""
    }
}

/// What `status` prints, and with `--json` as it is.
struct StatusReport: Encodable {
    struct Host: Encodable {
        var status: ClusterStatus.Host
        var verdict: Verdict

        private enum CodingKeys: CodingKey {
            case level, reasons, text
        }

        func encode(to encoder: any Encoder) throws {
            try status.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(verdict.level, forKey: .level)
            try container.encode(verdict.reasons, forKey: .reasons)
            try container.encode(verdict.sentence, forKey: .text)
        }
    }

    var now: Int64
    var term: String
    /// Whether nothing is wrong.
    var ok: Bool
    var publisher: ClusterStatus.Publisher
    var hosts: [Host]
    /// In the table; JSON has what it is made of.
    private var publisherVerdict: Verdict

    private enum CodingKeys: CodingKey {
        case now, term, ok, publisher, hosts
    }

    init(_ status: ClusterStatus) {
        now = status.now
        term = status.term
        publisher = status.publisher
        hosts = status.hosts.map { Host(status: $0, verdict: Verdict(of: $0, in: status)) }
        publisherVerdict = Verdict(of: status.publisher, now: status.now)
        ok = ([publisherVerdict] + hosts.map(\.verdict)).allSatisfy { $0.level < .wrong }
    }

    /// - Parameter width: see ``TextTable/text(width:)``.
    func table(width: Int?) -> String {
        let lines = publisherLines.flatMap { line in width.map { TextTable.wrapped(line, width: max($0, TextTable.leastLast)) } ?? [line] }
        var text = lines.map { LogText.escaped($0) + "\n" }.joined()
        guard !hosts.isEmpty else { return text + "no host is authorised; on each host run: fail2ban-cluster keygen\n" }
        var table = TextTable(
            "HOST", "MONITOR", "SUBSCRIBER", "VERSION", "LAG", "LAST BAN", "FAIL2BAN", "CLOCK", "P50/P99", "STATE",
            dispensable: [3, 8, 6, 5, 7, 4, 1, 2])
        table.rows = hosts.map(row)
        text += "\n" + table.text(width: width)
        return text
    }

    private var publisherLines: [String] {
        let up = TimeSpan.text(seconds: max(now - publisher.started, 0) / 1000)
        let line = """
            publisher \(publisher.host): \(publisher.role) for \(up), version \(publisher.version), term \(term), \(publisher.bans) banned, \
            \(publisher.allowed) allowed, last announcement \(publisher.number), journal \(ByteCount.text(publisher.journal.bytes))
            """
        return [line] + publisherVerdict.reasons.map { "WARNING: \($0.text)\($0.remedy.map { ": \($0)" } ?? "")" }
    }

    private func row(_ host: Host) -> [String] {
        let status = host.status
        func age(_ at: Int64?, _ expected: Bool) -> String {
            at.map { TimeSpan.text(seconds: max(now - $0, 0) / 1000) + " ago" } ?? (expected ? "never" : "-")
        }
        let latency = status.subscriber?.state.latency
        let times = [latency?.p50, latency?.p99].compactMap(\.self).map(String.init)
        return [
            status.host, age(status.monitor?.at, status.hasMonitor), age(status.subscriber?.at, status.hasSubscriber),
            status.versions.isEmpty ? "-" : status.versions.joined(separator: " "),
            status.subscriber?.lag.map { $0.events == 0 ? "0" : "\($0.events), \(TimeSpan.text(seconds: $0.milliseconds / 1000))" }
                ?? "-",
            status.lastBan?.at.map { age($0, false) } ?? "-", status.fail2ban?.version ?? "-",
            status.clock.map { Milliseconds.signed($0) } ?? "-", times.count == 2 ? times.joined(separator: "/") + " ms" : "-",
            host.verdict.sentence,
        ]
    }
}
