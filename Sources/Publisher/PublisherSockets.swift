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
    /// The same for an old client, whose frames are one line of some 50 bytes each. It never learns of a gap, so there is room for a
    /// burst: about 15 MB if it doesn't read at all.
    static let linesPerOldClient: Int32 = 100_000
    /// Bytes of one frame of a request, with what encryption adds; whoever sends more is disconnected.
    static let largestFrame: Int64 = 68 * 1024
    /// Bytes of one frame on the plain endpoints: enough to see that a frame is oversized and to answer `NAK`.
    static let largestPlainFrame: Int64 = 4096

    private let context: Context
    private var key: SecretKey
    /// ROUTER for requests.
    private(set) var requests: Socket
    /// PUB for broadcasts. XPUB would keep everything that subscribers send until somebody reads it, however much that is.
    private(set) var broadcasts: Socket
    /// Their connections. Made before they are bound, so that none is missed.
    private var requestConnections: ConnectionWatch
    private var broadcastConnections: ConnectionWatch
    /// The same for clients of fail2ban-zmq-tools, when they are served.
    let plainRequests: Socket?
    let plainBroadcasts: Socket?
    /// Where the four really listen, for the log: with port 0 the port that was free.
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

        var plainRequests: Socket?
        if let endpoint = settings.plainReplyBind {
            let socket = try Socket(.router, in: context)
            try PublisherSockets.limitRequests(socket, largestFrame: PublisherSockets.largestPlainFrame)
            try socket.zapDomain(Domain.plain)
            endpoints.append(try socket.bind(endpoint.description))
            plainRequests = consume socket
        }
        var plainBroadcasts: Socket?
        if let endpoint = settings.plainBroadcasterBind {
            let socket = try Socket(.plainPublisher, in: context)
            try PublisherSockets.limitBroadcasts(socket, perSubscriber: PublisherSockets.linesPerOldClient)
            try socket.zapDomain(Domain.plain)
            endpoints.append(try socket.bind(endpoint.description))
            plainBroadcasts = consume socket
        }
        self.context = context
        self.key = key
        self.requests = requests
        self.broadcasts = broadcasts
        self.requestConnections = requestConnections
        self.broadcastConnections = broadcastConnections
        self.plainRequests = plainRequests
        self.plainBroadcasts = plainBroadcasts
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

    func addConnections(to polled: inout PollSet) {
        requestConnections.add(to: &polled)
        broadcastConnections.add(to: &polled)
    }

    /// Tells of each connection to the encrypted endpoints that began or ended since this was last called.
    func takeConnections(_ work: (ConnectionWatch.Event, _ domain: String) -> Void) throws(ZeroMQError) {
        while let event = try requestConnections.next() { work(event, Domain.requests) }
        while let event = try broadcastConnections.next() { work(event, Domain.broadcasts) }
    }

    /// The ROUTER for requests, as a standby has it too; not bound yet. An ``ZeroMQ/Authenticator`` of the same context must be there already.
    static func requestSocket(in context: Context, key: SecretKey) throws(ZeroMQError) -> Socket {
        let requests = try Socket(.router, in: context)
        try limitRequests(requests, largestFrame: largestFrame)
        try requests.curveServer(key, domain: Domain.requests)
        return requests
    }

    private static func broadcastSocket(in context: Context, key: SecretKey) throws(ZeroMQError) -> Socket {
        let socket = try Socket(.plainPublisher, in: context)
        try limitBroadcasts(socket, perSubscriber: framesPerSubscriber)
        try socket.curveServer(key, domain: Domain.broadcasts)
        return socket
    }

    private static func limitRequests(_ socket: borrowing Socket, largestFrame: Int64) throws(ZeroMQError) {
        try socket.sendHighWater(answersPerPeer)
        try socket.receiveHighWater(requestsPerPeer)
        try socket.maximumMessageSize(largestFrame)
        try limitPeers(socket)
    }

    private static func limitBroadcasts(_ socket: borrowing Socket, perSubscriber: Int32) throws(ZeroMQError) {
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

    // MARK: The plain endpoints, where there are any

    /// What the operator is told, again and again, as long as there are some.
    static func plainWarning(_ settings: PublisherSettings) -> String? {
        guard settings.plainReplyBind != nil || settings.plainBroadcasterBind != nil else { return nil }
        return "clients of fail2ban-zmq-tools are served without encryption; only plainallow limits who they are"
    }

    /// - Parameter requests: whether requests of old clients are waited for.
    func addPlain(to polled: inout PollSet, requests: Bool) {
        switch plainRequests {
        case .some(let socket): if requests { polled.add(socket) }
        case nil: break
        }
        // It is never readable, but a socket that nobody looks at keeps what is left of each connection that is gone.
        switch plainBroadcasts {
        case .some(let socket): polled.add(socket)
        case nil: break
        }
    }

    func receivePlain() throws(ZeroMQError) -> Delivery? { try plainRequests?.receive() }

    func answerPlain(_ frames: [[UInt8]]) throws(ZeroMQError) { _ = try plainRequests?.send(frames) }

    /// Sends what old clients understand: bans that began and ended, one frame of four fields each, without ends that moved.
    func broadcastPlain(_ announcements: [Event], except movedEnds: Set<UInt64>) throws(ZeroMQError) {
        switch plainBroadcasts {
        case .some(let socket):
            for event in announcements where event.number.map({ !movedEnds.contains($0) }) ?? true {
                var line: [UInt8] = []
                event.appendPlainLine(to: &line)
                _ = try socket.send([line])
            }
        case nil: break
        }
    }
}
