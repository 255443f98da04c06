// The way between the stages: who may connect. Answers libzmq's questions about new connections (ZAP, RFC 27).

/// The handler that all endpoints of a context with a ZAP domain ask about each new connection.
///
/// It is made before any endpoint is bound, and lives as long as they do: while it is gone nobody is admitted.
public struct Authenticator: ~Copyable {
    /// What is known about a new connection.
    public struct Credentials: Equatable, Sendable {
        public enum Mechanism: Equatable, Sendable {
            /// No encryption: nothing proves who it is, and the address may be forged by who stands in between.
            case null
            /// The peer has proved that it owns this key.
            case curve(PublicKey)
        }

        /// The domain of the endpoint it came to.
        public let domain: String
        /// The peer's IP address without its port, an IPv4 address as such, a link-local one without its zone (`%eth0`).
        public let peerAddress: String
        public let mechanism: Mechanism

        public init(domain: String, peerAddress: String, mechanism: Mechanism) {
            self.domain = domain
            self.peerAddress = peerAddress
            self.mechanism = mechanism
        }
    }

    public enum Verdict: Equatable, Sendable {
        /// Each message of the connection carries this as ``Delivery/userID``; at most 255 bytes.
        case admit(userID: String)
        /// The connection is closed; the peer tries again after its reconnect interval or handshake timeout.
        ///
        /// This is ZAP's 300. With 400 a libzmq client gives up its connection for good, silently, and a host authorised a moment later
        /// would have to be restarted. libzmq may keep a refused connection open until the handshake timeout of either side.
        case refuse
    }

    /// Questions answered in one call, so that a flood of connections cannot hold up the loop: those left keep the socket readable.
    static let mostAnswersPerCall = 16

    private let socket: Socket

    /// - Throws: `EADDRINUSE` when the context has one already.
    public init(in context: Context) throws(ZeroMQError) {
        let socket = try Socket(.router, in: context)
        // An answer that cannot be delivered would leave a connection hanging, so there is no limit; libzmq has one question per
        // connection.
        try socket.sendHighWater(0)
        try socket.receiveHighWater(0)
        try socket.bind("inproc://zeromq.zap.01")
        self.socket = socket
    }

    /// Makes the loop wake up when a connection asks to be admitted.
    public func add(to polled: inout PollSet) { polled.add(socket) }

    /// Answers the questions that wait, at most 16 a call; it needs not be called only when readable.
    ///
    /// - Parameter decide: Says yes or no, and logs why.
    public mutating func answerWaiting(_ decide: (Credentials) -> Verdict) throws(ZeroMQError) {
        for _ in 0..<Authenticator.mostAnswersPerCall {
            // Routing id, delimiter, and the nine frames that a request with the two credentials of PLAIN has.
            guard let question = try socket.receive(maximumFrames: 11) else { return }
            guard let answer = Authenticator.answer(to: question.frames, decide) else { continue }
            _ = try socket.send(answer)
        }
    }

    /// The answer to a ZAP request; `nil` to what is none, which gets no answer, so that its connection runs into the handshake timeout.
    static func answer(to frames: [[UInt8]], _ decide: (Credentials) -> Verdict) -> [[UInt8]]? {
        guard frames.count >= 8, frames[1].isEmpty, frames[2].elementsEqual("1.0".utf8) else { return nil }
        let (domain, address, mechanism) = (frames[4], frames[5], frames[7])
        let proof: Credentials.Mechanism
        if mechanism.elementsEqual("CURVE".utf8), frames.count == 9, let key = PublicKey(bytes: frames[8]) {
            proof = .curve(key)
        } else if mechanism.elementsEqual("NULL".utf8), frames.count == 8 {
            proof = .null
        } else {
            return reply(to: frames, status: "300", text: "unknown mechanism")
        }
        let credentials = Credentials(
            domain: String(decoding: domain, as: UTF8.self),
            peerAddress: withoutMapping(String(decoding: address.prefix { $0 != UInt8(ascii: "%") }, as: UTF8.self)), mechanism: proof)
        switch decide(credentials) {
        case .admit(let userID) where userID.utf8.count <= 255: return reply(to: frames, status: "200", text: "OK", userID: userID)
        case .admit: return reply(to: frames, status: "300", text: "user id too long")
        case .refuse: return reply(to: frames, status: "300", text: "refused")
        }
    }

    /// The six frames of RFC 27 after the routing id and the delimiter of the question; the metadata is empty.
    private static func reply(to frames: [[UInt8]], status: String, text: String, userID: String = "") -> [[UInt8]] {
        [frames[0], [], Array("1.0".utf8), frames[3], Array(status.utf8), Array(text.utf8), Array(userID.utf8), []]
    }
}
