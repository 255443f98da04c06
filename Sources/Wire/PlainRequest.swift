// What travels: the one frame of fail2ban-zmq-tools's clients, [token|]host|jail|action|ip, whose answer is itself without the token.

/// A report of a client of fail2ban-zmq-tools.
public struct PlainRequest: Sendable, Equatable {
    /// `nil` when the frame has no token field.
    public var token: String?
    public var event: Event
    /// The frame without its token, byte for byte: the answer such a client expects.
    public var echo: [UInt8]

    /// The most bytes a frame may have: a token of 128 bytes and the longest four fields.
    public static let sizeLimit = 512

    /// Why a frame is refused; its raw value goes into the log.
    public enum Failure: String, Error, Sendable {
        case oversized = "oversized frame"
        case fields = "not four fields, or five with a token"
        case text = "not printable ASCII"
        case host = "bad host"
        case jail = "bad jail"
        case action = "bad action"
        case address = "bad address"
    }

    /// Four fields are an event without token, five begin with one.
    public init(frame: Span<UInt8>) throws(Failure) {
        guard frame.count <= PlainRequest.sizeLimit else { throw .oversized }
        guard let text = asciiText(frame) else { throw .text }
        var fields = text.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 4 || fields.count == 5 else { throw .fields }
        token = fields.count == 5 ? fields.removeFirst() : nil
        guard let host = Hostname(fields[0]) else { throw .host }
        guard let jail = Jail(fields[1]) else { throw .jail }
        guard let action = Event.Action(rawValue: fields[2]) else { throw .action }
        guard let address = Address(fields[3]) else { throw .address }
        event = Event(host: host, jail: jail, action: action, address: address, cause: action == .ban ? .detected : .lifted)
        echo = Array(fields.joined(separator: "|").utf8)
    }
}
