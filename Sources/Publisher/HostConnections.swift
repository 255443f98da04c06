// Stage 2, report -> admission -> journal -> broadcast: how many connections each host has, so that none can take those of the others.

import Daemon
import Wire

/// Counts the connections to one endpoint by host. ZAP says whose key asks and from which address, before the connection stands; that it
/// stands, and that it ends, is told by its descriptor. What meets is the address.
///
/// Of two hosts behind one address that connect in the same moment, each may be counted for the other: as many as before. A value; time and who is
/// at the other end of a descriptor are parameters.
struct HostConnections {
    /// Connections that a host may have to each endpoint. Its daemons and commands have a handful, and some that ended without a word may be
    /// left until the heartbeat's end.
    static let limit = 32
    /// An admission is forgotten when its connection doesn't stand by then: twice the handshake's time.
    static let patience: Duration = .seconds(10)

    private var admitted: [(host: Hostname, address: Address, at: ContinuousClock.Instant)] = []
    private var standing: [Int32: (host: Hostname, peer: PeerEndpoint)] = [:]
    private var counts: [Hostname: Int] = [:]

    /// Whether the host may have one more; if so, it is expected to stand soon.
    ///
    /// - Parameter peer: who is at the other end of a descriptor now. Asked before a host is turned away, so that nothing that went by
    ///   unseen keeps it out.
    mutating func admits(
        _ host: Hostname, from address: Address, now: ContinuousClock.Instant, peer: (Int32) -> PeerEndpoint?
    ) -> Bool {
        admitted.removeAll { $0.at + HostConnections.patience < now }
        if count(of: host) >= HostConnections.limit {
            for (descriptor, one) in standing where one.host == host && peer(descriptor) != one.peer { end(descriptor) }
        }
        guard count(of: host) < HostConnections.limit else { return false }
        admitted.append((host, address, now))
        return true
    }

    /// All connections that stand.
    var count: Int { standing.count }

    /// Connections that stand or are about to.
    func count(of host: Hostname) -> Int { counts[host, default: 0] + admitted.count { $0.host == host } }

    /// A connection stands.
    mutating func begin(_ descriptor: Int32, peer: PeerEndpoint?) {
        end(descriptor)
        guard let peer, let index = admitted.firstIndex(where: { $0.address == peer.address }) else { return }
        let host = admitted.remove(at: index).host
        standing[descriptor] = (host, peer)
        counts[host, default: 0] += 1
    }

    /// A connection ended, whoever's it was.
    mutating func end(_ descriptor: Int32) {
        guard let (host, _) = standing.removeValue(forKey: descriptor), let count = counts[host] else { return }
        counts[host] = count > 1 ? count - 1 : nil
    }
}
