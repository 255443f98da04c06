// The operator's command: `fail2ban-cluster check`, what keeps this host from working in the cluster, each thing with its remedy.

import ArgumentParser
import Daemon
import Glibc
import Wire
import ZeroMQ

struct CheckCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Look for what keeps this host from working in the cluster, each thing with its remedy.",
        discussion: """
            It runs the `check` of each daemon that the configuration names, asks fail2ban for its log level and target, and the publisher \
            how this host is doing. It changes nothing. Run it as the daemons' user, or as root. Exit status: 0 nothing keeps it from \
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
        for section in sections { findings += DaemonCheck(section, configuration).findings }
        if configuration.monitor != nil { findings += CheckCommand.logFindings(configuration) }
        findings += CheckCommand.publisherFindings(configuration)
        let ok = findings.allSatisfy { $0.severity != .problem }
        let report = CheckReport(ok: ok, findings: findings)
        StandardStreams.write(output.json ? try JSONOutput.line(report) : report.text)
        if !ok { throw ExitCode(ExitStatus.failed.rawValue) }
        return ""
    }

    /// Whether fail2ban logs what the monitor reads.
    private static func logFindings(_ configuration: Configuration) -> [Finding] {
        let limit: Duration = .seconds(5)
        do {
            var channel = try ClientChannel(configuration.general.fail2banClient)
            let deadline = ContinuousClock.now + limit
            var settings = ServerSettings()
            while let question = settings.next(now: .now) {
                guard case .answer(let text) = try channel.ask(question.rawValue, by: deadline) else {
                    return [Finding(.warning, "fail2ban does not say where it logs to", hint: "is it running, and is this user root?")]
                }
                settings.answered(question, text)
            }
            var verdict = Verdict()
            verdict.judge(
                ClusterStatus.SubscriberReport.Enforcer.Server(loglevel: settings.logLevel, logtarget: settings.logTarget),
                readLog: configuration.monitor?.logPath)
            return verdict.findings
        } catch {
            return [Finding(.warning, "fail2ban can't be asked where it logs to: \(error)", hint: "see fail2banclient in [general]")]
        }
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
            return [reached] + Verdict(of: host, in: status).findings + Verdict(of: status.publisher).findings
        } catch {
            return [Finding(.problem, "\(error)")]
        }
    }
}

/// The `check` of one daemon, run as a program: what it looks at is its own to know.
struct DaemonCheck {
    /// How long it may take: fail2ban-client and names that are looked up are waited for 5 s each.
    private static let limit: Duration = .seconds(30)
    private static let mostOutput = 1 << 20

    let findings: [Finding]

    init(_ section: Configuration.Section, _ configuration: Configuration) {
        let program = "fail2ban-\(section.rawValue)"
        do {
            let (text, status) = try DaemonCheck.run([DaemonCheck.path(of: program), "check", "-c", configuration.path])
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

    /// What it printed, and how it ended; `nil` when it had to be ended.
    private static func run(_ words: [String]) throws -> (text: String, ending: ChildProcess.Ending?) {
        var child = try ChildProcess(words, input: false)
        let deadline = ContinuousClock.now + limit
        var output: [UInt8] = []
        var polled = PollSet()
        while ContinuousClock.now < deadline, output.count < mostOutput {
            let reading = child.read(into: &output, limit: mostOutput - output.count)
            if reading == .closed, let ending = child.reap() {
                return (String(decoding: output, as: UTF8.self), ending)
            }
            polled.removeAll()
            polled.add(descriptor: reading == .closed ? child.endDescriptor : child.outputDescriptor)
            try polled.wait(until: deadline)
        }
        child.kill()
        return (String(decoding: output, as: UTF8.self), nil)
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
        }.joined() + (ok ? "nothing keeps this host from working in the cluster\n" : "")
    }
}

extension Verdict {
    /// For `check`.
    fileprivate var findings: [Finding] {
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
