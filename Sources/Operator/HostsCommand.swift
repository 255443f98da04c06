// The operator's command: `hosts` shows who belongs to the cluster.

import ArgumentParser
import Daemon
import Wire
import ZeroMQ

struct HostsCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "hosts",
        abstract: "Show who belongs to the cluster: name, roles, key and addresses.",
        discussion: "Run it on the publisher's host. It shows authorized_hosts, not who is connected.")

    @OptionGroup var output: JSONOption
    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        let hosts = try KeyDirectory(configuration.general.keyDirectory).authorizedHosts().hosts
        if output.json { return try JSONOutput.line(HostsOutput(hosts)) }
        var table = TextTable("HOST", "ROLES", "KEY", "ADDRESSES")
        table.rows = hosts.map { host in
            [
                host.name.description, AuthorizedHosts.text(of: host.roles, separator: ","), host.key.z85,
                host.addresses.isEmpty ? "-" : host.addresses.map(\.description).joined(separator: ","),
            ]
        }
        // Keys are pasted: they are never cut.
        return table.text(width: nil)
    }
}

/// What `hosts --json` prints.
struct HostsOutput: Encodable {
    /// A line of authorized_hosts.
    struct Host: Encodable {
        var host: String
        var roles: [String]
        var key: String
        var addresses: [String]
    }

    var hosts: [Host]

    init(_ hosts: [AuthorizedHosts.Host]) {
        self.hosts = hosts.map { host in
            Host(
                host: host.name.description, roles: host.roles.map(\.rawValue).sorted(), key: host.key.z85,
                addresses: host.addresses.map(\.description))
        }
    }
}
