// The operator's command: how the cluster is doing as metrics, for node_exporter's textfile collector.

/// Prometheus' text exposition format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
struct PrometheusText {
    private struct Metric {
        var name: String
        var help: String
        var type = "gauge"
        var samples: [(labels: [(String, String)], value: String)] = []
    }

    private static let prefix = "fail2ban_cluster_"
    private var metrics: [Metric] = []

    /// What there is to say of a publisher that gives no answer.
    static let unreachable = PrometheusText(isUp: false).text

    private init(isUp: Bool) { add("up", "Whether the publisher answers.", [([], isUp ? "1" : "0")]) }

    init(_ report: StatusReport) {
        self.init(isUp: true)
        let publisher = report.publisher
        add(
            "publisher_info", "The publisher's host, version and term; always 1.",
            [([("host", publisher.host), ("version", publisher.version), ("term", report.term)], "1")])
        add("ok", "Whether nothing is wrong.", [([], report.ok ? "1" : "0")])
        add("publisher_start_time_seconds", "When the publisher started.", [([], PrometheusText.seconds(publisher.started))])
        add("bans", "Addresses that are banned.", [([], "\(publisher.bans)")])
        add("allowed", "Addresses that operators allow.", [([], "\(publisher.allowed)")])
        add("announcements_total", "Announcements made so far.", type: "counter", [([], "\(publisher.number)")])
        add("journal_bytes", "Size of the publisher's journal on disk.", [([], "\(publisher.journal.bytes)")])
        add("journal_ok", "Whether the journal could be written the last time.", [([], publisher.journal.trouble == nil ? "1" : "0")])
        add("plain_endpoints", "Endpoints without encryption.", [([], "\(publisher.plain.count)")])
        addHosts(report)
    }

    private mutating func addHosts(_ report: StatusReport) {
        func each(_ value: (StatusReport.Host) -> String?) -> [(labels: [(String, String)], value: String)] {
            report.hosts.compactMap { host in value(host).map { ([("host", host.status.host)], $0) } }
        }
        func age(_ at: Int64?) -> String? { at.map { PrometheusText.seconds(max(report.now - $0, 0)) } }
        add("host_ok", "Whether nothing is wrong with the host.", each { $0.verdict.level < .wrong ? "1" : "0" })
        add("host_in_sync", "Whether the host is in sync.", each { $0.verdict.level == .ok ? "1" : "0" })
        add("host_monitor_age_seconds", "Since when the host's monitor was not heard of.", each { age($0.status.monitor?.at) })
        add("host_subscriber_age_seconds", "Since when the host's subscriber was not heard of.", each { age($0.status.subscriber?.at) })
        add(
            "host_lag_announcements", "Announcements that the host lacked when it was heard of.",
            each { $0.status.subscriber?.lag.map { "\($0.events)" } })
        add(
            "host_lag_seconds", "Since when it lacked the first of them.",
            each { $0.status.subscriber?.lag.map { PrometheusText.seconds($0.milliseconds) } })
        add(
            "host_clock_difference_seconds", "How far the host's clock is ahead of the publisher's.",
            each { $0.status.clock.map(PrometheusText.seconds) })
        add("host_holds", "Bans that the host's fail2ban holds.", each { "\($0.status.holds)" })
        add("host_bans", "Addresses that the host is to enforce.", each { $0.status.subscriber?.state.bans.map { "\($0)" } })
        add(
            "host_refused", "Addresses that the host refuses to enforce.", each { $0.status.subscriber?.state.refusedCount.map { "\($0)" } }
        )
        add(
            "host_waiting", "Changes that the host has not carried out.",
            each { host in host.status.subscriber?.state.enforcers.map { "\($0.values.reduce(0) { $0 + ($1.waiting ?? 0) })" } })
        add(
            "host_last_ban_time_seconds", "When the host's fail2ban banned last.",
            each { $0.status.lastBan?.at.map(PrometheusText.seconds) })
        add(
            "host_latency_median_seconds", "From the log line of a ban to the host's firewall, half of the bans of the last hour or two.",
            each { $0.status.subscriber?.state.latency?.p50.map(PrometheusText.seconds) })
        add(
            "host_latency_p99_seconds", "The same, 99 % of them.",
            each { $0.status.subscriber?.state.latency?.p99.map(PrometheusText.seconds) })
        add("host_latency_bans", "Bans that this was measured of.", each { $0.status.subscriber?.state.latency.map { "\($0.count)" } })
    }

    private mutating func add(
        _ name: String, _ help: String, type: String = "gauge", _ samples: [(labels: [(String, String)], value: String)]
    ) {
        guard !samples.isEmpty else { return }
        metrics.append(Metric(name: PrometheusText.prefix + name, help: help, type: type, samples: samples))
    }

    var text: String {
        metrics.map { metric in
            "# HELP \(metric.name) \(metric.help)\n# TYPE \(metric.name) \(metric.type)\n"
                + metric.samples.map { labels, value in
                    let text = labels.map { "\($0)=\"\(PrometheusText.escaped($1))\"" }.joined(separator: ",")
                    return "\(metric.name)\(labels.isEmpty ? "" : "{\(text)}") \(value)\n"
                }.joined()
        }.joined()
    }

    /// Milliseconds as seconds: `1795212000.123`, `-0.5`.
    private static func seconds(_ milliseconds: Int64) -> String {
        let rest = String(milliseconds.magnitude % 1000 + 1000).dropFirst()
        return "\(milliseconds < 0 ? "-" : "")\(milliseconds.magnitude / 1000).\(rest)"
    }

    /// As the value of a label is written.
    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
