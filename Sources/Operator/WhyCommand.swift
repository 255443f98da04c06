// The operator's command: `fail2ban-cluster why ADDRESS`, why it is banned or why it isn't, and all that the cluster knows of it.

import ArgumentParser
import Daemon
import Wire

struct WhyCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "Say why an address is banned or isn't, and all that the cluster knows of it.",
        discussion: """
            Who holds it until when, whether it is protected or allowed, on how many hosts the ban is applied, and in the order of time who \
            banned and lifted it and what was refused by which rule. Exit status 0, banned or not.
            """)

    @Argument(help: "An IPv4 or IPv6 address or prefix.", transform: addressArgument)
    var address: Address
    @Option(name: [.customShort("n"), .long], help: "The most events that are shown.")
    var limit = 200
    @OptionGroup var output: JSONOption
    @OptionGroup var options: ConfigurationOption

    func validate() throws {
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit is 1 to 100000.") }
    }

    func perform(_ configuration: Configuration) throws -> String {
        var conversation = try Conversation(configuration)
        let standing = try conversation.query(["what": "address", "address": address.description], as: Standing.self)
        let status = try conversation.status()
        let events = try conversation.history(["address": address.description], limit: limit)
        let story = Story(standing, status, events)
        return output.json ? try JSONOutput.line(story) : story.text
    }
}

/// The answer to `QUERY what=address`.
struct Standing: Codable, Equatable {
    /// The address, a prefix around it, or what is banned in the prefix.
    struct Record: Codable, Equatable {
        struct Holder: Codable, Equatable {
            var host: String
            var jail: String
            var seen: Int64
            /// `nil` is for ever.
            var end: Int64?
        }

        var address: String
        var banned: Bool
        /// Of what is banned; `nil` is for ever.
        var end: Int64?
        var holders: [Holder]
    }

    var address: String
    /// The publisher's clock.
    var now: Int64
    var quorum: Int
    var records: [Record]
    /// The publisher's rule that forbids to ban it.
    var protected: String?
    /// What an operator allows.
    var allowed: String?
}

/// All that is known of an address, as `why` prints it. A value without clock or I/O.
struct Story: Encodable {
    /// Where one ban is applied.
    struct Applied: Encodable, Equatable {
        var address: String
        /// Hosts that have applied it.
        var hosts: Int
        /// All that should.
        var of: Int
        /// Each host that hasn't, and why.
        var missing: [String]
    }

    var standing: Standing
    var banned: Bool
    /// One sentence.
    var verdict: String
    var applied: [Applied]
    var events: [HistoryEvent]

    init(_ standing: Standing, _ status: ClusterStatus, _ events: [HistoryEvent]) {
        self.standing = standing
        self.events = events
        // A ban of a prefix around it bans it too; what is banned in a prefix doesn't ban the prefix.
        let address = Address(standing.address)
        let bans = standing.records.filter { record in
            record.banned && (Address(record.address).flatMap { around in address.map { around.contains($0) } } ?? false)
        }
        banned = !bans.isEmpty
        applied = bans.map { ban in Story.applied(ban, status, events) }
        verdict = bans.first.map { Story.why($0, standing) } ?? Story.whyNot(standing, events)
    }

    private static func why(_ ban: Standing.Record, _ standing: Standing) -> String {
        let subject = ban.address == standing.address ? "" : ", as part of \(ban.address)"
        let end = ban.end.map { milliseconds in
            let (end, now) = (Timestamp(milliseconds: milliseconds), Timestamp(milliseconds: standing.now))
            return "until \(end.utcText), for another \(TimeSpan.text(seconds: max(end.milliseconds(since: now), 0) / 1000))"
        }
        let holders = ban.holders.map { $0.jail == Jail.cluster.description ? "an operator on \($0.host)" : "\($0.host)/\($0.jail)" }
        return "\(standing.address) is banned\(subject) \(end ?? "for ever"), by \(holders.joined(separator: ", "))"
    }

