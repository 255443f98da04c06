// Stage 2, report -> admission -> journal -> broadcast: the endpoints for clients of fail2ban-zmq-tools, where there are any.

import Daemon
import Wire
import ZeroMQ

/// The unencrypted endpoints, bound: one for requests, one for broadcasts, or either of them, or none.
struct PlainEndpoints: ~Copyable {
    /// Lines kept for one old client that doesn't take them, of some 50 bytes each. It never learns of a gap, so there is room for a
    /// burst: about 15 MB if it doesn't read at all.
    private static let linesPerClient: Int32 = 100_000
    /// Bytes of one frame of a request: enough to see that a frame is oversized and to answer `NAK`.
    private static let largestFrame: Int64 = 4096

    /// A socket, and its connections.
    private struct Endpoint: ~Copyable {
        private let socket: Socket
        private let connections: ConnectionWatch
        /// Where it really listens.
        let name: String

        init(_ socket: consuming Socket, at endpoint: String, in context: Context) throws(ZeroMQError) {
            try socket.zapDomain(PublisherSockets.Domain.plain)
            // Before it is bound, so that no connection is missed.
            let connections = try ConnectionWatch(of: socket, in: context)
            name = try socket.bind(endpoint)
            self.connections = connections
            self.socket = socket
        }

        /// - Parameter waits: whether what peers send is waited for. One that is never readable is added all the same: a socket that
        ///   nobody looks at keeps what is left of each connection that is gone.
        func add(to polled: inout PollSet, waits: Bool) {
            if waits { polled.add(socket) }
            connections.add(to: &polled)
        }

        func nextEvent() throws(ZeroMQError) -> ConnectionWatch.Event? { try connections.next() }

        func receive() throws(ZeroMQError) -> Delivery? { try socket.receive() }

        func send(_ frames: [[UInt8]]) throws(ZeroMQError) { _ = try socket.send(frames) }
    }

    private let requests: Endpoint?
    private let broadcasts: Endpoint?
    /// Where they really listen.
    let names: [String]

    init(in context: Context, settings: PublisherSettings) throws(ZeroMQError) {
        var names: [String] = []
        var requests: Endpoint?
        if let endpoint = settings.plainReplyBind {
            let socket = try Socket(.router, in: context)
            try PublisherSockets.limitRequests(socket, largestFrame: PlainEndpoints.largestFrame)
            let served = try Endpoint(socket, at: endpoint.description, in: context)
            names.append(served.name)
            requests = consume served
        }
        var broadcasts: Endpoint?
        if let endpoint = settings.plainBroadcasterBind {
            let socket = try Socket(.publisher, in: context)
            try PublisherSockets.limitBroadcasts(socket, perSubscriber: PlainEndpoints.linesPerClient)
            let served = try Endpoint(socket, at: endpoint.description, in: context)
            names.append(served.name)
            broadcasts = consume served
        }
        self.requests = requests
        self.broadcasts = broadcasts
        self.names = names
    }

    /// What the operator is told, again and again, as long as there are some.
    static func warning(_ settings: PublisherSettings) -> String? {
        guard settings.plainReplyBind != nil || settings.plainBroadcasterBind != nil else { return nil }
        return "clients of fail2ban-zmq-tools are served without encryption; only plainallow limits who they are"
    }

    /// - Parameter waits: whether requests are waited for.
    func add(to polled: inout PollSet, requests waits: Bool) {
        requests?.add(to: &polled, waits: waits)
        broadcasts?.add(to: &polled, waits: true)
    }

    /// Tells of each connection that began or ended since this was last called.
    ///
    /// - Parameter work: gets the socket's number too: one uses a descriptor that the other had, and which was first is not told.
    func takeConnections(_ work: (ConnectionWatch.Event, _ socket: Int) -> Void) throws(ZeroMQError) {
        while let event = try requests?.nextEvent() { work(event, 0) }
        while let event = try broadcasts?.nextEvent() { work(event, 1) }
    }

    func receive() throws(ZeroMQError) -> Delivery? { try requests?.receive() }

    func answer(_ frames: [[UInt8]]) throws(ZeroMQError) { try requests?.send(frames) }

    /// Sends what old clients understand: bans that began and ended, one frame of four fields each, without ends that moved.
    func broadcast(_ announcements: [Event], except movedEnds: Set<UInt64>) throws(ZeroMQError) {
        switch broadcasts {
        case .some(let endpoint):
            for event in announcements where event.number.map({ !movedEnds.contains($0) }) ?? true {
                var line: [UInt8] = []
                event.appendPlainLine(to: &line)
                try endpoint.send([line])
            }
        case nil: break
        }
    }
}
