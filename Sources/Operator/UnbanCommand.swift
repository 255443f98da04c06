// The operator's command: `fail2ban-cluster unban`, which lifts every ban of an address on every host.

import ArgumentParser
import Daemon
import Wire

struct UnbanCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "unban", abstract: "Lift every ban of addresses, on every host.",
        discussion: "All present bans of the addresses end, those of hosts and of operators. This host's key needs the role operator.")

    @OptionGroup var addresses: AddressArguments
    @OptionGroup var options: ConfigurationOption
    @Option(help: ArgumentHelp("Why, for the history.", valueName: "text"))
    var note = ""

    func perform(_ configuration: Configuration) throws -> String {
        let addresses = try addresses.parse()
        var conversation = try Conversation(configuration)
        try conversation.order(.unban, addresses, note: note)
        return addresses.map { "unbanned \($0)\n" }.joined()
    }
}
