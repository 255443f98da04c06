// Hostile peers: those who are not admitted, each of whom tries to order a ban.

import TestSupport
import Testing
import Wire
import ZeroMQ

/// Connections that must never be heard: without encryption, with keys that nobody authorised, and with one that was taken away.
struct Strangers {
    /// What they would ban; it must be in no journal.
    static let prize = "198.51.100.66"

    private let cluster: LoopbackCluster
    private let context: Context
    private let order: [[UInt8]]
    /// The key pairs of clients and the servers' keys that they take for the publisher's; none for no encryption.
    private let keys: [(own: KeyPair, server: PublicKey)?]

    /// - Parameters:
    ///   - revoked: a key that was authorised.
    ///   - authorized: one that is.
    init(_ cluster: LoopbackCluster, revoked: KeyPair, authorized: KeyPair) throws {
        self.cluster = cluster
        context = try Context()
        let prize = try #require(Address(Strangers.prize))
        order = [[]] + Order(.ban, now: .present, addresses: [prize]).message.frames
        keys = [
            nil, (try .generate(), cluster.publisher), (revoked, cluster.publisher),
            // Whoever has the key but takes another for the publisher proves nothing.
            (authorized, try KeyPair.generate().publicKey),
        ]
    }

    /// Each connects once, asks both endpoints, and says something that is no ZeroMQ. None gets an answer by now.
    func tryAll(_ nonsense: inout Nonsense) throws {
        for pair in keys {
            for (kind, endpoint) in [(Socket.Kind.dealer, cluster.endpoints[0]), (.subscriber, cluster.endpoints[1])] {
                let socket = try Socket(kind, in: context)
                if let pair { try socket.curveClient(own: pair.own, server: pair.server) }
                if case .subscriber = kind { try socket.subscribe([]) }
                try socket.connect(endpoint)
                if case .dealer = kind { _ = try socket.send(order) }
                #expect(try socket.next(by: .now + .milliseconds(20)) == nil)
            }
        }
        for endpoint in cluster.endpoints {
            let raw = try RawConnection(endpoint)
            let hello = RawConnection.greeting("CURVE") + RawConnection.command("HELLO", nonsense.bytes(194))
            raw.send(nonsense.number(0...1) == 0 ? nonsense.bytes(nonsense.number(1...2000)) : nonsense.mutated(hello))
        }
    }
}
