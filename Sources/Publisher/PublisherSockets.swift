// Stage 2, report -> admission -> journal -> broadcast: the publisher's endpoints, with every limit that holds on them.

import Daemon
import Wire
import ZeroMQ

/// The sockets of the publisher, bound. Made, used and closed on the loop's thread.
struct PublisherSockets: ~Copyable {
    /// ZAP domains: which endpoint a connection came to.
    enum Domain {
        static let requests = "requests"
        static let broadcasts = "broadcasts"
        static let plain = "plain"
    }

    /// Answers kept for one peer that doesn't take them; more are dropped, and it asks again.
    static let answersPerPeer: Int32 = 16
    /// Requests of one peer that wait; libzmq then stops reading from it. A REQ socket has one.
    static let requestsPerPeer: Int32 = 64
    /// Frames kept for one subscriber that doesn't take them, at most 64 KiB each; more are dropped, and it sees the gap.
    static let framesPerSubscriber: Int32 = 256
    /// Bytes of one frame of a request, with what encryption adds; whoever sends more is disconnected.
    static let largestFrame: Int64 = 68 * 1024

    private let context: Context
    private var key: SecretKey
    /// ROUTER for requests.
    private(set) var requests: Socket
    /// PUB for broadcasts. XPUB would keep everything that subscribers send until somebody reads it, however much that is.
    private(set) var broadcasts: Socket
    /// Their connections. Made before they are bound, so that none is missed.
    private var requestConnections: ConnectionWatch
    private var broadcastConnections: ConnectionWatch
    /// For clients of fail2ban-zmq-tools, when they are served.
    let plain: PlainEndpoints
    /// Where all of them really listen, for the log: with port 0 the port that was free.
    let endpoints: [String]

    /// Binds all endpoints of the settings. An ``ZeroMQ/Authenticator`` of the same context must be there already.
    init(in context: Context, settings: PublisherSettings, key: SecretKey) throws(ZeroMQError) {
        var endpoints: [String] = []
        let requests = try PublisherSockets.requestSocket(in: context, key: key)
        let requestConnections = try ConnectionWatch(of: requests, in: context)
        endpoints.append(try requests.bind(settings.replyBind.description))
        let broadcasts = try PublisherSockets.broadcastSocket(in: context, key: key)
        let broadcastConnections = try ConnectionWatch(of: broadcasts, in: context)
        endpoints.append(try broadcasts.bind(settings.broadcasterBind.description))

        let plain = try PlainEndpoints(in: context, settings: settings)
        endpoints += plain.names
        self.context = context
        self.key = key
        self.requests = requests
        self.broadcasts = broadcasts
        self.requestConnections = requestConnections
        self.broadcastConnections = broadcastConnections
        self.plain = plain
        self.endpoints = endpoints
    }

    /// Takes over another key of the publisher. Hosts that know it are back within seconds.
    ///
    /// - Returns: Whether it is another one, so that all encrypted connections were ended.
    mutating func take(_ key: SecretKey) throws(ZeroMQError) -> Bool {
        guard key.z85 != self.key.z85 else { return false }
        self.key = key
        try renew()
        return true
    }

    /// Ends all encrypted connections, since libzmq can't end a single one, and listens again at once. Who still has a key is back in a
    /// moment and asks for what it missed; a request that was under way is sent again.
    mutating func renew() throws(ZeroMQError) {
        try requests.unbind(endpoints[0])
        requests = try PublisherSockets.requestSocket(in: context, key: key)
        requestConnections = try ConnectionWatch(of: requests, in: context)
        _ = try requests.bind(endpoints[0])
        try broadcasts.unbind(endpoints[1])
        broadcasts = try PublisherSockets.broadcastSocket(in: context, key: key)
        broadcastConnections = try ConnectionWatch(of: broadcasts, in: context)
        _ = try broadcasts.bind(endpoints[1])
    }

    /// Has the loop wait for encrypted connections that begin or end.
    func addConnections(to polled: inout PollSet) {
        requestConnections.add(to: &polled)
        broadcastConnections.add(to: &polled)
    }

    /// Tells of each connection that began or ended since this was last called.
    func takeConnections(_ work: (ConnectionWatch.Event, _ domain: String, _ socket: Int) -> Void) throws(ZeroMQError) {
        while let event = try requestConnections.next() { work(event, Domain.requests, 0) }
        while let event = try broadcastConnections.next() { work(event, Domain.broadcasts, 0) }
        try plain.takeConnections { work($0, Domain.plain, $1) }
    }

    /// The ROUTER for requests, as a standby has it too; not bound yet. An ``ZeroMQ/Authenticator`` of the same context must be there
    /// already.
    static func requestSocket(in context: Context, key: SecretKey) throws(ZeroMQError) -> Socket {
        let requests = try Socket(.router, in: context)
        try limitRequests(requests, largestFrame: largestFrame)
        try requests.curveServer(key, domain: Domain.requests)
        return requests
    }

    private static func broadcastSocket(in context: Context, key: SecretKey) throws(ZeroMQError) -> Socket {
        let socket = try Socket(.publisher, in: context)
        try limitBroadcasts(socket, perSubscriber: framesPerSubscriber)
        try socket.curveServer(key, domain: Domain.broadcasts)
        return socket
    }

    /// The limits of a ROUTER for requests, encrypted or not; to be set before it is bound.
    ///
    /// - Parameter largestFrame: bytes of one frame.
    static func limitRequests(_ socket: borrowing Socket, largestFrame: Int64) throws(ZeroMQError) {
        try socket.sendHighWater(answersPerPeer)
        try socket.receiveHighWater(requestsPerPeer)
        try socket.maximumMessageSize(largestFrame)
        try limitPeers(socket)
    }

    /// The limits of a PUB for broadcasts, in the same way.
    ///
    /// - Parameter perSubscriber: frames kept for one that doesn't take them.
    static func limitBroadcasts(_ socket: borrowing Socket, perSubscriber: Int32) throws(ZeroMQError) {
        try socket.sendHighWater(perSubscriber)
        // What a subscriber sends is its subscriptions: short texts.
        try socket.maximumMessageSize(1024)
        try limitPeers(socket)
    }

    private static func limitPeers(_ socket: borrowing Socket) throws(ZeroMQError) {
        // A peer that doesn't prove who it is within 5 s is dropped; the way round the world takes less than one.
        try socket.handshakeTimeout(.seconds(5))
        // All hosts of a large cluster come back at once, and nobody who floods may make them wait for their kernel's next try.
        try socket.backlog(4096)
        // Peers that went away without a word are noticed after 40 s, so that their queues don't stay.
        try socket.heartbeat(interval: .seconds(15), timeout: .seconds(40))
    }
}
