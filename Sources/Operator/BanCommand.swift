// The operator's command: `fail2ban-cluster ban`, an order that every host enforces.

import ArgumentParser
import Daemon
import Wire

struct BanCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "ban", abstract: "Ban addresses on every host.",
        discussion: "The ban stands until its end, whatever the hosts report, or until `unban`. This host's key needs the role operator.")

    @OptionGroup var addresses: AddressArguments
    @OptionGroup var output: JSONOption
    @OptionGroup var options: ConfigurationOption
    @Option(
        name: .customLong("for"), parsing: .unconditional,
        help: ArgumentHelp("How long: 10m, 1h, 1d, 1w, or -1 for ever. Default: the publisher's maxbantime.", valueName: "time"))
    var duration: BanDuration?
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var note = ""

    func perform(_ configuration: Configuration) throws -> String {
        let addresses = try addresses.parse()
        var conversation = try Conversation(configuration)
        try conversation.order(.ban, addresses, for: duration, note: note)
        if output.json {
            return try JSONOutput.line(OrderOutput(order: Order.Command.ban.rawValue, addresses: addresses.map(\.description)))
        }
        return addresses.map { "banned \($0)\n" }.joined()
    }
}

/// A time as fail2ban has it, or -1 for ever.
struct BanDuration: ExpressibleByArgument {
    /// `nil` is for ever.
    var duration: Duration?

    init?(argument: String) {
        self.init(argument, atLeast: 1)
    }

    /// - Parameter least: seconds; a shorter time is none.
    init?(_ text: String, atLeast least: Int64) {
        guard text != "-1" else { return }
        guard let seconds = DurationText.seconds(text), seconds >= least else { return nil }
        duration = .seconds(seconds)
    }
}

extension Conversation {
    /// Gives an order on any number of addresses, as many at a time as one request holds.
    mutating func order(_ command: Order.Command, _ addresses: [Address], for duration: BanDuration? = nil, note: String) throws {
        var progress = Progress()
        defer { progress.end() }
        for start in stride(from: 0, to: addresses.count, by: Order.addressLimit) {
            let part = Array(addresses[start..<min(start + Order.addressLimit, addresses.count)])
            do {
                _ = try ask {
                    let now = Timestamp.now
                    let end: BanEnd =
                        switch duration {
                        case nil: .unknown
                        case .some(let time): time.duration.map { .at(now.advanced(byMilliseconds: $0.milliseconds)) } ?? .permanent
                        }
                    return Order(command, now: now, end: end, note: note, addresses: part).message
                }
            } catch let error as ServiceError where start > 0 {
                throw ServiceError(
                    "the first \(start) of \(addresses.count) addresses are done, and no more: \(error.message)", hint: error.hint,
                    exitStatus: error.exitStatus)
            }
            progress.tell("\(start + part.count) of \(addresses.count) addresses done")
        }
    }
}
