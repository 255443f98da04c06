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
            Run it on the publisher's host. It replaces an earlier key and the roles of the same host, and keeps its addresses; with --add \
            the earlier key stays valid beside the new one, until `revoke --key` takes it away. KEY is the line of the host's host.pub, in \
            single quotes, or - to read it from standard input.
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

    @Flag(help: "Give a host that is authorised a second key, with the roles it has.")
    var add = false

    @OptionGroup var options: ConfigurationOption

    /// Keys that a host may have at once by this command: the old one and the new one.
    private static let mostKeys = 2

    func validate() throws {
        if key != "-" { _ = try keyArgument(key) }
        if add, roles != nil { throw ValidationError("With --add the host keeps its roles; leave out --roles.") }
    }

    func perform(_ configuration: Configuration) throws -> String {
        let key = try keyArgument(key)
        let keys = KeyDirectory(configuration.general.keyDirectory)
        return add ? try addKey(key, in: keys) : try replaceKeys(by: key, in: keys)
    }

    private func addKey(_ key: PublicKey, in directory: KeyDirectory) throws -> String {
        let lines = try directory.changeAuthorizedHosts { hosts in
            let present = hosts.hosts(named: host)
            guard !present.isEmpty else {
                throw ServiceError("\(host) is not authorised, so it has no key to add one to", hint: "Run it without --add")
            }
            guard present.count < AuthorizeCommand.mostKeys || present.contains(where: { $0.key == key }) else {
                let commands = present.map { revokeKeyCommand(host, $0.key) }.joined(separator: "\n")
                throw ServiceError("\(host) has \(present.count) keys already. Take away the one that it does not use:\n\(commands)")
            }
            guard try hosts.addKey(key, to: host) else {
                throw ServiceError("\(host) has this key already; nothing was changed")
            }
            return hosts.hosts(named: host)
        }
        let roles = AuthorizedHosts.text(of: lines.first?.roles ?? [], separator: ", ")
        let old = lines.filter { $0.key != key }
        return "authorised \(host) as \(roles) with this key too; its old key stays valid until:\n"
            + old.map { "    \(revokeKeyCommand(host, $0.key))\n" }.joined()
    }

    private func replaceKeys(by key: PublicKey, in directory: KeyDirectory) throws -> String {
        let roles = roles ?? AuthorizedHosts.defaultRoles
        let replaced = try directory.changeAuthorizedHosts { hosts in
            try hosts.authorize(AuthorizedHosts.Host(name: host, roles: roles, key: key, addresses: hosts.addresses(of: host)))
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
