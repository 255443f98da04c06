// Fuzzing: who belongs to the cluster, and the files that keys stand in.

import Wire
import ZeroMQ

@testable import Daemon

extension FuzzTarget {
    /// The text of `authorized_hosts`; also as a key file.
    static let authorizedHosts = FuzzTarget(name: "authorized-hosts", longest: 4096) { input in
        try checkKeyFile(input)
        let hosts: AuthorizedHosts
        do {
            hosts = try AuthorizedHosts(parsing: input.text, file: "authorized_hosts")
        } catch let error as ConfigurationError {
            return try checkPrintable(error)
        }
        guard let again = try? AuthorizedHosts(parsing: hosts.text, file: "authorized_hosts") else { throw Finding("can't be read again") }
        try require(again.hosts == hosts.hosts, "means something else")
        for host in hosts.hosts {
            try require(!host.roles.isEmpty && hosts.roles(of: host.name) == host.roles, "\(host.name) has other roles")
            try require(hosts.host(with: host.key) == host, "the key of \(host.name) is another's")
            guard let alone = try? AuthorizedHosts(parsing: host.line, file: "") else { throw Finding("can't be read again: \(host.line)") }
            try require(alone.hosts == [host], "means something else: \(host.line)")
        }
        try require(!hosts.takesAway(from: again), "takes something away from itself")
    }
}

/// A key is read whole or not at all, and what stands in its place is never shown.
private func checkKeyFile(_ bytes: [UInt8]) throws {
    let memory = try MemoryFile(bytes)
    let file = KeyFile(path: memory.path, kind: .secret, origin: "make one")
    do {
        let key = try file.readKey { SecretKey(z85: $0) }
        try require(bytes.text.contains(key.z85) && "\(key)" == "(secret key)", "not the key of the file")
    } catch let error as ConfigurationError {
        let words = "\(error)"
        for word in bytes.text.split(separator: " ") where word.utf8.count > 20 { try require(!words.contains(word), "a secret: \(words)") }
    }
}

/// What is wrong can be shown on a terminal: it holds no control character but the newlines between the problems, and tabs.
func checkPrintable(_ error: ConfigurationError) throws(Finding) {
    try require(!error.problems.isEmpty, "an error without a problem")
    for scalar in error.description.unicodeScalars {
        try require(
            scalar == "\n" || scalar == "\t" || !(scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)),
            "not printable: \(error.problems)")
    }
}
