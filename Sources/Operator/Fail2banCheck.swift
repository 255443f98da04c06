// The operator's command: whether this host's fail2ban does its part: it logs its bans, and its jail refuses what the cluster bans.

import Daemon
import Glibc
import Wire

/// What `check` asks fail2ban, through fail2ban-client, and nft. It changes nothing.
struct Fail2banCheck {
    /// For all questions together: fail2ban may be busy for a moment.
    private static let limit: Duration = .seconds(10)
    /// conf/fail2ban/action.d/fail2ban-cluster-flush.py, by the name that fail2ban gives it.
    static let flush = "fail2ban-cluster-flush"

    private(set) var findings: [Finding] = []
    private let configuration: Configuration
    /// The jail that enforces; `nil` where fail2ban doesn't.
    private let jail: Jail?

    init(_ configuration: Configuration) {
        self.configuration = configuration
        jail = configuration.subscriber.flatMap { $0.actions.contains(.fail2banClient) ? $0.jail : nil }
        guard configuration.monitor != nil || jail != nil else { return }
        do {
            try ask()
        } catch let failure as ClientFailure {
            let program = configuration.general.fail2banClient.joined(separator: " ")
            let (what, remedy) = failure.explanation(jail: jail ?? .cluster, program: program)
            findings.append(Finding(.problem, what, hint: remedy))
        } catch {
            findings.append(
                Finding(.problem, "fail2banclient in [general]: \(error)", hint: "install fail2ban, or name its command"))
        }
    }

    private mutating func ask() throws {
        var channel = try ClientChannel(configuration.general.fail2banClient)
        let deadline = ContinuousClock.now + Fail2banCheck.limit
        func answer(to line: String, _ channel: inout ClientChannel) throws -> [UInt8] {
            switch try channel.ask(line, by: deadline) {
            case .answer(let text):
                if let failure = ClientFailure(text) { throw failure }
                return text
            case .ended(let words): throw ClientFailure.ended(words)
            case .nothing: throw ClientFailure.silent
            }
        }
        var settings = ServerSettings()
        while let question = settings.next(now: .now) {
            settings.answered(question, try answer(to: question.rawValue, &channel))
        }
        if let monitor = configuration.monitor { findings += Fail2banCheck.logFindings(settings, readLog: monitor.logPath) }
        guard let jail else { return }
        let actions = Fail2banCheck.actions(in: try answer(to: "get \(jail) actions", &channel))
        findings += Fail2banCheck.findings(actions: actions, of: jail)
        if actions.contains(where: { $0.hasPrefix("nftables") }), let finding = Fail2banCheck.nftables() { findings.append(finding) }
    }

    /// Whether fail2ban logs what the monitor reads.
    static func logFindings(_ settings: ServerSettings, readLog: String) -> [Finding] {
        var verdict = Verdict()
        verdict.judge(
            ClusterStatus.SubscriberReport.Enforcer.Server(loglevel: settings.logLevel, logtarget: settings.logTarget), readLog: readLog)
        return verdict.findings
    }

    /// The names in the last line of fail2ban-client's answer (fail2ban/client/beautifier.py): `fail2ban-cluster-flush, nftables-allports`;
    /// without actions it says so, in a line that ends with the jail's name.
    static func actions(in text: [UInt8]) -> [String] {
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        guard lines.count > 1, lines[lines.count - 2].hasSuffix("actions:"), let last = lines.last else { return [] }
        return last.split(separator: ",").map { String($0.drop { $0 == " " }) }
    }

    static func findings(actions: [String], of jail: Jail) -> [Finding] {
        // Not by fail2ban-client, behind which systemd stops the new server too.
        let restart = "then run: systemctl restart fail2ban"
        var findings: [Finding] = []
        if !actions.contains(where: { $0 != flush }) {
            findings.append(
                Finding(
                    .problem, "fail2ban's jail \(jail) has no action that bans",
                    hint: "see banaction_allports in jail.local, and conf/fail2ban/jail.d/\(jail).conf; \(restart)"))
        }
        if !actions.contains(flush) {
            findings.append(
                Finding(
                    .warning, "fail2ban's jail \(jail) lacks the action \(flush), so after fail2ban was killed addresses may stay refused",
                    hint: "copy conf/fail2ban/action.d and jail.d to /etc/fail2ban; \(restart)"))
        }
        return findings
    }

    /// Whether the command of an nftables action works.
    private static func nftables() -> Finding? {
        do {
            let (text, ending) = try BriefProgram.run(["nft", "list", "tables"], within: limit)
            guard ending != .exited(0) else { return nil }
            guard geteuid() == 0 else { return Finding(.note, "only root can see whether nft works") }
            return Finding(
                .problem, "nft does not work, and fail2ban bans by it: \(brief(text.utf8))",
                hint: "see that the kernel has nf_tables and that nothing forbids fail2ban to use it")
        } catch {
            return Finding(.problem, "nft can't be run, and fail2ban bans by it: \(error)", hint: "install nftables")
        }
    }
}
