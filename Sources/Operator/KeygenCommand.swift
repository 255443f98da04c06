// The operator's command: `keygen` makes a host's key pair and says how to authorise it.

import ArgumentParser
import Daemon
import Wire
import ZeroMQ

struct KeygenCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Make this host's key pair, and print the command that authorises it.",
        discussion: "Its secret half never leaves this host. It replaces no key that is there.")

    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        let directory = KeyDirectory(configuration.general.keyDirectory)
        let made = try directory.makeHostKeys()
        let command = authorizeCommand(configuration.general.hostname, made.keys.publicKey)
        guard !made.paths.isEmpty else {
            throw ServiceError(
                "\(directory.path)/host.key exists already; nothing was changed",
                hint: "Authorise it on the publisher's host by: \(command)")
        }
        return made.paths.map { "made \($0)\n" }.joined() + """

            On the publisher's host run:
                \(command)
            and copy its publisher.pub to \(directory.path)/publisher.pub here.

            """
    }
}
