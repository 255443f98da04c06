// The operator's command: `authorize` lets a host into the cluster.

import ArgumentParser
import Daemon
import Wire
import ZeroMQ

struct AuthorizeCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "authorize",
        abstract: "Let a host into the cluster, under a name, with a key and roles.",
        discussion: """
            Run it on the publisher's host. It replaces an earlier key and the roles of the same host, and keeps its addresses. KEY is the \
            line of the host's host.pub, in single quotes, or - to read it from standard input.
            """)

    @Argument(help: "The host's name, as in its configuration.", transform: hostArgument)
    var host: Hostname

    @Argument(help: "The host's public key in quotes, or - for standard input.")
    var key: String

    @Option(
        help: ArgumentHelp(
            "What the host may do: \(AuthorizedHosts.allRoles), separated by commas. (default: monitor,subscriber)", valueName: "roles"),
        transform: rolesArgument)
    var roles: Set<AuthorizedHosts.Role>?

    @OptionGroup var options: ConfigurationOption

    func validate() throws {
        if key != "-" { _ = try keyArgument(key) }
    }

    func perform(_ configuration: Configuration) throws -> String {
        let key = try keyArgument(key)
        let roles = roles ?? AuthorizedHosts.defaultRoles
        let replaced = try KeyDirectory(configuration.general.keyDirectory).changeAuthorizedHosts { hosts in
            let addresses = hosts.hosts.filter { $0.name == host }.flatMap(\.addresses)
            return try hosts.authorize(AuthorizedHosts.Host(name: host, roles: roles, key: key, addresses: addresses))
        }
        let old = replaced.filter { $0.key != key }.map { "; its old key \($0.key) is not valid any more" }.joined()
        return "authorised \(host) as \(AuthorizedHosts.text(of: roles, separator: ", "))\(old)\n"
    }
}

private func rolesArgument(_ text: String) throws -> Set<AuthorizedHosts.Role> {
    guard let roles = AuthorizedHosts.roles(text) else {
        throw ValidationError("allowed are \(AuthorizedHosts.allRoles), separated by commas without blanks.")
    }
    return roles
}
