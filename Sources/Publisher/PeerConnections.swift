// Stage 2, report -> admission -> journal -> broadcast: how many connections each peer has, so that none can take those of the others.

import Daemon
import Wire

/// Counts the connections to one endpoint, or to several together, by peer. ZAP says who asks and from which address; that a connection was
/// accepted, and that it ended, is told by its descriptor. What meets is the address: of those that were admitted from there no more can be
/// left than there are connections.
///
/// Of several hosts behind one address nobody can tell whose connection ended. It is taken from the one that has the most there, so that
/// none of them keeps another out, and all of them together have no more than they may. A value; time and who is at the other end of a
/// descriptor are parameters.
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
    /// How often it is looked for connections that ended without a word, when a peer is turned away.
    static let lookInterval: Duration = .seconds(1)

    /// A connection: its socket, by a number of the caller's, and its descriptor, which one socket has after the other.
    struct Connection: Hashable {
        var socket = 0
        var descriptor: Int32
    }

    /// All connections, also of those that are not admitted yet, or won't be.
    private var open: [Connection: PeerEndpoint] = [:]
    private var openAt: [Address: Int] = [:]
    private var admitted: [Address: [Peer: Int]] = [:]
    private var counts: [Peer: Int] = [:]
    /// Where somebody was admitted, or a connection ended, since ``settle()``.
    private var unsettled: Set<Address> = []
    private var looked: ContinuousClock.Instant?
    /// All connections that are admitted.
    private(set) var count = 0

    /// Whether the peer may have one more; if so, it has.
    ///
    /// - Parameter otherEnd: who is at the other end of a descriptor now. Asked when a peer is turned away, so that nothing that went by
    ///   unseen keeps it out when it tries again.
    mutating func admits(
        _ peer: Peer, from address: Address, now: ContinuousClock.Instant, otherEnd: (Int32) -> PeerEndpoint?
    ) -> Bool {
        guard count(of: peer) < peer.limit else {
            if looked.map({ $0 + PeerConnections.lookInterval <= now }) ?? true {
                looked = now
                for (connection, end) in open where admitted[end.address]?[peer] != nil && otherEnd(connection.descriptor) != end {
                    self.end(connection)
                }
            }
            return false
        }
        admitted[address, default: [:]][peer, default: 0] += 1
        counts[peer, default: 0] += 1
        count += 1
        unsettled.insert(address)
        return true
    }

    /// Connections that the peer has.
    func count(of peer: Peer) -> Int { counts[peer, default: 0] }

    /// A connection was accepted.
    ///
    /// - Parameter otherEnd: `nil` when it has ended already.
    mutating func begin(_ connection: Connection, otherEnd: PeerEndpoint?) {
        end(connection)
        guard let otherEnd else { return }
        open[connection] = otherEnd
        openAt[otherEnd.address, default: 0] += 1
    }

    /// A connection ended, whoever's it was.
    mutating func end(_ connection: Connection) {
        guard let address = open.removeValue(forKey: connection)?.address, let count = openAt[address] else { return }
        openAt[address] = count > 1 ? count - 1 : nil
        unsettled.insert(address)
    }

    /// All that began before the last ``admits(_:from:now:otherEnd:)`` was told: who has no connection left is not counted any more.
    mutating func settle() {
        for address in unsettled {
            guard var peers = admitted[address] else { continue }
            var excess = peers.values.reduce(0, +) - openAt[address, default: 0]
            while excess > 0, let (peer, most) = peers.max(by: { $0.value < $1.value }) {
                // Of one alone all go at once.
                let gone = peers.count == 1 ? min(excess, most) : 1
                peers[peer] = most > gone ? most - gone : nil
                counts[peer] = counts[peer].flatMap { $0 > gone ? $0 - gone : nil }
                (count, excess) = (count - gone, excess - gone)
            }
            admitted[address] = peers.isEmpty ? nil : peers
        }
        unsettled = []
    }
}
