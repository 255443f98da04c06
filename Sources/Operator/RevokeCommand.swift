// The operator's command: `revoke` shuts a host out of the cluster.

import ArgumentParser
import Daemon
import Wire
import ZeroMQ

struct RevokeCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Shut a host out of the cluster: its keys are not valid any more.",
        discussion: """
            Run it on the publisher's host. A publisher that runs cuts the host off within a second. What the host has banned stays banned \
            until its time; with --withdraw it ends at once, on every host, unless others ban it too. With --key the host goes on with \
            another key that it has, as after `rekey`.
            """)

    @Argument(help: "The host's name, as `hosts` shows it.", transform: hostArgument)
    var host: Hostname

    @Flag(help: "End all that the host has banned, too. This host's key needs the role operator.")
    var withdraw = false

    @Option(
        help: ArgumentHelp("Take away this one of the host's keys only, given in quotes.", valueName: "key"),
        transform: keyOptionArgument)
    var key: PublicKey?

    @OptionGroup var options: ConfigurationOption

    func validate() throws {
        if key != nil, withdraw { throw ValidationError("--withdraw is for a host that is shut out; with --key it stays.") }
    }

    func perform(_ configuration: Configuration) throws -> String {
        try key.map { try take($0, configuration) } ?? shutOut(configuration)
    }

    /// Takes one of several keys away.
    private func take(_ key: PublicKey, _ configuration: Configuration) throws -> String {
        let left = try KeyDirectory(configuration.general.keyDirectory).changeAuthorizedHosts { hosts in
            let present = hosts.hosts(named: host)
            guard present.contains(where: { $0.key == key }) else {
                throw ServiceError("\(host) does not have this key; nothing was changed", hint: "`fail2ban-cluster hosts` shows its keys.")
            }
            guard present.count > 1 else {
                throw ServiceError(
                    "this is the only key of \(host); nothing was changed", hint: "To shut it out: fail2ban-cluster revoke \(host)")
            }
            hosts.removeKey(key)
            return hosts.hosts(named: host)
        }
        return "revoked the key \(key) of \(host), which goes on with \(left.map(\.key.z85).joined(separator: " and "))\n"
    }

    private func shutOut(_ configuration: Configuration) throws -> String {
        let keys = try KeyDirectory(configuration.general.keyDirectory).changeAuthorizedHosts { hosts in
            let removed = hosts.remove(host)
            // Withdrawing may have failed the first time, when the publisher was not there.
            guard !removed.isEmpty || withdraw else {
                throw ServiceError(
                    "\(host) is not authorised, so there is nothing to revoke", hint: "`fail2ban-cluster hosts` shows who is.")
            }
            return removed.map(\.key.z85).joined(separator: " and ")
        }
        var text = keys.isEmpty ? "" : "revoked \(host), which had the key \(keys); a publisher that runs cuts it off within a second\n"
        if withdraw {
            // The publisher reads authorized_hosts before it takes the order, so the host can't ban again behind it.
            var conversation = try Conversation(configuration)
            _ = try conversation.ask { Order(withdrawing: host, now: .now).message }
            text += "withdrawn: all that \(host) banned\n"
        }
        return text
    }
}

private func keyOptionArgument(_ text: String) throws -> PublicKey {
    guard let key = PublicKey(z85: text) else {
        throw ValidationError("allowed are 40 characters of Z85, as `hosts` shows them, in quotes.")
    }
    return key
}
