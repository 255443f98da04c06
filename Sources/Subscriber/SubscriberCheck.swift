// Stage 3, broadcast -> wanted set -> enforcement: what would keep a subscriber from working on this host, each with its remedy.

import Daemon
import Glibc
import Wire
import ZeroMQ

/// What `fail2ban-subscriber check` looks at beyond the configuration's grammar. It changes nothing.
enum SubscriberCheck {
    /// How long fail2ban-client may take in all. 5 s: it starts in 60 ms, and fail2ban may be busy for a moment.
    static let clientLimit: Duration = .seconds(5)

    static func findings(_ configuration: Configuration) -> [Finding] {
        guard let settings = configuration.subscriber else { return [] }
        var findings = KeyDirectory(configuration.general.keyDirectory).clientFindings
        if settings.replyServers.isEmpty { findings.append(noReplyServer) }
        if settings.actions.contains(.fail2banClient) {
            findings += client(configuration.general.fail2banClient, settings.jail)
        }
        findings += settings.actions.contains(.nftables) ? nftables() : leftTable()
        if settings.actions.contains(.exec) { findings += command(settings.execCommand) }
        if !settings.prefixFilter.isEmpty, settings.actions.allSatisfy({ $0 != .log && $0 != .exec }) {
            findings.append(Finding(.warning, "zmqprefixfilter only acts on log and exec", hint: "remove it, or use one of them"))
        }
        return findings
    }

    /// A file of fail2ban-zmq-tools for a host that only subscribes has no such key.
    static let noReplyServer = Finding(
        .problem, "zmqreplyserver is missing: the subscriber asks the publisher there for what it missed",
        hint: "set zmqreplyserver in [subscriber] to the publisher's replybindurl", exitStatus: .configuration)

    static func command(_ words: [String]) -> [Finding] {
        var findings: [Finding] = []
        if let program = words.first, access(program, X_OK) != 0 {
            findings.append(
                Finding(
                    .problem, "execcommand cannot run \(program): \(SystemError.text(of: errno))",
                    hint: "name an executable file by its full path", exitStatus: .configuration))
        }
        let unknown = ExecCommand(words).unknownTags
        if !unknown.isEmpty {
            let known = ExecCommand.Tag.allCases.map(\.text).joined(separator: " ")
            findings.append(
                Finding(.warning, "execcommand has \(unknown.joined(separator: " ")), which is no tag", hint: "tags are \(known)"))
        }
        return findings
    }

    /// Asks the kernel for the table.
    static func nftables() -> [Finding] {
        let table = "table inet \(NftablesTable.name)"
        do throws(SystemError) {
            _ = try NftablesReader().read(.begin(.addresses4))
            return [Finding(.note, "nftables works, and \(table) is there")]
        } catch {
            switch error.nftablesObstacle {
            case .gone: return [Finding(.note, "nftables works; \(table) is not there yet")]
            case .passing: return [Finding(.warning, "nftables: \(error)", hint: error.nftablesRemedy)]
            case .person, .content:
                return [Finding(.problem, "nftables: \(error)", hint: error.nftablesRemedy, exitStatus: error.exitStatus)]
            }
        }
    }

    /// Looks for the table that a subscriber left which enforced by nftables: nobody lifts what it refuses.
    static func leftTable() -> [Finding] {
        // Whoever may not look, or has no nftables, hears nothing: it isn't asked for.
        guard (try? NftablesReader().read(.begin(.addresses4))) != nil else { return [] }
        return [
            Finding(
                .warning,
                "table inet \(NftablesTable.name) is still there, and subscriberaction has no nftables: its bans end only by their time",
                hint: "nft delete table inet \(NftablesTable.name)")
        ]
    }

    /// Asks fail2ban for its version and for what the jail bans. What may be so because fail2ban has not started yet does not keep the
    /// daemon from starting: it retries.
    static func client(_ program: [String], _ jail: Jail) -> [Finding] {
        let name = program.joined(separator: " ")
        do throws(SystemError) {
            var channel = try ClientChannel(program)
            let deadline = ContinuousClock.now + clientLimit
            let version = ask(.version, jail, &channel, deadline)
            guard case .version(let version) = version else { return [finding(version, jail, name)] }
            let list = ask(version.listsBans ? .list : .status, jail, &channel, deadline)
            let count: Int
            switch list {
            case .listed(let bans): count = bans.count
            case .banned(let addresses): count = addresses.count
            default: return [finding(list, jail, name)]
            }
            return [Finding(.note, "fail2ban \(version) is there, and its jail \(jail) bans \(count) addresses")]
        } catch {
            return [
                Finding(.problem, "fail2banclient: \(error)", hint: "install fail2ban, or name its command", exitStatus: error.exitStatus)
            ]
        }
    }

    private static func finding(_ reply: ClientReply, _ jail: Jail, _ program: String) -> Finding {
        let failure = if case .failure(let failure) = reply { failure } else { ClientFailure.unclear("answer to another command") }
        let (what, remedy) = failure.explanation(jail: jail, program: program)
        return failure.needsPerson
            ? Finding(.problem, what, hint: remedy, exitStatus: .permission) : Finding(.warning, what, hint: remedy)
    }

    private static func ask(
        _ command: ClientCommand, _ jail: Jail, _ channel: inout ClientChannel, _ deadline: ContinuousClock.Instant
    ) -> ClientReply {
        do throws(ZeroMQError) {
            switch try channel.ask(command.line(jail: jail), by: deadline) {
            case .answer(let text): return ClientReply(text, to: command)
            case .ended(let words): return .failure(.ended(words))
            case .nothing: return .failure(.silent)
            }
        } catch {
            return .failure(.ended(error.description))
        }
    }
}
