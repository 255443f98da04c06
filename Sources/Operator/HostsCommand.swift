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

    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        let hosts = try KeyDirectory(configuration.general.keyDirectory).authorizedHosts().hosts
        let rows =
            [["HOST", "ROLES", "KEY", "ADDRESSES"]]
            + hosts.map { host in
                [
                    host.name.description, AuthorizedHosts.text(of: host.roles, separator: ","), host.key.z85,
                    host.addresses.isEmpty ? "-" : host.addresses.map(\.description).joined(separator: ","),
                ]
            }
        return table(rows)
    }
}

/// Rows of the same number of cells, in columns two blanks apart.
private func table(_ rows: [[String]]) -> String {
    let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
        let cells = row.enumerated().map { column, cell in
            column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
        }
        return cells.joined(separator: "  ") + "\n"
    }.joined()
}
