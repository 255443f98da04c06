// The operator's command: `fail2ban-cluster check`, what keeps this host from working in the cluster, each thing with its remedy.

import ArgumentParser
import Daemon
import Glibc
import Wire

struct CheckCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Look for what keeps this host from working in the cluster, each thing with its remedy.",
        discussion: """
            It runs the `check` of each daemon that the configuration names (keys, permissions, files), asks fail2ban for its log level and \
            target and for the cluster's jail with its actions, nft whether it works, and the publisher how this host is doing, and tries whether its \
            broadcasts can be heard. It changes nothing. Run it as the daemons' user, or as root. Exit status: 0 nothing keeps it from \
            working, 1 something does.
            """)

    @OptionGroup var output: JSONOption
    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        var findings: [Finding] = []
        let sections = [Configuration.Section.publisher, .monitor, .subscriber].filter { configuration.has($0) }
        if sections.isEmpty {
            findings.append(
                Finding(
                    .warning, "\(configuration.path) has none of the sections [monitor], [subscriber] and [publisher]",
                    hint: "a section makes its daemon run here"))
        }
        let fail2ban = Fail2banCheck(configuration).findings
        // The daemons can start without fail2ban, the host can't work: it is said once, as what it is here.
        func isNew(_ finding: Finding) -> Bool { !fail2ban.contains { finding.text.hasSuffix(": \($0.sentence)") } }
        for section in sections { findings += DaemonCheck(section, configuration).findings.filter(isNew) }
        findings += fail2ban + CheckCommand.publisherFindings(configuration).filter { isNew($0) && !fail2ban.contains($0) }
        let ok = findings.allSatisfy { $0.severity != .problem }
        let report = CheckReport(ok: ok, findings: findings)
        StandardStreams.write(output.json ? try JSONOutput.line(report) : report.text)
        if !ok { throw ExitCode(ExitStatus.failed.rawValue) }
        return ""
    }

    /// Whether the publisher answers, and what it knows of this host.
    private static func publisherFindings(_ configuration: Configuration) -> [Finding] {
        let name = configuration.general.hostname.description
        do {
            var conversation = try Conversation(configuration)
            let status = try conversation.status()
            let reached = Finding(.note, "the publisher on \(status.publisher.host) answers, and bans \(status.publisher.bans) addresses")
            guard let host = status.hosts.first(where: { $0.host == name }) else {
                return [
                    reached,
                    Finding(
                        .problem, "this host's key has another name there than hostname here, which is \(name)",
                        hint: "set hostname in [general] to the name that `hosts` shows on the publisher's host for the key in host.pub"),
                ]
            }
            let broadcast = try conversation.search.broadcastFinding(at: configuration.subscriber?.publishers.map(\.description) ?? [])
            return [reached] + [broadcast].compactMap(\.self) + Verdict(of: host, in: status).findings
                + Verdict(of: status.publisher, now: status.now).findings
        } catch {
            return [Finding(.problem, "\(error)")]
        }
    }
}

/// The `check` of one daemon, run as a program: what it looks at is its own to know.
struct DaemonCheck {
    /// How long it may take: fail2ban-client and names that are looked up are waited for 5 s each.
    private static let limit: Duration = .seconds(30)

    let findings: [Finding]

    init(_ section: Configuration.Section, _ configuration: Configuration) {
        let program = "fail2ban-\(section.rawValue)"
        do {
            let (text, status) = try BriefProgram.run(
                [DaemonCheck.path(of: program), "check", "-c", configuration.path], within: DaemonCheck.limit)
            var findings = DaemonCheck.findings(in: text, program)
            if status != .exited(0), findings.allSatisfy({ $0.severity != .problem }) {
                findings.append(Finding(.problem, "\(program) check \(status?.description ?? "took too long")", hint: "run it by itself"))
            }
            self.findings = findings
        } catch {
            findings = [Finding(.problem, "\(program) can't be run: \(error)", hint: "install it on this host")]
        }
    }

    /// Beside this program, where all four are installed; else it is looked for on PATH.
    private static func path(of program: String) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { return program }
        let path = own[...slash] + program
        return access(String(path), X_OK) == 0 ? String(path) : program
    }

    /// Lines of `PROGRAM: SEVERITY: TEXT`; others are notes.
    static func findings(in text: String, _ program: String) -> [Finding] {
        text.split(separator: "\n").map { line in
            let own = line.hasPrefix("\(program): ") ? line.dropFirst(program.count + 2) : line
            for severity in [Finding.Severity.problem, .warning, .note] where own.hasPrefix("\(severity.rawValue): ") {
                return Finding(severity, "\(program): \(own.dropFirst(severity.rawValue.count + 2))")
            }
            return Finding(.note, "\(program): \(own)")
        }
    }
}

/// What `check` prints.
struct CheckReport: Encodable {
    struct Entry: Encodable {
        var severity: String
        var text: String
        var remedy: String?
    }

    /// Whether there is no problem.
    var ok: Bool
    var findings: [Entry]

    init(ok: Bool, findings: [Finding]) {
        self.ok = ok
        self.findings = findings.map { Entry(severity: $0.severity.rawValue, text: $0.text, remedy: $0.hint) }
    }

    var text: String {
        findings.map { finding in
            LogText.escaped("\(finding.severity): \(finding.text)\(finding.remedy.map { ". \($0)" } ?? "")") + "\n"
        }.joined() + conclusion + "\n"
    }

    private var conclusion: String {
        func count(_ severity: Finding.Severity, _ noun: String) -> String {
            let count = findings.count { $0.severity == severity.rawValue }
            return "\(count) \(noun)\(count == 1 ? "" : "s")"
        }
        if !ok { return "\(count(.problem, "problem")): this host does not work in the cluster as it should" }
        let warns = findings.contains { $0.severity == Finding.Severity.warning.rawValue }
        return warns ? "no problem, \(count(.warning, "warning"))" : "nothing keeps this host from working in the cluster"
    }
}

extension Verdict {
    /// For `check`.
    var findings: [Finding] {
        reasons.map { reason in
            let severity: Finding.Severity =
                switch reason.level {
                case .ok: .note
                case .pending: .warning
                case .wrong: .problem
                }
            return Finding(severity, reason.text, hint: reason.remedy)
        }
    }
}
