// The operator's command: `init` begins a cluster with the keys of its publisher.

import ArgumentParser
import Daemon
import Wire
import ZeroMQ

struct InitCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Begin a cluster: make the publisher's keys, and this host's own with all roles.",
        discussion: """
            Run it on the publisher's host. Keys that are there stay as they are; when all of them are, it changes nothing and fails.
            """)

    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        guard configuration.publisher != nil else {
            throw ServiceError(
                "\(configuration.path) has no [publisher] section, so this is not the publisher's host",
                hint: "On every other host run: fail2ban-cluster keygen", exitStatus: .configuration)
        }
        let directory = KeyDirectory(configuration.general.keyDirectory)
        let publisher = try directory.makePublisherKeys()
        let own = try directory.makeHostKeys()
        let host = AuthorizedHosts.Host(
            name: configuration.general.hostname, roles: Set(AuthorizedHosts.Role.allCases), key: own.keys.publicKey)
        let isNew = try directory.changeAuthorizedHosts(creating: true) { hosts in
            guard hosts.host(with: host.key) == nil else { return false }
            try hosts.authorize(host)
            return true
        }
        let made = publisher.paths + own.paths
        guard isNew || !made.isEmpty else {
            throw ServiceError(
                "\(directory.path) holds the keys of a cluster already; nothing was changed",
                hint: "`fail2ban-cluster hosts` shows who belongs to it.")
        }
        let option = configurationArgument(configuration)
        return made.map { "made \($0)\n" }.joined()
            + (isNew ? "authorised \(host.name) as \(AuthorizedHosts.text(of: host.roles, separator: ", "))\n" : "") + """

                Next:
                  Start the publisher here:
                    fail2ban-publisher start\(option)
                  Copy \(directory.path)/publisher.pub into the folder of keys of every other host; it is no secret.
                  On each of them run:
                    fail2ban-cluster keygen
                  and here the command that it prints.

                """
    }
}
