// The operator's command: `fail2ban-cluster history`, what hosts and operators did.

import ArgumentParser
import Daemon
import Glibc
import Wire

struct HistoryCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show what was banned, lifted and refused, and by whom.",
        discussion: """
            The newest events of the publisher's journal that match all options, the oldest of them first. They are kept for `retention` (90d).
            """)

    @Argument(help: "Only what is about this address or prefix, or one that has an address in common with it.", transform: addressArgument)
    var address: Address?
    @Option(help: "Only of this jail.", transform: jailArgument)
    var jail: Jail?
    @Option(help: "Only of this host.", transform: hostArgument)
    var host: Hostname?
    @Option(help: "Only bans, what was lifted or ended (unban), what was refused, or operators' orders.")
    var kind: HistoryKind?
    @Option(help: ArgumentHelp("Only from then on: 1h, 7d, 2026-11-21 or '2026-11-21 08:00' (local time).", valueName: "time"))
    var since: Moment?
    @Option(help: ArgumentHelp("Only up to then.", valueName: "time"))
    var until: Moment?
    @Option(name: [.customShort("n"), .long], help: "The most events that are shown.")
    var limit = 50
    @OptionGroup var output: JSONOption
    @OptionGroup var options: ConfigurationOption

    func validate() throws {
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit is 1 to 100000.") }
    }

    func perform(_ configuration: Configuration) throws -> String {
        var question: Header = [:]
        question["address"] = address?.description
        question["jail"] = jail?.description
        question["host"] = host?.description
        question["kind"] = kind?.rawValue
        question["since"] = since.map { $0.time.description }
        question["until"] = until.map { $0.time.description }
        var conversation = try Conversation(configuration)
        let events = try conversation.history(question, limit: limit)
        if output.json { return try JSONOutput.line(["events": events]) }
        return events.isEmpty ? "nothing happened\n" : events.map(\.line).joined()
    }
}

/// A point in time on the command line: how long ago, or a date of the local calendar with or without a time of day.
struct Moment: ExpressibleByArgument {
    let time: Timestamp

    init?(argument: String) { self.init(argument, now: .now) }

    init?(_ text: String, now: Timestamp) {
        if let seconds = DurationText.seconds(text) {
            time = now.advanced(byMilliseconds: -seconds * 1000)
            return
        }
        let isUTC = text.hasSuffix("Z")
        let fields = (isUTC ? text.dropLast() : text[...]).split(
            omittingEmptySubsequences: false, whereSeparator: { $0 == "-" || $0 == ":" || $0 == " " || $0 == "T" })
        let numbers = fields.compactMap { field in field.allSatisfy(\.isASCII) ? Int32(field) : nil }
        guard numbers.count == fields.count, [3, 5, 6].contains(numbers.count), numbers[0] >= 1970, numbers[0] <= 9999 else { return nil }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday, parts.tm_isdst) = (numbers[0] - 1900, numbers[1] - 1, numbers[2], -1)
        if numbers.count > 3 { (parts.tm_hour, parts.tm_min) = (numbers[3], numbers[4]) }
        if numbers.count > 5 { parts.tm_sec = numbers[5] }
        // These functions take the 31st of September for the 1st of October; what they change was no date.
        let given = [parts.tm_mon, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec]
        let seconds = isUTC ? timegm(&parts) : mktime(&parts)
        guard given == [parts.tm_mon, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec], seconds >= 0 else { return nil }
        time = Timestamp(milliseconds: Int64(seconds) * 1000)
    }
}

/// An argument that is an address or a prefix.
func addressArgument(_ text: String) throws -> Address {
    guard let address = Address(text) else { throw ValidationError("`\(text)` is not an IPv4 or IPv6 address or prefix.") }
    return address
}

/// An argument that is a jail.
func jailArgument(_ text: String) throws -> Jail {
    guard let jail = Jail(text) else { throw ValidationError("`\(text)` is not the name of a jail.") }
    return jail
}

extension HistoryKind: ExpressibleByArgument {}
