// A publisher and a monitor on loopback without any fail2ban: for tests that write the log lines and read the broadcasts themselves.

import FoundationEssentials
import Glibc
import Subprocess
import Wire
import ZeroMQ

/// The shipped programs in a temporary folder, on ports that the system chose.
public struct LoopbackCluster: Sendable {
    /// The folder with the configuration, the keys, the log that the monitor follows, and the programs' own log.
    public let directory: String
    /// A key of the tests' own, with the role subscriber, under the name `probe`.
    public let probe: KeyPair
    /// The publisher's public key.
    public let publisher: PublicKey
    /// Where the publisher listens: requests, broadcasts, and with `plain` the same two for old clients.
    public private(set) var endpoints: [String] = []

    public var configuration: String { directory + "/fail2ban-cluster.conf" }
    /// The log that the monitor follows.
    public var fail2banLog: String { directory + "/fail2ban.log" }
    /// What the programs logged.
    public var log: String { (try? String(contentsOfFile: directory + "/cluster.log", encoding: .utf8)) ?? "" }

    /// Makes the keys, starts publisher and monitor, runs `body`, and stops and removes everything.
    ///
    /// - Parameter publisherKeys: more lines for the section [publisher].
    public static func with<Result: Sendable>(
        plain: Bool = false, publisherKeys: String = "", _ body: (LoopbackCluster) async throws -> Result
    ) async throws -> Result {
        var template = Array("/tmp/f2bc-loopback-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else { throw LabError(command: "mkdtemp", output: LabOutput(text: "", exitCode: Int(errno))) }
        let directory = String(cString: path)
        do {
            let result = try await run(in: directory, plain: plain, publisherKeys: publisherKeys, body)
            try? FileManager.default.removeItem(atPath: directory)
            return result
        } catch {
            print("the files of the test are in \(directory)")
            throw error
        }
    }

    private static func run<Result: Sendable>(
        in directory: String, plain: Bool, publisherKeys: String, _ body: (LoopbackCluster) async throws -> Result
    ) async throws -> Result {
        let file = directory + "/fail2ban-cluster.conf"
        let plainKeys = """
            plainreplybindurl = tcp://127.0.0.1:*
            plainbroadcasterbindurl = tcp://127.0.0.1:*
            plainallow = 127.0.0.1
            """
        let publisher = """
            [general]
            hostname = web1
            statedir = \(directory)
            keydir = \(directory)/keys
            logtarget = \(directory)/cluster.log
            fail2bandbpath = none
            fail2banclient = false
            [publisher]
            pidfile = \(directory)/publisher.pid
            replybindurl = tcp://127.0.0.1:*
            broadcasterbindurl = tcp://127.0.0.1:*
            \(plain ? plainKeys : "")
            \(publisherKeys)

            """
        try writeConfiguration(publisher, to: file)
        try "".write(toFile: directory + "/fail2ban.log", atomically: true, encoding: .utf8)
        try await program("fail2ban-cluster", "init", "-c", file)
        let probe = try KeyPair.generate()
        try await program(
            "fail2ban-cluster", "authorize", "probe", "--roles", "subscriber,operator", "-c", file, "--", probe.publicKey.z85)
        let key = try String(contentsOfFile: directory + "/keys/publisher.pub", encoding: .utf8)
        guard let publisherKey = PublicKey(z85: String(key.prefix { $0 != "\n" })) else {
            throw LabError(command: "read publisher.pub", output: LabOutput(text: key, exitCode: 1))
        }
        var cluster = LoopbackCluster(directory: directory, probe: probe, publisher: publisherKey)
        try await program("fail2ban-publisher", "start", "-c", file)
        do {
            cluster.endpoints = cluster.listening
            let monitor = """
                [monitor]
                pidfile = \(directory)/monitor.pid
                zmqreplyserver = \(cluster.endpoints[0])
                fail2banlogpath = \(directory)/fail2ban.log

                """
            try writeConfiguration(publisher + monitor, to: file)
            try await program("fail2ban-monitor", "start", "-c", file)
            let result = try await body(cluster)
            try await program("fail2ban-monitor", "stop", "-c", file)
            try await program("fail2ban-publisher", "stop", "-c", file)
            return result
        } catch {
            _ = try? await program("fail2ban-monitor", "stop", "-c", file)
            _ = try? await program("fail2ban-publisher", "stop", "-c", file)
            throw error
        }
    }

    /// Writes the configuration, which may hold tokens.
    private static func writeConfiguration(_ text: String, to file: String) throws {
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        guard chmod(file, 0o600) == 0 else { throw LabError(command: "chmod \(file)", output: LabOutput(text: "", exitCode: Int(errno))) }
    }

    private init(directory: String, probe: KeyPair, publisher: PublicKey) {
        self.directory = directory
        self.probe = probe
        self.publisher = publisher
    }

    /// The endpoints that the publisher's log names.
    private var listening: [String] {
        let line = log.split(separator: "\n").last { $0.contains("listening on ") }
        guard let list = line?.split(separator: "listening on ").last else { return [] }
        return list.split(separator: ", ").map(String.init)
    }

    /// Runs one of the four programs. - Throws: ``LabError`` unless it exits 0.
    @discardableResult
    public static func program(_ name: String, _ arguments: String...) async throws -> String {
        let output = try await programOutput(name, arguments)
        guard output.isSuccess else { throw LabError(command: "\(name) \(arguments.joined(separator: " "))", output: output) }
        return output.text
    }

    /// Runs one of the four programs and tells how it ended.
    public static func programOutput(_ name: String, _ arguments: [String]) async throws -> LabOutput {
        let result = try await Subprocess.run(
            .name("env"), arguments: Arguments(["\(Lab.programs)/\(name)"] + arguments), output: .string(limit: 1 << 20),
            error: .combinedWithOutput)
        return LabOutput(text: result.standardOutput, exitCode: result.terminationStatus.shellStatus)
    }

    /// Appends lines to the log that the monitor follows, in one write.
    public func appendToLog(_ lines: [String]) throws {
        let text = lines.joined(separator: "\n") + "\n"
        let descriptor = open(fail2banLog, O_WRONLY | O_APPEND)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            throw LabError(command: "write \(fail2banLog)", output: LabOutput(text: "", exitCode: Int(errno)))
        }
    }

    /// A SUB socket with the probe's key, subscribed to all broadcasts and connected to the publisher.
    public func subscriber(in context: Context) throws -> Socket {
        let socket = try Socket(.subscriber, in: context)
        try socket.receiveHighWater(0)
        try socket.curveClient(own: probe, server: publisher)
        try socket.subscribe([])
        try socket.connect(endpoints[1])
        return socket
    }

    /// The line that fail2ban writes for a ban, at this moment.
    public static func banLine(_ address: String, jail: String = "sshd") -> String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        var stamp = [CChar](repeating: 0, count: 32)
        strftime(&stamp, stamp.count, "%Y-%m-%d %H:%M:%S", &parts)
        let text = String(decoding: stamp.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(text),000 fail2ban.actions        [4711]: NOTICE  [\(jail)] Ban \(address)"
    }
}

extension Socket {
    /// Waits for the next message. - Returns: `nil` when none has come by the deadline.
    public func next(by deadline: ContinuousClock.Instant) throws -> Delivery? {
        while true {
            if let delivery = try receive() { return delivery }
            guard ContinuousClock.now < deadline else { return nil }
            var polled = PollSet()
            polled.add(self)
            try polled.wait(until: deadline)
        }
    }
}
