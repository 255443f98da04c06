// Stage 3, enforcement: bans what is wanted through this host's fail2ban. It carries what the dialogue decides.

import Daemon
import Logging
import Wire
import ZeroMQ

/// Enforces through a jail of fail2ban, by `fail2ban-client`.
final class ClientEnforcer: Enforcer {
    let name = "fail2ban-client"

    /// How long an answer is waited for. 30 s: fail2ban answers a call of ours within 0.3 s, but finishes everyone else's first, and
    /// banning 5,000 addresses by hand takes it as long.
    static let answerTimeout: Duration = .seconds(30)

    private let program: [String]
    private let jail: Jail
    private let log: Logger
    private var dialogue: ClientDialogue
    private var channel: ClientChannel?
    private var underWay: (said: Said, since: ContinuousClock.Instant)?
    private var settings = ServerSettings()
    private var applied: [Address] = []
    private(set) var trouble: String?
    private var wakesAt: ContinuousClock.Instant?
    private var random = SystemRandomNumberGenerator()
    /// They are tried again with each comparison.
    private var rejections = RateLimit(burst: 5, interval: .seconds(3600))

    /// What waits for its answer.
    private enum Said {
        case command(ClientCommand)
        case question(ServerSettings.Question)
    }

    /// - Parameters:
    ///   - program: fail2ban-client and its arguments.
    ///   - reconcile: how often the jail is compared with what is wanted when all is well.
    init(program: [String], jail: Jail, reconcile: Duration = .seconds(300), log: Logger) {
        dialogue = ClientDialogue(reconcile: reconcile)
        self.program = program
        self.jail = jail
        self.log = log
    }

    /// Whether what the jail bans agreed with what is wanted when it was last looked at.
    var isSettled: Bool { dialogue.isSettled }
    var hasUnexplained: Bool { dialogue.hasUnexplained }

    var version: String? { dialogue.version?.description }

    var waiting: Int {
        switch underWay?.said {
        case .command(.ban(let told)), .command(.unban(let told)), .command(.unbanEverywhere(let told)): dialogue.work.count + told.count
        default: dialogue.work.count
        }
    }

    var server: JSONText? {
        var json = JSONText()
        json.set("loglevel", settings.logLevel)
        json.set("logtarget", settings.logTarget)
        return json
    }

    func takeApplied() -> [Address] {
        defer { applied = [] }
        return applied
    }

    func take(_ change: WantedSet.Change) { dialogue.take(change) }

    func add(to polled: inout PollSet) {
        switch channel {
        case .some(let channel): polled.add(descriptor: channel.descriptor)
        case .none: break
        }
    }

    var deadline: ContinuousClock.Instant? { underWay.map { $0.since + ClientEnforcer.answerTimeout } ?? wakesAt }

    func advance(wanted: WantedSet, now: ContinuousClock.Instant) {
        receive(wanted, now)
        wakesAt = nil
        while underWay == nil {
            switch dialogue.next(wanted: wanted, now: now) {
            case .tell(let command): tell(command, now)
            case .wait(let until):
                if dialogue.isSettled, let question = settings.next(now: now) {
                    underWay = (.question(question), now)
                    channel?.send(question.rawValue)
                    return
                }
                wakesAt = [until, dialogue.isSettled ? settings.deadline : nil].compactMap(\.self).min()
                return
            }
        }
    }

    func drain() { dialogue.drain() }

    var isDrained: Bool { dialogue.isDrained }

    private func tell(_ command: ClientCommand, _ now: ContinuousClock.Instant) {
        underWay = (.command(command), .now)
        do throws(SystemError) {
            if channel == nil { channel = try ClientChannel(program) }
            channel?.send(command.line(jail: jail))
        } catch {
            fail(.ended(error.description), now)
        }
    }

    private func receive(_ wanted: WantedSet, _ now: ContinuousClock.Instant) {
        switch channel?.receive() {
        case .nothing, nil:
            guard let underWay, now >= underWay.since + ClientEnforcer.answerTimeout else { return }
            channel = nil
            fail(.silent, now)
        case .answer(let text):
            guard let (said, since) = underWay.take() else { return }
            switch said {
            case .question(let question):
                // Where nothing is to be banned, this is how a fail2ban that was stopped is noticed.
                if let failure = ClientFailure(text), failure.isOfTheServer { return fail(failure, now) }
                settings.answered(question, text)
            case .command(let command):
                let reply = ClientReply(text, to: command)
                if case .ban(let addresses) = command, case .count = reply { applied += addresses }
                report(dialogue.answered(reply, took: .now - since, wanted: wanted, now: now, using: &random))
            }
        case .ended(let words):
            channel = nil
            // Ended while nothing was asked, by a person or the system: the next command starts it again.
            if underWay != nil { fail(.ended(words), now) }
        }
    }

    private func fail(_ failure: ClientFailure, _ now: ContinuousClock.Instant) {
        underWay = nil
        settings.outdate()
        report(dialogue.failed(failure, now: now, using: &random))
    }

    private func report(_ notices: [ClientDialogue.Notice]) {
        for notice in notices {
            switch notice {
            case .connected(let version, let banned):
                trouble = nil
                log.notice("fail2ban \(version) is there; its jail \(jail) bans \(banned) addresses")
            case .told(let command, let count, let took):
                trouble = nil
                log.info("\(command.summary) in \(took.milliseconds) ms; \(count) changed", metadata: ["jail": "\(jail)"])
            case .failing(let failure, let persistent):
                let (what, remedy) = failure.explanation(jail: jail, program: program.joined(separator: " "))
                trouble = remedy.map { "\(what). \($0)" } ?? what
                let sentence = "\(what); what is banned meanwhile is kept and applied later"
                guard persistent || failure.needsPerson else {
                    log.warning("\(sentence)")
                    continue
                }
                log.error("\(remedy.map { "\(sentence). Remedy: \($0)" } ?? sentence)")
            case .unenforced(let prefixes, let actions, let version):
                let names = prefixes.map(\.description).joined(separator: " ")
                log.error(
                    """
                    banned, but let through by the firewall: \(names); before fail2ban 1.1.1 the sets of \(actions) take no prefixes, and \
                    this is \(version). Remedy: banaction_allports = iptables-allports, or a newer fail2ban
                    """, metadata: ["jail": "\(jail)"])
            case .rejected(let address, let reason):
                guard let note = rejections.heldBackNote(at: .now) else { continue }
                log.error("fail2ban does not take \(address), which is tried again later: \(reason)\(note)", metadata: ["jail": "\(jail)"])
            }
        }
    }
}

extension ClientCommand {
    /// For the log: `ban 192.0.2.1 192.0.2.2` or `ban 50 addresses, 192.0.2.1 to 192.0.2.50`.
    fileprivate var summary: String {
        let verb =
            switch self {
            case .version: "version"
            case .limit: "limit"
            case .list, .status: "list"
            case .actions: "actions"
            case .ban: "ban"
            case .renew: "renew"
            case .unban: "unban"
            case .unbanEverywhere: "unban in every jail"
            }
        let addresses = addresses
        guard addresses.count > 5, let first = addresses.first, let last = addresses.last else {
            return ([verb] + addresses.map(\.description)).joined(separator: " ")
        }
        return "\(verb) \(addresses.count) addresses, \(first) to \(last)"
    }
}
