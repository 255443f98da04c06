// The operator's command: `revoke` shuts a host out of the cluster.

import ArgumentParser
import Daemon
import Wire
import ZeroMQ

struct RevokeCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Shut a host out of the cluster: its keys are not valid any more.",
        discussion: "Run it on the publisher's host. What the host has banned stays banned until its time.")

    @Argument(help: "The host's name, as `hosts` shows it.", transform: hostArgument)
    var host: Hostname

    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        let keys = try KeyDirectory(configuration.general.keyDirectory).changeAuthorizedHosts { hosts in
            let removed = hosts.remove(host)
            guard !removed.isEmpty else {
                throw ServiceError(
                    "\(host) is not authorised, so there is nothing to revoke", hint: "`fail2ban-cluster hosts` shows who is.")
            }
            return removed.map(\.key.z85).joined(separator: " and ")
        }
        return "revoked \(host), which had the key \(keys); a publisher that runs cuts it off within a second\n"
    }
}
