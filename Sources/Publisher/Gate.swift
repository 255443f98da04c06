// Stage 2, report -> admission -> journal -> broadcast: who may connect to which endpoint.

import Daemon
import Logging
import Wire
import ZeroMQ

/// Says who is admitted: by key on the encrypted endpoints, by address on the plain ones.
struct Gate {
    /// After which `authorized_hosts` is read again when it could not be read, or was found empty.
    static let retry: Duration = .seconds(1)

    private let keys: KeyDirectory
    private let plainAllow: [Address]
    private let logger: Logger
    private var refusals = RateLimit(interval: .seconds(10))
    private var reloads = RateLimit(burst: 5, interval: .seconds(1))
    /// The keys that may connect, as the file was when it was last read.
    private(set) var hosts: AuthorizedHosts
    private var stamp: FileStamp?
    /// When it is read again though its stamp is the same: the command that mends its mode, or that of the folder, doesn't change that.
    private var rereadAt: ContinuousClock.Instant?
    /// Since when it is empty.
    private var emptySince: ContinuousClock.Instant?
    /// What was wrong with it, said once.
    private var trouble: String?
    private var isRevoked = false
    private var isChanged = false
    /// What stands at each endpoint, by its domain.
    private var connections: [String: PeerConnections] = [:]
    /// Who was admitted from where.
    private var connected: [(host: Hostname, address: Address)] = []

    init(keys: KeyDirectory, plainAllow: [Address], logger: Logger) throws {
        self.keys = keys
        self.plainAllow = plainAllow
        self.logger = logger
        // Before it is read: what changes meanwhile shows at the next look.
        stamp = keys.authorizedHostsStamp
        hosts = try keys.authorizedHosts()
    }

    /// Reads `authorized_hosts` again if it was changed since it was read. To be called in every turn of the loop, which is once a second
    /// at least, before requests are taken: one stat(2), about a microsecond.
    mutating func look(now: ContinuousClock.Instant) {
        if keys.authorizedHostsStamp != stamp || rereadAt.map({ $0 <= now }) ?? false { reload(now: now) }
    }

    /// Reads `authorized_hosts` again. With an error in the file the keys stay as they were, and it is tried again.
    mutating func reload(now: ContinuousClock.Instant) {
        stamp = keys.authorizedHostsStamp
        rereadAt = nil
        do {
            let next = try keys.authorizedHosts()
            trouble = nil
            emptySince = next.text.isEmpty ? emptySince ?? now : nil
            guard next != hosts else { return }
            // Who writes a file in place empties it first: that counts when it stays so.
            if let emptySince, now < emptySince + Gate.retry {
                rereadAt = emptySince + Gate.retry
                return
            }
            if next.takesAway(from: hosts) { isRevoked = true }
            logger.notice("authorized_hosts was changed: \(next.hosts.count) keys")
            hosts = next
            isChanged = true
        } catch {
            rereadAt = now + Gate.retry
            guard trouble != "\(error)" else { return }
            trouble = "\(error)"
            logger.error("\(error); the keys stay as they were")
        }
    }

    /// Whether somebody lost a key or a role since this was last asked, so that the connections which stand must be admitted anew.
    mutating func takeRevocation() -> Bool {
        defer { isRevoked = false }
        return isRevoked
    }

    /// Who belongs to the cluster, if that changed since this was last asked.
    mutating func takeHosts() -> AuthorizedHosts? {
        defer { isChanged = false }
        return isChanged ? hosts : nil
    }

    /// The hosts that were admitted since this was last asked, and where they are.
    mutating func takeConnected() -> [(host: Hostname, address: Address)] {
        defer { connected = [] }
        return connected
    }

    /// A connection begins or ends.
    ///
    /// - Parameter socket: tells the sockets of a domain apart.
    mutating func note(_ event: ConnectionWatch.Event, domain: String, socket: Int = 0) {
        switch event {
        case .accepted(let descriptor):
            let connection = PeerConnections.Connection(socket: socket, descriptor: descriptor)
            connections[domain, default: PeerConnections()].begin(connection, otherEnd: PeerEndpoint(descriptor: descriptor))
        case .ended(let descriptor): connections[domain]?.end(PeerConnections.Connection(socket: socket, descriptor: descriptor))
        }
    }

    /// All that began and ended before the last ``verdict(_:)`` was noted.
    mutating func settleConnections() { for domain in connections.keys { connections[domain]?.settle() } }

    /// Connections that receive broadcasts, for the pace of frames.
    var subscribers: Int { connections[PublisherSockets.Domain.broadcasts]?.count ?? 0 }

    /// All connections to the encrypted endpoints have ended.
    mutating func forgetConnections() { connections = connections.filter { $0.key == PublisherSockets.Domain.plain } }

    /// The answer to a connection that asks to be admitted.
    mutating func verdict(_ credentials: Authenticator.Credentials) -> Authenticator.Verdict {
        var outcome = userID(of: credentials)
        if case .failure(.unknownKey) = outcome, reloads.admit(at: .now) != nil {
            // It may have been authorised a moment ago.
            reload(now: .now)
            outcome = userID(of: credentials)
        }
        switch outcome {
        case .success(let userID):
            if case .curve = credentials.mechanism, let host = Hostname(userID), let address = Address(credentials.peerAddress) {
                connected.append((host, address))
            }
            return .admit(userID: userID)
        case .failure(let reason):
            if let note = refusals.heldBackNote(at: .now) {
                logger.warning("refused a connection from \(credentials.peerAddress): \(reason.rawValue)\(note)")
            }
            return .refuse
        }
    }

    private enum Refusal: String, Error {
        case unknownKey = "its key is not in authorized_hosts"
        case tooMany = "its host has as many connections as it may"
        case tooManyPlain = "old clients have as many connections from its address as they may"
        case role = "its key has neither the role subscriber nor operator"
        case plainAddress = "its address is not in plainallow"
        case mechanism = "it does not use CURVE"
    }

    /// Who the peer is; each of its messages will carry it.
    private mutating func userID(of credentials: Authenticator.Credentials) -> Result<String, Refusal> {
        switch (credentials.domain, credentials.mechanism) {
        case (PublisherSockets.Domain.plain, _):
            let address = Address(credentials.peerAddress)
            guard let address, plainAllow.contains(where: { $0.contains(address) }) else { return .failure(.plainAddress) }
            return hasRoom(for: .oldClients(at: address), from: address, credentials.domain)
                ? .success(address.description) : .failure(.tooManyPlain)
        case (let domain, .curve(let key)):
            guard let host = hosts.host(with: key) else { return .failure(.unknownKey) }
            if domain == PublisherSockets.Domain.broadcasts, host.roles.isDisjoint(with: [.subscriber, .operator]) {
                return .failure(.role)
            }
            // Not over TCP: it is this machine's, and has no address.
            guard let address = Address(credentials.peerAddress) else { return .success(host.name.description) }
            return hasRoom(for: .host(host.name), from: address, domain) ? .success(host.name.description) : .failure(.tooMany)
        default: return .failure(.mechanism)
        }
    }

    private mutating func hasRoom(for peer: PeerConnections.Peer, from address: Address, _ domain: String) -> Bool {
        connections[domain, default: PeerConnections()].admits(
            peer, from: address, now: .now, otherEnd: { PeerEndpoint(descriptor: $0) })
    }
}
