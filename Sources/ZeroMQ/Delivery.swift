// The way between the stages: one message as it arrived, and what is known of who sent it.

/// One message as it arrived.
public struct Delivery: Equatable, Sendable {
    public var frames: [[UInt8]]
    /// The User-Id that the ``Authenticator`` gave the sender's connection; `nil` where it was not asked.
    public var userID: String?
    /// The sender's IP address without its port, an IPv4 address as such; `nil` for inproc.
    public var peerAddress: String?
    /// Whether the message had more frames than the receiver wanted.
    public var isTruncated = false

    public init(frames: [[UInt8]], userID: String? = nil, peerAddress: String? = nil) {
        self.frames = frames
        self.userID = userID
        self.peerAddress = peerAddress
    }
}

/// The text of an address or of an endpoint with IPv4 written as IPv4; a socket for both families calls it `::ffff:192.0.2.1`.
func withoutMapping(_ text: String) -> String {
    for (prefix, plain) in [("::ffff:", ""), ("tcp://[::ffff:", "tcp://")] where text.hasPrefix(prefix) {
        let rest = text.dropFirst(prefix.count)
        return rest.contains(".") ? plain + rest.filter { $0 != "]" } : text
    }
    return text
}
