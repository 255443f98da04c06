// One host of a lab, asked from outside as an administrator would: fail2ban-client and nft tell what it enforces.

import FoundationEssentials
import Glibc

/// A host `webN` of a ``Lab``. Each question and order runs scripts/lab and throws ``LabError`` when that fails.
public struct LabHost: Sendable {
    /// What can be done to a host's fail2ban: `kill` is SIGKILL.
    public enum Fail2banAction: String, Sendable {
        case start, stop, restart, kill
    }

    /// 1 for `web1`.
    public let number: Int
    private let lab: String

    init(number: Int, lab: String) {
        self.number = number
        self.lab = lab
    }

    public var name: String { "web\(number)" }
    public var ipv4: String { "192.0.2.\(number)" }
    public var ipv6: String { "2001:db8::\(number)" }
    /// Its files: fail2ban.log, auth.log, fail2ban-cluster.conf, fail2ban-cluster.log, keys/, state/, …
    public var folder: String { "\(lab)/\(name)" }
    /// The file that names its network namespace. A lab's folder has the name of its namespaces.
    public var networkNamespace: String { "/run/netns/\(lab.split(separator: "/").last ?? "")\(number)" }
    public var configuration: String { "\(folder)/fail2ban-cluster.conf" }

    /// Starts the daemons that this host's configuration names; returns when they are ready.
    public func start() async throws {
        try await ask("start", ["--bin", Lab.programs])
    }

    /// Stops them; returns when they have ended.
    public func stop() async throws {
        try await ask("stop", ["--bin", Lab.programs])
    }

    /// Starts, stops, restarts or kills this host's fail2ban.
    public func fail2ban(_ action: Fail2banAction) async throws {
        try await ask("fail2ban", [action.rawValue])
    }

    /// Runs fail2ban-client for this host's fail2ban. - Returns: what it printed.
    @discardableResult
    public func client(_ arguments: String...) async throws -> String {
        try await ask("client", arguments)
    }

    /// Runs a command on this host. One of the four programs is found by its name alone.
    public func execute(_ words: String...) async throws -> LabOutput { try await execute(words) }

    /// The same with the words in an array.
    public func execute(_ words: [String]) async throws -> LabOutput {
        let program = "\(Lab.programs)/\(words[0])"
        let command = access(program, X_OK) == 0 ? [program] + words.dropFirst() : words
        return try await Lab.scriptOutput(["exec", "--dir", lab, "\(number)"] + command)
    }

    /// Three failed logins from each address in auth.log: enough for the jail `sshd` to ban it.
    public func loginFailure(from addresses: String...) async throws {
        try await ask("login-failure", addresses)
    }

    /// Rotates fail2ban.log with the real logrotate and Debian's settings for it.
    public func rotateLog() async throws {
        try await ask("rotate")
    }

    /// Writes `text` into the overlay that stands above this host's configuration; the daemons read it at their next start or reload.
    public func overlayConfiguration(_ text: String) throws {
        try text.write(toFile: "\(folder)/fail2ban-cluster.local", atomically: true, encoding: .utf8)
    }

    /// The text of one of its files, for example `fail2ban.log`; empty when it is not there.
    public func file(_ name: String) -> String {
        (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? ""
    }

    /// What fail2ban says that it bans in a jail. Empty too while fail2ban is down or has no such jail yet.
    public func banned(in jail: String = "fail2ban-cluster") async throws -> Set<String> {
        let output = try await Lab.scriptOutput(["client", "--dir", lab, "\(number)", "get", jail, "banip"])
        return output.isSuccess ? Set(output.text.split(whereSeparator: \.isWhitespace).map(String.init)) : []
    }

    /// What the firewall refuses for a jail: the elements of the nftables sets that fail2ban made for it.
    public func refused(for jail: String = "fail2ban-cluster") async throws -> Set<String> {
        let sets = try await nftElements()
        return (sets["addr-set-\(jail)"] ?? []).union(sets["addr6-set-\(jail)"] ?? [])
    }

    /// The elements of each nftables set of this host, by the set's name: `nft -j list ruleset`.
    public func nftElements() async throws -> [String: Set<String>] {
        let output = try await execute("nft", "-j", "list", "ruleset")
        guard output.isSuccess else { throw LabError(command: "nft -j list ruleset", output: output) }
        let ruleset = try JSONDecoder().decode(NftRuleset.self, from: Data(output.text.utf8))
        return ruleset.sets.reduce(into: [:]) { all, set in
            all[set.name, default: []].formUnion((set.elem ?? []).map(\.text))
        }
    }

    @discardableResult
    private func ask(_ command: String, _ arguments: [String] = []) async throws -> String {
        try await Lab.script([command, "--dir", lab, "\(number)"] + arguments)
    }
}
