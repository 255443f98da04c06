// What travels: an event, and its one line of text: host|jail|action|address|number|seen|admitted|end|cause.

/// One ban or unban, as a host reported it or as the publisher announced it.
public struct Event: Hashable, Sendable {
    public enum Action: String, Hashable, Sendable {
        case ban = "Ban"
        case unban = "Unban"
    }

    /// Why it happened.
    public enum Cause: String, Hashable, Sendable {
        /// fail2ban banned the address on the reporting host.
        case detected
        /// The address stands on a host's complete list of holds.
        case held
        /// The ban's time came.
        case expired
        /// The host's admin lifted the ban.
        case lifted
        /// An operator of the cluster ordered it.
        case `operator`
    }

    public var host: Hostname
    public var jail: Jail
    public var action: Action
    public var address: Address
    /// The announcement's number, 1 to `Int64.max`; `nil` in reports and for events that were not announced.
    public var number: UInt64?
    /// The time of the log line; `nil` when unknown.
    public var seen: Timestamp?
    /// When the publisher admitted it; `nil` in reports.
    public var admitted: Timestamp?
    public var end: BanEnd
    public var cause: Cause

    public init(
        host: Hostname, jail: Jail, action: Action, address: Address, number: UInt64? = nil, seen: Timestamp? = nil,
        admitted: Timestamp? = nil, end: BanEnd = .unknown, cause: Cause
    ) {
        self.host = host
        self.jail = jail
        self.action = action
        self.address = address
        self.number = number
        self.seen = seen
        self.admitted = admitted
        self.end = end
        self.cause = cause
    }
}

extension Event.Action {
    /// The action that these bytes name.
    init?(bytes: Span<UInt8>) {
        if isText(bytes, Self.ban.rawValue) {
            self = .ban
        } else if isText(bytes, Self.unban.rawValue) {
            self = .unban
        } else {
            return nil
        }
    }
}

extension Event.Cause {
    /// The cause that these bytes name.
    init?(bytes: Span<UInt8>) {
        // The most frequent first; nothing is made of what is compared.
        if isText(bytes, Self.detected.rawValue) {
            self = .detected
        } else if isText(bytes, Self.held.rawValue) {
            self = .held
        } else if let text = asciiText(bytes), let other = Self(rawValue: text) {
            self = other
        } else {
            return nil
        }
    }
}

/// Why a line is not an event: the first field that is wrong. Its raw value is the reason that travels in an answer.
public enum EventLineError: String, Error, Sendable {
    case fields = "not nine fields"
    case host = "bad host"
    case jail = "bad jail"
    case action = "bad action"
    case address = "bad address"
    case number = "bad number"
    case seen = "bad time seen"
    case admitted = "bad time admitted"
    case end = "bad end"
    case cause = "bad cause"
}

extension Event {
    /// Longer than any valid line: 253 + 64 + 5 + 49 + 19 + 3 x 15 + 8 bytes and eight separators, rounded up.
    public static let longestLine = 512

    /// Parses one line without its newline.
    ///
    /// - Parameter previous: the event of the line before, which mostly has the same host and jail.
    public init(line: Span<UInt8>, behind previous: Event? = nil) throws(EventLineError) {
        guard line.count <= Event.longestLine, let at = fieldRanges(line, count: InlineArray<9, Range<Int>>.self) else { throw .fields }
        guard let host = Hostname(bytes: line.extracting(at[0]), like: previous?.host) else { throw .host }
        guard let jail = Jail(bytes: line.extracting(at[1]), like: previous?.jail) else { throw .jail }
        guard let action = Action(bytes: line.extracting(at[2])) else { throw .action }
        guard let address = Address(bytes: line.extracting(at[3])) else { throw .address }
        guard let number = parseOptional(line.extracting(at[4]), parseNumber) else { throw .number }
        guard let seen = parseOptional(line.extracting(at[5]), { Timestamp(bytes: $0) }) else { throw .seen }
        guard let admitted = parseOptional(line.extracting(at[6]), { Timestamp(bytes: $0) }) else { throw .admitted }
        guard let end = BanEnd(bytes: line.extracting(at[7])) else { throw .end }
        guard let cause = Cause(bytes: line.extracting(at[8])) else { throw .cause }
        self.init(
            host: host, jail: jail, action: action, address: address, number: number, seen: seen, admitted: admitted, end: end,
            cause: cause)
    }

    /// Appends the line without a newline.
    public func appendLine(to text: inout [UInt8]) {
        appendPlainLine(to: &text)
        text.append(separator)
        appendOptional(number, to: &text)
        text.append(separator)
        appendOptional(seen.map { UInt64($0.milliseconds) }, to: &text)
        text.append(separator)
        appendOptional(admitted.map { UInt64($0.milliseconds) }, to: &text)
        text.append(separator)
        switch end {
        case .unknown: text.append(UInt8(ascii: "-"))
        case .permanent: text.append(UInt8(ascii: "*"))
        case .at(let time): appendDecimal(UInt64(time.milliseconds), to: &text)
        }
        text.append(separator)
        text.append(contentsOf: cause.rawValue.utf8)
    }

    /// Appends `host|jail|action|address`, the four fields that clients of fail2ban-zmq-tools know.
    public func appendPlainLine(to text: inout [UInt8]) {
        text.append(contentsOf: host.description.utf8)
        text.append(separator)
        text.append(contentsOf: jail.description.utf8)
        text.append(separator)
        text.append(contentsOf: action.rawValue.utf8)
        text.append(separator)
        address.append(to: &text)
    }

    /// The line as a String, for logs and tests.
    public var line: String {
        var text: [UInt8] = []
        appendLine(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}

extension Message {
    /// The events whose lines are the body, in their order.
    func events() throws(MessageError) -> [Event] {
        var events: [Event] = []
        // About as many as there are: most lines have some more bytes than this.
        events.reserveCapacity(body.count / 64 + 1)
        try forEachBodyLine { (line) throws(MessageError) in
            do throws(EventLineError) {
                events.append(try Event(line: line, behind: events.last))
            } catch {
                throw .malformed("line \(events.count + 1): \(error.rawValue)")
            }
        }
        return events
    }

    /// The body that has the lines of these events.
    static func body(of events: [Event]) -> [UInt8] {
        var body: [UInt8] = []
        for event in events {
            event.appendLine(to: &body)
            body.append(UInt8(ascii: "\n"))
        }
        return body
    }
}
