// Test support: the sample daemon in a folder of its own, controlled as an operator would.

import Glibc
import Subprocess
import TestSupport
import Testing

@testable import Daemon

/// One configured sample daemon. What still runs at its end is killed.
final class Sample: Sendable {
    /// What a command did.
    struct Result: Equatable {
        let status: Int32
        let output: String
        let error: String
    }

    let folder: TemporaryFolder
    /// Its pid file is in a folder that does not exist yet.
    let pidfile: String
    let configuration: String
    static let name = "sample-daemon"

    init(_ more: String = "") throws {
        folder = try TemporaryFolder()
        pidfile = folder("run/sample.pid")
        configuration = try folder.write(
            "sample.conf",
            """
            [general]
            hostname = host1
            logtarget = \(folder("log"))
            [monitor]
            pidfile = \(pidfile)
            zmqreplyserver = tcp://127.0.0.1:5678
            \(more)
            """)
    }

    deinit {
        if case .process(let pid) = try? PidFile.holder(of: pidfile), let process = try? ProcessDescriptor(pid) {
            try? process.send(SIGKILL)
            _ = process.awaitEnd(upTo: .seconds(30))
        }
    }

    /// Runs `sample-daemon COMMAND -c FILE`.
    func run(_ command: String, _ arguments: String..., environment: [String: String] = [:]) async throws -> Result {
        try await Self.run(Self.program, [command, "-c", configuration] + arguments, environment)
    }

    /// Runs a shell script in which `$SAMPLE` is the program and `$CONF` its configuration.
    func shell(_ script: String, environment: [String: String] = [:]) async throws -> Result {
        let variables = environment.merging(["SAMPLE": Self.program, "CONF": configuration, "FOLDER": folder.path]) { mine, _ in mine }
        return try await Self.run("/bin/sh", ["-c", script], variables)
    }

    /// Starts it.
    ///
    /// - Returns: its process.
    func start(_ environment: [String: String] = [:]) async throws -> pid_t {
        let result = try await run("start", environment: environment)
        try #require(result.status == 0, "\(result)")
        return try #require(pid)
    }

    /// The process that the kernel says holds the pid file.
    var pid: pid_t? {
        guard case .process(let pid) = try? PidFile.holder(of: pidfile) else { return nil }
        return pid
    }

    /// Beside the test bundle, where the package manager builds every product.
    static let program: String = {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &path, path.count)
        let bundle = String(decoding: path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return bundle.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/SampleDaemon"
    }()

    private static func run(_ program: String, _ arguments: [String], _ environment: [String: String]) async throws -> Result {
        let overrides = Dictionary(
            uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), String?.some($0.value)) })
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments([program] + arguments), environment: .inherit.updating(overrides),
            output: .string(limit: 1 << 16),
            error: .string(limit: 1 << 16))
        return Result(status: Int32(result.terminationStatus.shellStatus), output: result.standardOutput, error: result.standardError)
    }
}

/// Waits until a process has ended.
func awaitEnd(of pid: pid_t) throws {
    guard let process = try ProcessDescriptor.find(pid) else { return }
    let ended = process.awaitEnd(upTo: .seconds(30))
    #expect(ended)
}
