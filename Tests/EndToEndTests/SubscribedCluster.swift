// More hosts for a cluster on loopback: the shipped subscriber, and hosts that the test itself plays.

import FoundationEssentials
import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

extension LoopbackCluster {
    /// The process of a daemon, by its pid file.
    func pid(of daemon: String) throws -> pid_t {
        try #require(pid_t(try String(contentsOfFile: "\(directory)/\(daemon).pid", encoding: .utf8).dropLast()))
    }

    /// Starts the shipped subscriber, runs `body`, and stops it.
    ///
    /// - Parameters:
    ///   - keys: lines of its section; where it listens and its pid file are given.
    ///   - launch: a shell script that starts `"$PROGRAM" start -c "$CONF"` in its own way.
    func withSubscriber(
        _ keys: String, launch: String = #"exec "$PROGRAM" start -c "$CONF""#, _ body: () async throws -> Void
    ) async throws {
        try """
        [subscriber]
        pidfile = \(directory)/subscriber.pid
        zmqpublisherurl = \(endpoints[1])
        \(keys)

        """.write(toFile: directory + "/fail2ban-cluster.local", atomically: true, encoding: .utf8)
        let started = try await EndToEndTests.execute([
            "PROGRAM=\(Lab.programs)/fail2ban-subscriber", "CONF=\(configuration)", "timeout", "60", "sh", "-c", launch,
        ])
        try #require(started.status == 0, "\(started)")
        do {
            try await body()
        } catch {
            _ = try? await Self.program("fail2ban-subscriber", "stop", "-c", configuration)
            throw error
        }
        try await Self.program("fail2ban-subscriber", "stop", "-c", configuration)
    }

    /// Makes a key for a host of the test's own, which has every role.
    func authorize(_ host: String) async throws -> KeyPair {
        let keys = try KeyPair.generate()
        try await Self.program(
            "fail2ban-cluster", "authorize", host, "--roles", "monitor,subscriber,operator", "-c", configuration, "--", keys.publicKey.z85)
        return keys
    }

    /// A socket with a host's key at the publisher's endpoint for requests.
    func dealer(_ keys: KeyPair, in context: Context) throws -> Socket {
        let socket = try Socket(.dealer, in: context)
        try socket.sendHighWater(0)
        try socket.curveClient(own: keys, server: publisher)
        try socket.connect(endpoints[0])
        return socket
    }

    /// Reports lines as a host's monitor does, and waits for the answer.
    ///
    /// - Parameter lines: events, each as its line.
    func report(_ lines: [String], with keys: KeyPair) throws -> Acknowledgement {
        let socket = try dealer(keys, in: try Context())
        let body = lines.enumerated().map { "\($0 + 1)|\($1)\n" }.joined()
        let now = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
        // A stream of its own, so that positions begin anew.
        let stream = "test-\(UInt64.random(in: .min ... .max))"
        let message = Message(.report, ["stream": stream, "now": "\(now)"], body: Array(body.utf8))
        _ = try socket.send([[]] + message.frames)
        let answer = try #require(try socket.next(by: .now + .seconds(60)), "no answer").frames
        return try Acknowledgement(Message(frames: Array(answer.dropFirst())))
    }
}
