// The way between the stages: the options of a socket. All but subscriptions act only on binds and connects made after them.

import CZeroMQ

extension Socket {
    /// Messages kept for a peer that does not take them; at this mark a send would block or is dropped. Default 1000; 0 = no limit.
    public func sendHighWater(_ messages: Int32) throws(ZeroMQError) { try setOption(ZMQ_SNDHWM, messages, "send high water mark") }

    /// Messages of a peer kept for us; at this mark libzmq stops reading from it. Default 1000; 0 = no limit.
    public func receiveHighWater(_ messages: Int32) throws(ZeroMQError) { try setOption(ZMQ_RCVHWM, messages, "receive high water mark") }

    /// Bytes of the largest frame that is accepted; a peer that sends a larger one is disconnected. Default: no limit.
    ///
    /// Encryption adds 33 bytes to each frame, which count too.
    public func maximumMessageSize(_ bytes: Int64) throws(ZeroMQError) { try setOption(ZMQ_MAXMSGSIZE, bytes, "maximum message size") }

    /// Sends a ZMTP ping at each interval, and drops the connection when nothing has come for the timeout; the peer, told by the ping, does
    /// so too.
    ///
    /// - Parameters:
    ///   - interval: Each one wakes the I/O thread: 15 s keeps an idle process quiet.
    ///   - timeout: Longer than the interval. The peer's side has a resolution of 0.1 s and at most 6553 s.
    public func heartbeat(interval: Duration, timeout: Duration) throws(ZeroMQError) {
        try setOption(ZMQ_HEARTBEAT_IVL, interval.wholeMilliseconds, "heartbeat interval")
        try setOption(ZMQ_HEARTBEAT_TIMEOUT, timeout.wholeMilliseconds, "heartbeat timeout")
        try setOption(ZMQ_HEARTBEAT_TTL, timeout.wholeMilliseconds, "heartbeat time to live")
    }

    /// Connections that wait to be accepted; further ones are tried again by their kernels a second later. Default 100; the kernel allows
    /// `net.core.somaxconn` of them, 4096 unless set otherwise (listen(2)).
    public func backlog(_ connections: Int32) throws(ZeroMQError) { try setOption(ZMQ_BACKLOG, connections, "backlog") }

    /// How long a new connection may take to prove who it is. Default 30 s.
    public func handshakeTimeout(_ timeout: Duration) throws(ZeroMQError) {
        try setOption(ZMQ_HANDSHAKE_IVL, timeout.wholeMilliseconds, "handshake timeout")
    }

    /// The pause before a lost connection is tried again; it doubles from `min` to `max`. Default 100 ms each time.
    public func reconnectInterval(min: Duration, max: Duration) throws(ZeroMQError) {
        try setOption(ZMQ_RECONNECT_IVL, min.wholeMilliseconds, "reconnect interval")
        try setOption(ZMQ_RECONNECT_IVL_MAX, max.wholeMilliseconds, "longest reconnect interval")
    }

    /// Accepts only encrypted connections whose key the ``Authenticator`` of the same context admits.
    ///
    /// A libzmq server without a handler for its domain admits every key; the domain is enforced here, so that without an ``Authenticator``
    /// nobody is admitted.
    /// - Parameter domain: What the ``Authenticator`` is told about this endpoint; not empty, since an empty domain is not enforced.
    public func curveServer(_ key: SecretKey, domain: String = "curve") throws(ZeroMQError) {
        try setOption(ZMQ_CURVE_SERVER, 1 as Int32, "CURVE server")
        try setOption(ZMQ_CURVE_SECRETKEY, Array(key.z85.utf8), "CURVE secret key")
        try zapDomain(domain)
    }

    /// Connects encrypted, as the owner of a key, to the one server that has the secret half of `server`.
    public func curveClient(own: KeyPair, server: PublicKey) throws(ZeroMQError) {
        try setOption(ZMQ_CURVE_SERVERKEY, Array(server.z85.utf8), "CURVE server key")
        try setOption(ZMQ_CURVE_PUBLICKEY, Array(own.publicKey.z85.utf8), "CURVE public key")
        try setOption(ZMQ_CURVE_SECRETKEY, Array(own.secretKey.z85.utf8), "CURVE secret key")
    }

    /// Makes an endpoint without encryption ask the ``Authenticator`` too, which sees the peer's address and this domain.
    ///
    /// Peers older than ZMTP 3.0 (libzmq before 4.0) are then refused, since their handshake has no room for it.
    /// - Parameter domain: 1 to 255 characters (RFC 27).
    public func zapDomain(_ domain: String) throws(ZeroMQError) {
        try setOption(ZMQ_ZAP_DOMAIN, Array(domain.utf8), "ZAP domain")
        try setOption(ZMQ_ZAP_ENFORCE_DOMAIN, 1 as Int32, "ZAP domain enforced")
    }

    /// Receives the messages whose first frame begins with `prefix`; the empty prefix means all. Acts at once, on all connections.
    public func subscribe(_ prefix: [UInt8]) throws(ZeroMQError) { try setOption(ZMQ_SUBSCRIBE, prefix, "subscribe") }

    /// Queues messages only for connections that stand; without one a send would block.
    public func immediate(_ on: Bool = true) throws(ZeroMQError) { try setOption(ZMQ_IMMEDIATE, (on ? 1 : 0) as Int32, "immediate") }

    /// ROUTER: a send to a peer that is gone throws `EHOSTUNREACH` instead of dropping the message, and one to a slow peer would block.
    public func routerMandatory(_ on: Bool = true) throws(ZeroMQError) {
        try setOption(ZMQ_ROUTER_MANDATORY, (on ? 1 : 0) as Int32, "router mandatory")
    }

    func setOption(_ option: Int32, _ value: some FixedWidthInteger & BitwiseCopyable, _ name: String) throws(ZeroMQError) {
        let status = withUnsafeBytes(of: value) { zmq_setsockopt(handle, option, $0.baseAddress, $0.count) }
        guard status == 0 else { throw .last("set option \(name) to \(value)") }
    }

    /// The value is a key, a prefix or a domain, and never part of the error.
    func setOption(_ option: Int32, _ value: [UInt8], _ name: String) throws(ZeroMQError) {
        let status = value.withUnsafeBytes { zmq_setsockopt(handle, option, $0.baseAddress, $0.count) }
        guard status == 0 else { throw .last("set option \(name)") }
    }
}

extension Duration {
    /// Milliseconds, rounded up so that a wait never ends early; kept within 0 and Int32.max, about 24 days.
    var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < Int64(Int32.max) / 1000 else { return .max }
        return Int32(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
