// Hostile peers: those that take their time or never read, and many of them, disturb nobody else and cost bounded memory.

import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

@Suite(.serialized) struct SlowPeerTests {
    /// How long an honest host may wait for an acknowledgement while peers are slow: half of a second is far more than a disk's sync on a
    /// busy machine, and far less than any timeout.
    private static let mostWait = Duration.milliseconds(500)
    /// Connections that are held: the 10,000 of a flood where this process and the publisher may have as many.
    private static let connections: Int = {
        var limit = rlimit()
        let code = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return code == 0 && limit.rlim_max >= 12_000 ? 10_000 : 2000
    }()

    /// Runs `body` beside a host that reports all the time.
    /// - Parameter growth: bytes that the publisher may have allocated more in the end.
    private func whileAHostReports(
        in cluster: LoopbackCluster, growth: Int, _ what: String, _ body: @escaping @Sendable () throws -> Void
    ) async throws {
        let publisher = RunningProcess(try cluster.pid(of: "publisher"))
        let honest = try await HonestHost("web2", in: cluster)
        let quiet = try await onThread { try honest.report(from: 0, until: .now + .milliseconds(500)) }
        let before = publisher.anonymousMemory
        async let done: Void = onThread(body)
        var waits: [Duration] = []
        let finished = Finished()
        async let watching: [Duration] = onThread {
            var waits: [Duration] = []
            repeat { waits += try honest.report(from: quiet.count + waits.count, until: .now + .milliseconds(500)) } while !finished.isTrue
            return waits
        }
        do {
            try await done
        } catch {
            finished.set()
            _ = try? await watching
            throw error
        }
        finished.set()
        waits = try await watching
        let more = publisher.anonymousMemory - before
        print(
            "\(what): an honest host waits \(quiet.median) without, \(waits.median) with them, at most \(waits.max() ?? .zero); \(more >> 10) KiB more"
        )
        #expect(waits.median < Self.mostWait || Sanitizer.takesTime)
        #expect(more < growth || Sanitizer.takesMemory)
        #expect(publisher.isAlive)
    }

