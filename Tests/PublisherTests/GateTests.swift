// Stage 2: who is admitted to which endpoint, by the file of keys, and what is said of those who are not.

import Daemon
import Glibc
import Logging
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Publisher

/// What a gate logged.
private final class LogLines: Sendable {
    private let lines = Guarded<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func append(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct Recorder: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.append("\(event.level): \(event.message)") }
}

@Suite struct GateTests {
    private let folder: TemporaryFolder
    private let lines = LogLines()
    private let (first, second, other): (PublicKey, PublicKey, PublicKey)

    init() throws {
        folder = try TemporaryFolder()
        (first, second, other) = (try KeyPair.generate().publicKey, try KeyPair.generate().publicKey, try KeyPair.generate().publicKey)
    }

    private func authorize(_ text: String) throws { try folder.write("keys/authorized_hosts", text) }

    private func gate() throws -> Gate {
        let lines = lines
        return try Gate(
            keys: KeyDirectory(folder("keys")), plainAllow: [], logger: Logger(label: "test") { _ in Recorder(lines: lines) })
    }

    private func credentials(
        _ key: PublicKey, at domain: String = PublisherSockets.Domain.requests, from address: String = "192.0.2.66"
    ) -> Authenticator.Credentials {
        Authenticator.Credentials(domain: domain, peerAddress: address, mechanism: .curve(key))
    }

    @Test func aHostIsAdmittedWithEachOfItsKeysUntilOneIsTakenAway() throws {
        try authorize("web1 monitor \(first)\nweb1 monitor \(second)\n")
        var gate = try gate()
        let before = [first, second].map { gate.verdict(credentials($0)) }
        #expect(before == [.admit(userID: "web1"), .admit(userID: "web1")])
        try authorize("web1 monitor \(second)\n")
        gate.reload(now: .now)
        let (isRevoked, after) = (gate.takeRevocation(), [first, second].map { gate.verdict(credentials($0)) })
        #expect(isRevoked && after == [.refuse, .admit(userID: "web1")])
    }

    @Test func aSecondKeyEndsNobodysConnection() throws {
        try authorize("web1 monitor \(first)\n")
        var gate = try gate()
        try authorize("web1 monitor \(first)\nweb1 monitor \(second)\n")
        // Known as soon as it is used, without a look before.
        let (verdict, isRevoked) = (gate.verdict(credentials(second)), gate.takeRevocation())
        #expect(verdict == .admit(userID: "web1") && !isRevoked)
    }

    @Test func aFileWhoseModeWasMendedCountsWithoutAnotherChange() throws {
        try authorize("web1 monitor \(first)\nweb2 monitor \(second)\n")
        var gate = try gate()
        try authorize("web2 monitor \(second)\n")
        let now = ContinuousClock.now
        #expect(chmod(folder("keys/authorized_hosts"), 0o664) == 0)
        for second in 0..<5 { gate.look(now: now + .seconds(second)) }
        let refused = gate.takeRevocation()
        #expect(!refused && lines.all.filter { $0.hasPrefix("error") }.count == 1)
        #expect(chmod(folder("keys/authorized_hosts"), 0o644) == 0)
        gate.look(now: now + .seconds(5) + Gate.retry)
        let isRevoked = gate.takeRevocation()
        #expect(isRevoked && gate.hosts.host(with: first) == nil && gate.hosts.host(with: second) != nil)
    }

    /// Editors, cp and sftp empty a file before they write it.
    @Test func aFileThatIsBeingWrittenShutsNobodyOut() throws {
        let text = "web1 monitor \(first)\n"
        try authorize(text)
        var gate = try gate()
        let now = ContinuousClock.now
        try authorize("")
        gate.look(now: now)
        gate.reload(now: now + .milliseconds(1))
        try authorize(text)
        gate.look(now: now + Gate.retry)
        let isRevoked = gate.takeRevocation()
        #expect(!isRevoked && gate.hosts.hosts.count == 1)

        // Who empties it for good means it, and unknown keys that make it read again don't put that off.
        try authorize("")
        gate.look(now: now + .seconds(10))
        gate.reload(now: now + .seconds(10) + Gate.retry / 2)
        let isTooEarly = gate.takeRevocation()
        gate.look(now: now + .seconds(10) + Gate.retry)
        let isEmptied = gate.takeRevocation()
        #expect(!isTooEarly && isEmptied && gate.hosts.hosts.isEmpty)
    }

    @Test func broadcastsAreForSubscribersAndOperators() throws {
        try authorize("web1 monitor \(first)\nweb2 subscriber \(second)\nweb3 operator \(other)\n")
        var gate = try gate()
        let verdicts = [first, second, other].map { gate.verdict(credentials($0, at: PublisherSockets.Domain.broadcasts)) }
        #expect(verdicts == [.refuse, .admit(userID: "web2"), .admit(userID: "web3")])
    }

    /// A connection of a subscriber that stands until it is let go.
    private final class Subscriber {
        private let socket: Socket

        init(_ keys: KeyPair, of publisher: PublicKey, at endpoint: String) throws {
            socket = try Socket(.subscriber, in: Context())
            try socket.curveClient(own: keys, server: publisher)
            try socket.subscribe([])
            try socket.connect(endpoint)
        }
    }

    /// The pace of frames goes by their number.
    @Test func subscribersAreCountedAsTheyComeAndGo() throws {
        let (publisher, host) = (try KeyPair.generate(), try KeyPair.generate())
        try authorize("web1 subscriber \(host.publicKey)\n")
        var gate = try gate()
        let context = try Context()
        var authenticator = try Authenticator(in: context)
        let broadcasts = try Socket(.publisher, in: context)
        try broadcasts.curveServer(publisher.secretKey, domain: PublisherSockets.Domain.broadcasts)
        let connections = try ConnectionWatch(of: broadcasts, in: context)
        let endpoint = try broadcasts.bind("tcp://127.0.0.1:*")
        var subscribers = try (0..<3).map { _ in try Subscriber(host, of: publisher.publicKey, at: endpoint) }

        for expected in [3, 1] {
            subscribers.removeLast(subscribers.count - expected)
            let deadline = ContinuousClock.now + .seconds(20)
            while gate.subscribers != expected {
                try #require(ContinuousClock.now < deadline, "\(gate.subscribers)")
                var polled = PollSet()
                authenticator.add(to: &polled)
                polled.add(broadcasts)
                connections.add(to: &polled)
                try polled.wait(until: deadline)
                while let event = try connections.next() { gate.note(event, domain: PublisherSockets.Domain.broadcasts) }
                gate.settleConnections()
                try authenticator.answerWaiting { gate.verdict($0) }
            }
        }
    }

    @Test func wrongKeysAreLoggedWithTheirAddressAndAFloodOfThemInOneLine() throws {
        try authorize("web1 monitor \(first)\n")
        var gate = try gate()
        let verdicts = (1...1000).map { gate.verdict(credentials(other, from: "198.51.100.\($0 % 250)")) }
        #expect(verdicts.allSatisfy { $0 == .refuse })
        let warnings = lines.all.filter { $0.hasPrefix("warning") }
        #expect(warnings == ["warning: refused a connection from 198.51.100.1: its key is not in authorized_hosts"])
        #expect(!lines.all.contains { $0.contains(other.z85) })
    }
}
