// What travels: a monitor's report of what its host banned and lifted, and the publisher's acknowledgement.

/// Lines of a host's fail2ban.log that are events, each with its place in the host's stream.
public struct Report: Sendable, Equatable {
    /// One line. A line that could not be parsed stays in its place, so that the others count and it can be refused by name.
    public struct Entry: Sendable, Equatable {
        /// Bytes of the stream up to the end of the log line; `nil` for what was decided later than its place in the log.
        public var position: UInt64?
        public var content: Result<Event, EventLineError>

        public init(position: UInt64?, _ event: Event) {
            self.position = position
            content = .success(event)
        }

        init(position: UInt64?, content: Result<Event, EventLineError>) {
            self.position = position
            self.content = content
        }
    }

    /// Names the host's sequence of positions, 1 to 64 of `[A-Za-z0-9-]`; a new one begins where positions can't go on.
    public var stream: String
    /// The sender's clock when the request was sent.
    public var now: Timestamp
    public var entries: [Entry]

    /// Bytes that one entry can need in the body: its line, `|`, a position of 19 digits and the newline. The sender keeps the body
    /// under ``Message/sizeLimit`` with it.
    public static let longestEntry = Event.longestLine + 21

    public init(stream: String, now: Timestamp, entries: [Entry]) {
        self.stream = stream
        self.now = now
        self.entries = entries
    }

    /// The largest position in this report, which the publisher acknowledges; `nil` when no entry has one.
    public var position: UInt64? { entries.compactMap(\.position).max() }

    /// - Throws: when the header lacks `stream` or `now`, or a line does not begin with a position. A line whose event is bad does
    ///   not make the report bad. Whether the host may report an event is not looked at here.
    public init(_ message: Message) throws(MessageError) {
        guard message.verb == .report else { throw .verb }
        guard let stream = message.header["stream"], Report.isStream(stream) else { throw .malformed("stream") }
        guard let now = message.header.time("now") else { throw .malformed("now") }
        var entries: [Entry] = []
        // About as many as there are: lines of most reports have some more bytes than this.
        entries.reserveCapacity(message.body.count / 64 + 1)
        var previous: Event?
        try message.forEachBodyLine { (line) throws(MessageError) in
            guard let (position, bar) = leadingPosition(line) else { throw .malformed("position in line \(entries.count + 1)") }
            let content: Result<Event, EventLineError>
            do throws(EventLineError) {
                let event = try Event(line: line.extracting((bar + 1)..<line.count), behind: previous)
                previous = event
                content = .success(event)
            } catch {
                content = .failure(error)
            }
            entries.append(Entry(position: position, content: content))
        }
        self.init(stream: stream, now: now, entries: entries)
    }

    /// An entry whose content is not an event has no line and is left out.
    public var message: Message {
        var body: [UInt8] = []
        for entry in entries {
            guard case .success(let event) = entry.content else { continue }
            appendOptional(entry.position, to: &body)
            body.append(separator)
            event.appendLine(to: &body)
            body.append(UInt8(ascii: "\n"))
        }
        return Message(.report, ["stream": stream, "now": now.description], body: body)
    }

    static func isStream(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }
}

/// The position that a line begins with, `-` or a number, and where the separator behind it is; `nil` when there is none.
private func leadingPosition(_ line: Span<UInt8>) -> (position: UInt64?, bar: Int)? {
    var bar = 0
    while bar < line.count, line[bar] != separator { bar += 1 }
    guard bar < line.count, let position = parseOptional(line.extracting(0..<bar), parseDecimal) else { return nil }
    return (position, bar)
}

/// The publisher's word that a report is on disk, with what it refused of it and why.
public struct Acknowledgement: Sendable, Equatable {
    public struct Refusal: Sendable, Equatable {
        /// The entry's position; `nil` for one without.
        public var position: UInt64?
        /// In words an operator understands. Control characters become blanks on the wire.
        public var reason: String

        public init(position: UInt64?, reason: String) {
            self.position = position
            self.reason = reason
        }
    }

    public var term: Term
    /// The highest position of the stream that is on disk; 0 when the stream has none.
    public var position: UInt64
    public var refused: [Refusal]

    public init(term: Term, position: UInt64, refused: [Refusal]) {
        self.term = term
        self.position = position
        self.refused = refused
    }

    /// - Throws: when it is not an ACK, its header lacks `term` or `position`, or a line is not a position and a reason.
    public init(_ message: Message) throws(MessageError) {
        guard message.verb == .acknowledged else { throw .verb }
        guard let term = message.header.term else { throw .malformed("term") }
        guard let position = message.header.number("position") else { throw .malformed("position") }
        var refused: [Refusal] = []
        try message.forEachBodyLine { (line) throws(MessageError) in
            guard let (position, bar) = leadingPosition(line), let reason = printableText(line.extracting((bar + 1)..<line.count)) else {
                throw .malformed("refusal in line \(refused.count + 1)")
            }
            refused.append(Refusal(position: position, reason: reason))
        }
        self.init(term: term, position: position, refused: refused)
    }

    /// At most ``Message/sizeLimit`` bytes of refusals are sent; the rest are in the publisher's history.
    public var message: Message {
        var body: [UInt8] = []
        for refusal in refused {
            let line = "\(refusal.position.map(String.init) ?? "-")|\(oneLine(refusal.reason))\n".utf8
            guard body.count + line.count <= Message.sizeLimit else { break }
            body.append(contentsOf: line)
        }
        return Message(
            .acknowledged, ["term": term.description, "position": String(position), "refused": String(refused.count)], body: body)
    }
}

/// The publisher's refusal of a whole request.
public struct RequestRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    public var code: RefusalCode
    /// In words an operator understands. Control characters become blanks on the wire.
    public var reason: String

    public init(_ code: RefusalCode, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// `nil` when the message is not a NAK. A code this version doesn't know is `malformed`.
    public init?(_ message: Message) {
        guard message.verb == .refused else { return nil }
        code = message.header["code"].flatMap(RefusalCode.init(rawValue:)) ?? .malformed
        reason = message.header["reason"] ?? ""
    }

    /// - Parameter term: the publisher's term; `nil` only where none has begun.
    public func message(term: Term?) -> Message {
        var header: Header = ["code": code.rawValue, "reason": reason]
        header["term"] = term?.description
        return Message(.refused, header)
    }

    public var description: String { reason.isEmpty ? code.rawValue : "\(code.rawValue): \(reason)" }
}