    @Test func halfAHandshakeOrOneByteAtATimeIsCutOffAndDisturbsNobody() async throws {
        try await LoopbackCluster.with { cluster in
            let endpoint = cluster.endpoints[0]
            try await whileAHostReports(in: cluster, growth: 64 << 20, "400 slow handshakes") {
                let curve = RawConnection.greeting("CURVE")
                let (halves, slow) = try (
                    (0..<300).map { _ in try RawConnection(endpoint) }, (0..<100).map { _ in try RawConnection(endpoint) }
                )
                for (index, connection) in halves.enumerated() { connection.send(Array(curve.prefix(index % 65))) }
                // A byte to each every 50 ms; the greeting alone would take 3.2 s, and then the handshake is not finished in time.
                for byte in (curve + RawConnection.command("HELLO", [UInt8](repeating: 0, count: 194))).prefix(90) {
                    for connection in slow { connection.send([byte]) }
                    var none = PollSet()
                    try none.wait(until: .now + .milliseconds(50))
                }
                let deadline = ContinuousClock.now + .seconds(30)
                for connection in halves + slow { try #require(connection.isClosed(by: deadline)) }
            }
        }
    }

    @Test func manyConnectionsThatSayNothingKeepNobodyOut() async throws {
        // To the plain endpoint too, where an allowed address is enough, up to a number.
        try await LoopbackCluster.with(plain: true) { cluster in
            let endpoints = [cluster.endpoints[0], cluster.endpoints[2]]
            try await whileAHostReports(in: cluster, growth: 400 << 20, "\(Self.connections) connections") {
                var held: [RawConnection] = []
                held.reserveCapacity(Self.connections)
                for number in 0..<Self.connections {
                    let connection = try RawConnection(endpoints[number % 2])
                    connection.send(RawConnection.greeting(number % 2 == 0 ? "CURVE" : "NULL"))
                    if number % 2 == 1 { connection.send(RawConnection.ready("REQ")) }
                    held.append(connection)
                }
                // Who comes now gets in.
                let newcomer = try cluster.subscriber(in: try Context())
                try #require(newcomer.next(by: .now + .seconds(20)) != nil)
                try #require(held.last?.receive().starts(with: [0xff]) == true, "the last one is not taken")
            }
        }
    }

    @Test func aHostThatConnectsWithoutEndHasAFewConnectionsAndTheOthersGetIn() async throws {
        try await LoopbackCluster.with { cluster in
            let mole = try await cluster.authorize("mole")
            try await whileAHostReports(in: cluster, growth: 32 << 20, "200 connections of one host") {
                let context = try Context()
                let sockets = try (0..<200).map { _ in try Deaf(.dealer, mole, cluster.publisher, cluster.endpoints[0], context) }
                for one in sockets { _ = try one.socket.send([[]] + Message(.query, ["what": "bans"]).frames) }
                // What is refused tries again, so its log says it until the test's end.
                let deadline = ContinuousClock.now + .seconds(30)
                let note = "its host has as many connections as it may"
                while !cluster.log.contains(note), ContinuousClock.now < deadline {
                    _ = try sockets[0].socket.next(by: .now + .milliseconds(50))
                }
                try #require(cluster.log.contains(note))
                try #require(cluster.subscriber(in: try Context()).next(by: .now + .seconds(30)) != nil)
                // A second for what is still on its way; those that were refused have no answer then.
                var answered = 0
                let end = ContinuousClock.now + .seconds(2)
                for one in sockets where try one.socket.next(by: min(end, .now + .milliseconds(100))) != nil { answered += 1 }
                try #require(answered <= 33 && answered > 10, "\(answered)")
            }
            // When they are gone, it gets in again.
            #expect(try cluster.report(["mole|sshd|Ban|198.18.0.1|-|-|-|-|detected"], with: mole).refused.isEmpty)
        }
    }

    @Test func oldClientsHaveSoManyConnectionsFromAnAddress() async throws {
        try await LoopbackCluster.with(plain: true) { cluster in
            let limit = 256
            @Sendable func connected() throws -> RawConnection {
                let connection = try RawConnection(cluster.endpoints[2])
                connection.send(RawConnection.greeting("NULL") + RawConnection.ready("REQ"))
                return connection
            }
            try await whileAHostReports(in: cluster, growth: 32 << 20, "\(limit + 50) connections of old clients") {
                var held: [RawConnection] = []
                for _ in 0..<limit + 50 { held.append(try connected()) }
                let isAdmitted = held.map { $0.isAdmitted }
                try #require(isAdmitted == held.indices.map { $0 < limit })
                let deadline = ContinuousClock.now + .seconds(20)
                for refused in held[limit...] { try #require(refused.isClosed(by: deadline)) }
                // When one is gone, another gets in.
                held.removeFirst()
                while try !connected().isAdmitted { try #require(ContinuousClock.now < deadline) }
            }
            #expect(cluster.log.contains("old clients have as many connections from its address as they may"))
        }
    }

    /// An old client makes a connection for each event. What ended is not counted, however it ended.
    @Test func oldClientsThatComeAndGoAreNotKeptOut() async throws {
        try await LoopbackCluster.with(plain: true) { cluster in
            for number in 0..<600 {
                let connection = try RawConnection(cluster.endpoints[number % 2 == 0 ? 2 : 3])
                connection.send(RawConnection.greeting("NULL"))
                // Every third ends between the question whether it is admitted and its end of the handshake.
                if number % 3 > 0 {
                    connection.send(RawConnection.ready(number % 2 == 0 ? "REQ" : "SUB"))
                    try #require(connection.isAdmitted, "connection \(number) is refused")
                }
            }
        }
    }

    @Test func peersThatNeverReadTheirAnswersCostLittle() async throws {
        try await LoopbackCluster.with { cluster in
            let mole = try await cluster.authorize("mole")
            try await whileAHostReports(in: cluster, growth: 64 << 20, "20 peers that never read") {
                let context = try Context()
                var (sent, deaf) = (0, [Deaf]())
                for _ in 0..<20 { deaf.append(try Deaf(.dealer, mole, cluster.publisher, cluster.endpoints[0], context)) }
                let end = ContinuousClock.now + .seconds(3)
                while ContinuousClock.now < end {
                    for one in deaf where try one.socket.send([[]] + Message(.query, ["what": "bans"]).frames) { sent += 1 }
                }
                try #require(sent > 100)
            }
        }
    }

    @Test func whoSubscribesToTheSameAgainAndAgainCostsLittle() async throws {
        try await LoopbackCluster.with { cluster in
            let mole = try await cluster.authorize("mole")
            try await whileAHostReports(in: cluster, growth: 32 << 20, "subscriptions for 3 s") {
                let socket = try Socket(.subscriber, in: try Context())
                try socket.sendHighWater(0)
                try socket.curveClient(own: mole, server: cluster.publisher)
                try socket.subscribe([])
                try socket.connect(cluster.endpoints[1])
                try #require(socket.next(by: .now + .seconds(30)) != nil)
                let end = ContinuousClock.now + .seconds(3)
                while ContinuousClock.now < end { for _ in 0..<1000 { try socket.subscribe([]) } }
                let newcomer = try cluster.subscriber(in: try Context())
                try #require(newcomer.next(by: .now + .seconds(30)) != nil)
            }
        }
    }

    @Test func subscribersThatNeverReadCostLittleAndTheOthersHearAll() async throws {
        try await LoopbackCluster.with { cluster in
            let mole = try await cluster.authorize("mole")
            let busy = try await cluster.authorize("busy")
            try await whileAHostReports(in: cluster, growth: 128 << 20, "20 subscribers that never read") {
                let context = try Context()
                let deaf = try (0..<20).map { _ in try Deaf(.subscriber, mole, cluster.publisher, cluster.endpoints[1], context) }
                let hearing = try cluster.subscriber(in: try Context())
                try #require(hearing.next(by: .now + .seconds(30)) != nil)
                let count = 20_000
                for first in stride(from: 0, to: count, by: 500) {
                    let lines = (first..<first + 500).map { "busy|sshd|Ban|198.18.\($0 >> 8).\($0 & 0xff)|-|-|-|-|detected" }
                    try #require(cluster.report(lines, with: busy).refused.isEmpty)
                }
                var heard: Set<Address> = []
                while heard.count < count, let delivery = try hearing.next(by: .now + .seconds(60)) {
                    let frame = delivery.frames[0]
                    for event in try Broadcast(frame: frame.span).events where event.host.description == "busy" {
                        heard.insert(event.address)
                    }
                }
                try #require(heard.count == count && deaf.count == 20)
            }
        }
    }
}

/// A socket that keeps one message and never reads it.
private final class Deaf {
    let socket: Socket

    init(_ kind: Socket.Kind, _ own: KeyPair, _ server: PublicKey, _ endpoint: String, _ context: Context) throws {
        socket = try Socket(kind, in: context)
        try socket.receiveHighWater(1)
        try socket.sendHighWater(1)
        try socket.curveClient(own: own, server: server)
        if case .subscriber = kind { try socket.subscribe([]) }
        try socket.connect(endpoint)
    }
}
