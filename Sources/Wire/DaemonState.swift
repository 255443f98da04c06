// What travels: how a host's monitor or subscriber is doing, told every 30 seconds.

/// `STATE`: what a daemon says of itself. Its answer is `OK`, whose term tells a quiet host that the publisher is another one now.
public struct DaemonState: Sendable, Equatable {
    public enum Component: String, Hashable, Sendable, CaseIterable {
        case monitor
        case subscriber
    }

    /// How often it is sent.
    public static let interval = Duration.seconds(30)

    public var component: Component
    /// The sender's clock when the request was sent.
    public var now: Timestamp
    /// A JSON object, at most a quarter of ``Message/sizeLimit`` in bytes. It is not looked at here.
    public var json: [UInt8]

    public init(_ component: Component, now: Timestamp, json: [UInt8]) {
        self.component = component
        self.now = now
        self.json = json
    }

    public init(_ message: Message) throws(MessageError) {
        guard message.verb == .state else { throw .verb }
        guard let component = message.header["component"].flatMap(Component.init(rawValue:)) else { throw .malformed("component") }
        guard let now = message.header.time("now") else { throw .malformed("now") }
        self.init(component, now: now, json: message.body)
    }

    public var message: Message { Message(.state, ["component": component.rawValue, "now": now.description], body: json) }

    /// The publisher's answer.
    public static func answer(term: Term) -> Message { Message(.ok, ["term": term.description]) }

    /// The publisher's term in its answer.
    /// - Throws: when it is not an OK with a term.
    public static func term(of answer: Message) throws(MessageError) -> Term {
        guard answer.verb == .ok else { throw .verb }
        guard let term = answer.header.term else { throw .malformed("term") }
        return term
    }
}
