// Stage 3, reception: the connection to the publishers' broadcasts, of a subscriber and of an operator who watches.

import Wire
import ZeroMQ

/// A SUB socket, encrypted, connected to every publisher of the configuration; of several, one broadcasts and the others stand by.
public struct BroadcastSource: ~Copyable {
    /// Frames that libzmq keeps for us while the loop is busy, of at most 64 KiB each, so 64 MiB at most. When they are full it reads no
    /// more from the connection; then the publisher's own mark fills up, it drops frames for this host, and the numbers show the gap.
    static let receiveHighWater: Int32 = 1000

    private let context: Context
    private let endpoints: [Endpoint]
    private let keys: () -> ClientKeys
    private var used: ClientKeys.Choice
    private var socket: Socket
    /// Whether the next connection is made with other keys.
    public private(set) var hasSeveralKeys: Bool

    /// Connects in the background.
    ///
    /// - Parameter keys: Asked anew for each connection; the publishers' key is one for all.
    public init(in context: Context, endpoints: [Endpoint], keys: @escaping () -> ClientKeys) throws(ZeroMQError) {
        self.context = context
        self.endpoints = endpoints
        self.keys = keys
        let now = keys()
        hasSeveralKeys = now.choices.count > 1
        used = now.choice(keeping: nil)
        socket = try BroadcastSource.connection(context, endpoints, used)
    }

    /// Begins anew with new connections, and the next keys if there are several. What was received and not yet taken is gone, as the
    /// numbers will show.
    public mutating func renew() throws(ZeroMQError) {
        let now = keys()
        try connect(now, with: now.choice(after: used))
    }

    /// Takes over keys that were replaced: connections whose keys are not in use any more are made anew.
    public mutating func renewKeys() throws(ZeroMQError) {
        let now = keys()
        guard now.contains(used) else { return try connect(now, with: now.choice(keeping: nil)) }
        hasSeveralKeys = now.choices.count > 1
    }

    private mutating func connect(_ keys: ClientKeys, with choice: ClientKeys.Choice) throws(ZeroMQError) {
        hasSeveralKeys = keys.choices.count > 1
        used = choice
        socket = try BroadcastSource.connection(context, endpoints, used)
    }

    public func add(to polled: inout PollSet) { polled.add(socket) }

    /// One waiting frame; `nil` when none waits. Of a message with several frames, which no publisher sends, the first.
    public func receive() throws(ZeroMQError) -> [UInt8]? { try socket.receive(maximumFrames: 1)?.frames.first }

    private static func connection(
        _ context: Context, _ endpoints: [Endpoint], _ keys: ClientKeys.Choice
    ) throws(ZeroMQError) -> Socket {
        let socket = try Socket(.subscriber, in: context)
        try socket.receiveHighWater(receiveHighWater)
        // The frame, its encryption and the header.
        try socket.maximumMessageSize(Int64(Broadcast.sizeLimit) + 1024)
        try socket.curveClient(own: keys.own, server: keys.server)
        try socket.heartbeat(interval: .seconds(15), timeout: .seconds(40))
        // A publisher that was restarted is found again within a second or two.
        try socket.reconnectInterval(min: .milliseconds(100), max: .seconds(2))
        try socket.subscribe(Array(Broadcast.prefix.utf8))
        for endpoint in endpoints { try socket.connect(endpoint.description) }
        return socket
    }
}