    private static func whyNot(_ standing: Standing, _ events: [HistoryEvent]) -> String {
        // Of a prefix, what is banned in it doesn't ban the rest.
        let inside = standing.records.filter { $0.banned && $0.address != standing.address }.map(\.address)
        guard inside.isEmpty else {
            let names = inside.prefix(5).joined(separator: ", ") + (inside.count > 5 ? ", …" : "")
            return "\(standing.address) is not banned as a whole; in it are: \(names)"
        }
        let head = "\(standing.address) is not banned: "
        if let rule = standing.protected {
            let reload = "fail2ban-publisher reload"
            let remedy =
                "to have it banned all the same, take it out of ignoreip in [publisher] on the publisher's host, and run there: \(reload)"
            return head + "it must never be, since \(rule)" + (rule.hasPrefix("ignoreip") ? "; \(remedy)" : "")
        }
        if let allowed = standing.allowed { return head + allowed }
        if let record = standing.records.first(where: { $0.address == standing.address && !$0.holders.isEmpty }) {
            let hosts = Set(record.holders.map(\.host))
            return head
                + "\(hosts.count) of \(standing.quorum) hosts hold it that it takes (quorum): \(hosts.sorted().joined(separator: ", "))"
        }
        // What is about other addresses ends no ban of this one.
        let own = events.filter { $0.address == standing.address }
        // The hosts' answers to an operator's unban come behind it, and change nothing.
        guard let last = own.last(where: { $0.number != nil }) ?? own.last else {
            return head + "no host has reported it, and no operator ordered it, as far as the journal goes back"
        }
        if last.kind == "refused" { return head + "what was reported last was refused" }
        switch (last.action, last.cause) {
        case ("Unban", "expired"): return head + "its ban ended at its time, \(Timestamp(milliseconds: last.at).utcText)"
        case ("Unban", "operator"): return head + "an operator on \(last.host) lifted it, \(Timestamp(milliseconds: last.at).utcText)"
        case ("Unban", _): return head + "\(last.host) lifted it, \(Timestamp(milliseconds: last.at).utcText)"
        default: return head + "its ban was over when it was reported, or was moved to its end"
        }
    }

    private static func applied(_ ban: Standing.Record, _ status: ClusterStatus, _ events: [HistoryEvent]) -> Applied {
        let number = events.last { $0.address == ban.address && $0.number != nil }?.number
        let hosts = status.hosts.filter(\.hasSubscriber)
        let missing = hosts.filter { host in
            if let number { return !host.hasApplied(number: number, of: ban.address, term: status.term) }
            return !host.hasApplied(announcedBy: ban.holders.map(\.seen).max() ?? 0, of: ban.address)
        }
        return Applied(
            address: ban.address, hosts: hosts.count - missing.count, of: hosts.count,
            missing: missing.map { host in
                if host.subscriber?.state.refused?.contains(ban.address) == true {
                    return "\(host.host): refused by its own rules: see ignoreip in [subscriber] there; its own addresses are never banned"
                }
                return "\(host.host): \(Verdict(of: host, in: status).sentence)"
            })
    }

    var text: String {
        var lines = [verdict]
        if banned, let rule = standing.protected { lines.append("protected now, so it is about to be lifted: \(rule)") }
        for record in standing.records where record.banned {
            for holder in record.holders {
                let end = holder.end.map { "until \(Timestamp(milliseconds: $0).utcText)" } ?? "for ever"
                lines.append(
                    "  \(record.address): \(holder.host)/\(holder.jail), since \(Timestamp(milliseconds: holder.seen).utcText), \(end)")
            }
        }
        for ban in applied {
            lines.append("applied on \(ban.hosts) of \(ban.of) hosts")
            lines += ban.missing.map { "  not on \($0)" }
        }
        let story = events.isEmpty ? "" : "\n" + events.map(\.line).joined()
        return lines.map { LogText.escaped($0) + "\n" }.joined() + story
    }
}
