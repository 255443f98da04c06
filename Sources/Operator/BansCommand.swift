// The operator's command: `fail2ban-cluster bans`, what is banned now, until when and by whom, and what is allowed.

import ArgumentParser
import Daemon
import Wire

struct BansCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "bans", abstract: "Show what is banned now, until when, who holds it, and where it is applied.",
        discussion: """
            APPLIED is on how many of the hosts with a subscriber the ban is applied, by what they told last: seconds after a ban of all. \
            `why ADDRESS` names those that lack it.
            """)

    @Argument(help: "Only what has an address in common with this address or prefix.", transform: addressArgument)
    var address: Address?
    @Option(help: "Only what is held in this jail.", transform: jailArgument)
    var jail: Jail?
    @Option(help: "Only what this host holds.", transform: hostArgument)
    var host: Hostname?
    @Flag(help: "Show instead what `unban --for` allows, and until when.")
    var allowed = false
    @OptionGroup var output: JSONOption
    @OptionGroup var options: ConfigurationOption

    func validate() throws {
        if allowed, address != nil || jail != nil || host != nil {
            throw ValidationError("--allowed shows all that is allowed; ADDRESS, --jail and --host choose among bans.")
        }
    }

    func perform(_ configuration: Configuration) throws -> String {
        var conversation = try Conversation(configuration)
        let page = try pages(&conversation)
        if allowed { return output.json ? try JSONOutput.line(AllowedOutput(page)) : page.allowedTable(width: Terminal.width) }
        let status = try conversation.status()
        let shown = BansOutput(page, status)
        return output.json ? try JSONOutput.line(shown) : shown.table(width: Terminal.width)
    }

    /// All pages in one.
    private func pages(_ conversation: inout Conversation) throws -> BanPage {
        var question: Header = ["what": allowed ? "allowed" : "bans"]
        question["address"] = address?.description
        question["jail"] = jail?.description
        question["host"] = host?.description
        var all = try page(question, after: nil, &conversation)
        var progress = Progress()
        while let next = all.next {
            question["after"] = next.description
            let page = try page(question, after: next, &conversation)
            all.bans += page.bans
            all.allowed += page.allowed
            all.next = page.next
            progress.tell("\(all.bans.count + all.allowed.count) found, at \(next)")
        }
        progress.end()
        return all
    }

    private func page(_ question: Header, after: Address?, _ conversation: inout Conversation) throws -> BanPage {
        try BanPage(json: try conversation.ask { Message(.query, question) }.body, after: after)
    }
}

/// What `bans --allowed --json` prints.
struct AllowedOutput: Encodable {
    struct Allowed: Encodable {
        var address: String
        /// Milliseconds since the epoch; missing for ever.
        var end: Int64?
    }

    var allowed: [Allowed]
    var now: Int64

    init(_ page: BanPage) {
        allowed = page.allowed.map { Allowed(address: $0.address.description, end: $0.end?.milliseconds) }
        now = page.now.milliseconds
    }
}

/// What `bans` prints, and with `--json` as it is.
struct BansOutput: Encodable {
    struct Holder: Encodable {
        var host: String
        var jail: String
        var seen: Int64?
        var end: Int64?
    }

    struct Ban: Encodable {
        var address: String
        /// Milliseconds since the epoch; missing for a permanent one.
        var end: Int64?
        /// Milliseconds until then.
        var endsIn: Int64?
        var holders: [Holder]
        /// Hosts that have applied it.
        var applied: Int
    }

    var now: Int64
    /// Hosts with a subscriber.
    var hosts: Int
    var bans: [Ban]

    init(_ page: BanPage, _ status: ClusterStatus) {
        now = page.now.milliseconds
        let subscribers = status.hosts.filter(\.hasSubscriber)
        hosts = subscribers.count
        bans = page.bans.map { ban in
            // The latest hold may be the one that was announced last.
            let began = ban.holders.compactMap(\.seen).max() ?? page.now
            let address = ban.address.description
            return Ban(
                address: address, end: ban.end?.milliseconds, endsIn: ban.end.map { max($0.milliseconds(since: page.now), 0) },
                holders: ban.holders.map { holder in
                    Holder(
                        host: holder.host.description, jail: holder.jail.description, seen: holder.seen?.milliseconds,
                        end: holder.end?.milliseconds)
                },
                applied: subscribers.count { $0.hasApplied(announcedBy: began.milliseconds, of: address) })
        }
    }

    /// - Parameter width: see ``TextTable/text(width:)``.
    func table(width: Int?) -> String {
        guard !bans.isEmpty else { return "nothing is banned\n" }
        var table = TextTable("ADDRESS", "ENDS IN", "APPLIED", "HELD BY", dispensable: [2])
        table.rows = bans.map { ban in
            [
                ban.address, ban.endsIn.map { TimeSpan.text(seconds: $0 / 1000) } ?? "never", "\(ban.applied) of \(hosts)",
                ban.holders.map { "\($0.host)/\($0.jail)" }.joined(separator: " "),
            ]
        }
        return table.text(width: width)
    }
}
