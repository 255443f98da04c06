// Stage 2, report -> admission -> journal -> broadcast: how many connections each peer has, so that none can take those of the others.

import Daemon
import Wire

/// Counts the connections to one endpoint by peer. ZAP says who asks and from which address, before the connection stands; that it
/// stands, and that it ends, is told by its descriptor. What meets is the address.
///
/// Of two hosts behind one address that connect in the same moment, each may be counted for the other: as many as before. A value; time and
/// who is at the other end of a descriptor are parameters.
struct PeerConnections {
    /// Who is counted for itself.
    enum Peer: Hashable {
        /// By its key.
        case host(Hostname)
        /// All that come from one address: they prove nothing else.
        case oldClients(at: Address)

        /// Connections that it may have: a host to each encrypted endpoint, old clients to the plain ones together.
        var limit: Int {
            switch self {
            case .host: hostLimit
            case .oldClients: oldClientLimit
            }
        }
    }

    /// A host's daemons and commands have a handful, and some that ended without a word may be left until the heartbeat's end.
    static let hostLimit = 32
    /// An old client makes a connection for each event, and there may be several behind an address.
    static let oldClientLimit = 256
    /// An admission is forgotten when its connection doesn't stand by then: twice the handshake's time.
    static let patience: Duration = .seconds(10)

    private var admitted: [(peer: Peer, address: Address, at: ContinuousClock.Instant)] = []
    private var standing: [Int32: (peer: Peer, end: PeerEndpoint)] = [:]
    private var counts: [Peer: Int] = [:]

    /// Whether the peer may have one more; if so, it is expected to stand soon.
    ///
    /// - Parameter otherEnd: who is at the other end of a descriptor now. Asked before a peer is turned away, so that nothing that went by
    ///   unseen keeps it out.
    mutating func admits(
        _ peer: Peer, from address: Address, now: ContinuousClock.Instant, otherEnd: (Int32) -> PeerEndpoint?
    ) -> Bool {
        admitted.removeAll { $0.at + PeerConnections.patience < now }
        if count(of: peer) >= peer.limit {
            for (descriptor, one) in standing where one.peer == peer && otherEnd(descriptor) != one.end { end(descriptor) }
        }
        guard count(of: peer) < peer.limit else { return false }
        admitted.append((peer, address, now))
        return true
    }

    /// All connections that stand.
    var count: Int { standing.count }

    /// Connections that stand or are about to.
    func count(of peer: Peer) -> Int { counts[peer, default: 0] + admitted.count { $0.peer == peer } }

    /// A connection stands.
    mutating func begin(_ descriptor: Int32, otherEnd: PeerEndpoint?) {
        end(descriptor)
        guard let otherEnd, let index = admitted.firstIndex(where: { $0.address == otherEnd.address }) else { return }
        let peer = admitted.remove(at: index).peer
        standing[descriptor] = (peer, otherEnd)
        counts[peer, default: 0] += 1
    }

    /// A connection ended, whoever's it was.
    mutating func end(_ descriptor: Int32) {
        guard let (peer, _) = standing.removeValue(forKey: descriptor), let count = counts[peer] else { return }
        counts[peer] = count > 1 ? count - 1 : nil
    }
}
