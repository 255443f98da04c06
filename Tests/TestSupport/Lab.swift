// A cluster of real fail2ban hosts for the end-to-end tests; every stage of a ban's path runs in it. The Swift face of scripts/lab.

import FoundationEssentials
import Glibc
import Subprocess
import Synchronization
import Testing

/// Hosts `web1`, `web2`, …: network namespaces with an own fail2ban, firewall, log and keys each. `web1` has the publisher.
public struct Lab: Sendable {
    /// The folder with all files of the lab, one folder per host in it.
    public let directory: String
    /// All hosts, `web1` first.
    public let hosts: [LabHost]

    /// Makes a lab, runs `body` in it and removes it, whatever `body` does.
    ///
    /// The files of a lab whose `body` threw stay; a line of the output names their folder. `LAB_KEEP=1` keeps them always.
    /// - Parameters:
    ///   - count: the number of hosts, 1 to 99.
    ///   - bantime: the ban time of each host's jail `sshd`, in fail2ban's notation.
    ///   - withKeys: whether the cluster's keys are made and all hosts authorised.
    /// - Throws: ``LabError`` with what scripts/lab said; what `body` throws.
    public static func with<Result: Sendable>(
        hosts count: Int = 3, bantime: String = "10m", withKeys: Bool = true, _ body: (Lab) async throws -> Result
    ) async throws -> Result {
        let name = "lab-test-\(getpid())-\(numbers.withLock { number in number += 1; return number })"
        let directory = "\(environment("TMPDIR") ?? "/tmp")/\(name)"
        try await script(["up", "--dir", directory, "--prefix", name, "--hosts", "\(count)", "--bantime", bantime])
        let lab = Lab(directory: directory, hosts: (1...count).map { LabHost(number: $0, lab: directory) })
        let result: Result
        do {
            if withKeys { try await script(["keys", "--dir", directory, "--bin", programs]) }
            result = try await body(lab)
        } catch {
            try? await lab.remove(keepingFiles: true)
            print("the files of the lab are in \(directory)")
            throw error
        }
        try await lab.remove(keepingFiles: environment("LAB_KEEP") == "1")
        return result
    }

    /// Host `webN`. - Precondition: the lab has it.
    public func host(_ number: Int) -> LabHost { hosts[number - 1] }

    /// Starts the daemons of each host, the publisher's host first.
    public func startDaemons() async throws {
        for host in hosts { try await host.start() }
    }

    private func remove(keepingFiles: Bool) async throws {
        try await Self.script(["down", "--dir", directory] + (keepingFiles ? ["--keep"] : []))
    }

    /// Why no lab can be made here, as one sentence; nil when one can.
    public static let obstacle: String? = {
        if geteuid() != 0 { return "network namespaces need root: run scripts/test as root" }
        let path = (environment("PATH") ?? "").split(separator: ":")
        for command in ["fail2ban-server", "fail2ban-client", "ip", "nft", "nsenter", "logrotate"]
        where !path.contains(where: { access("\($0)/\(command)", X_OK) == 0 }) {
            return "\(command) is missing: run scripts/install-packages lab"
        }
        return mayMakeNamespaces ? nil : "this root may not make network namespaces (a container without CAP_SYS_ADMIN and CAP_NET_ADMIN?)"
    }()

    /// Where the four programs are that this test run has built: beside the test bundle.
    public static let programs: String = {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &path, path.count)
        let executable = String(decoding: path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return executable.split(separator: "/").dropLast().reduce(into: "") { $0 += "/" + $1 }
    }()

    /// The clone that these tests belong to.
    public static let repository = #filePath.split(separator: "/").dropLast(3).reduce(into: "") { $0 += "/" + $1 }

    private static let numbers = Mutex(0)

    /// Whether the effective capabilities have CAP_NET_ADMIN (12) and CAP_SYS_ADMIN (21): proc(5), capabilities(7).
    private static var mayMakeNamespaces: Bool {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        let capabilities = line.flatMap { UInt64($0.dropFirst("CapEff:".count).trimmingPrefix(while: \.isWhitespace), radix: 16) } ?? 0
        return capabilities & (1 << 12) != 0 && capabilities & (1 << 21) != 0
    }

    /// Runs scripts/lab. - Returns: what it printed. - Throws: ``LabError`` unless it exits 0.
    @discardableResult
    static func script(_ arguments: [String]) async throws -> String {
        let output = try await scriptOutput(arguments)
        guard output.isSuccess else { throw LabError(command: "lab " + arguments.joined(separator: " "), output: output) }
        return output.text
    }

    /// Runs scripts/lab, its output and its complaints together: up to 16 MiB.
    static func scriptOutput(_ arguments: [String]) async throws -> LabOutput {
        let result = try await run(
            .name("bash"), arguments: Arguments([repository + "/scripts/lab"] + arguments),
            output: .string(limit: 1 << 24), error: .combinedWithOutput)
        return LabOutput(text: result.standardOutput, exitCode: result.terminationStatus.shellStatus)
    }

    private static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}

extension TerminationStatus {
    /// How a command ended as a shell has it: its exit code; 128 + the signal's number when a signal ended it.
    public var shellStatus: Int {
        switch self {
        case .exited(let code): Int(code)
        case .signaled(let signal): 128 + Int(signal)
        }
    }
}

/// What a command printed, on both its outputs, and how it ended.
public struct LabOutput: Sendable, Equatable {
    public let text: String
    /// See ``Subprocess/TerminationStatus/shellStatus``.
    public let exitCode: Int
    public var isSuccess: Bool { exitCode == 0 }
}

/// A command of the lab that failed.
public struct LabError: Error, CustomStringConvertible {
    public let command: String
    public let output: LabOutput
    public var description: String { "'\(command)' failed (exit code \(output.exitCode)): \(output.text)" }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test, saying why, where no lab can be made.
    public static var needsLab: Self {
        .enabled(if: Lab.obstacle == nil, Comment(rawValue: Lab.obstacle ?? "a lab can be made here"))
    }
}
