// The operator's command: `fail2ban-cluster unban`, which lifts every ban of an address on every host, and may allow it for a time.

import ArgumentParser
import Daemon
import Wire

struct UnbanCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "unban", abstract: "Lift every ban of addresses, on every host.",
        discussion: """
            All present bans of the addresses end, those of hosts and of operators. With --for, no host's ban of them counts until then, nor \
            one of a prefix that has them in it; of a prefix, all bans in it end, and none there counts. An operator's ban of the same \
            address ends that; `unban` without --for leaves it as it is. This host's key needs the role operator.
            """)

    @OptionGroup var addresses: AddressArguments
    @OptionGroup var output: JSONOption
    @OptionGroup var options: ConfigurationOption
    @Option(
        name: .customLong("for"), parsing: .unconditional,
        help: ArgumentHelp(
            "Allow them too, so long: 10m, 1h, 1d, 1w, or -1 for ever; 0 ends what is allowed.", valueName: "time"),
        transform: UnbanCommand.allowedTime)
    var duration: BanDuration?
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var note = ""

    func perform(_ configuration: Configuration) throws -> String {
        let addresses = try addresses.parse()
        var conversation = try Conversation(configuration)
        let command: Order.Command = duration == nil ? .unban : .allow
        try conversation.order(command, addresses, for: duration, note: note)
        if output.json { return try JSONOutput.line(OrderOutput(order: command.rawValue, addresses: addresses.map(\.description))) }
        return addresses.map { "unbanned \($0)\(outcome)\n" }.joined()
    }

    private var outcome: String {
        guard let duration else { return "" }
        guard let time = duration.duration else { return ", allowed for ever" }
        return time == .zero ? ", no longer allowed" : ", allowed for \(DurationText.text(time))"
    }

    private static func allowedTime(_ text: String) throws -> BanDuration {
        guard let time = BanDuration(text, atLeast: 0) else { throw ValidationError("`\(text)` is no time: 10m, 1h, 1d, 1w, -1 or 0") }
        return time
    }
}
