// What travels: a request or its answer, four frames between a host and the publisher: version, verb, header, body.

/// A request or an answer, before its verb's own meaning is looked at.
public struct Message: Hashable, Sendable {
    /// The protocol's name and version, the first frame of every message and the first field of every broadcast.
    public static let version = "F2BC/1"
    /// The most bytes a header or a body may have.
    public static let sizeLimit = 64 * 1024
    /// The number of frames in every message.
    public static let frameCount = 4

    public enum Verb: String, Hashable, Sendable {
        case report = "REPORT"
        case holds = "HOLDS"
        case sync = "SYNC"
        case state = "STATE"
        case order = "ORDER"
        case query = "QUERY"
        // Answers.
        case acknowledged = "ACK"
        case refused = "NAK"
        case events = "EVENTS"
        case snapshot = "SNAPSHOT"
        case ok = "OK"
        case json = "JSON"
    }

    public var verb: Verb
    public var header: Header
    public var body: [UInt8]

    public init(_ verb: Verb, _ header: Header, body: [UInt8] = []) {
        self.verb = verb
        self.header = header
        self.body = body
    }

    public init(frames: [[UInt8]]) throws(MessageError) {
        guard frames.count == Message.frameCount else { throw .malformed("\(frames.count) frames, not \(Message.frameCount)") }
        guard frames[0].elementsEqual(Message.version.utf8) else { throw .version }
        let (verbFrame, headerFrame) = (frames[1], frames[2])
        guard let verb = asciiText(verbFrame.span).flatMap(Verb.init(rawValue:)) else { throw .verb }
        guard frames[2].count <= Message.sizeLimit, frames[3].count <= Message.sizeLimit else { throw .tooLarge }
        guard let header = Header(bytes: headerFrame.span) else { throw .malformed("header") }
        self.init(verb, header, body: frames[3])
    }

    public var frames: [[UInt8]] { [Array(Message.version.utf8), Array(verb.rawValue.utf8), header.bytes, body] }

    /// The body's lines, without their newlines.
    public func forEachBodyLine<E: Error>(_ work: (Span<UInt8>) throws(E) -> Void) throws(E) { try forEachLine(of: body.span, work) }
}

/// Lines of `key=value`. Keys are `[a-z][a-z0-9-]{0,31}`, values printable; unknown keys are kept and ignored.
public struct Header: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    private var values: [String: String] = [:]

    /// More lines than this are refused.
    public static let lineLimit = 32

    public init() {}

    /// - Precondition: keys and values are of the header's form; used with literals of this module only.
    public init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { self[key] = value }
    }

    /// Parses lines of `key=value`; `nil` on a bad line, a repeated key or too many lines.
    public init?(bytes: Span<UInt8>) {
        var lines = 0
        var valid = true
        forEachLine(of: bytes) { line in
            lines += 1
            guard valid, lines <= Header.lineLimit, line.withUnsafeBufferPointer({ !$0.contains(where: { $0 < 0x20 || $0 == 0x7f }) })
            else {
                valid = false
                return
            }
            guard let text = line.withUnsafeBufferPointer({ String(validating: $0, as: UTF8.self) }),
                let equals = text.firstIndex(of: "="), Header.isKey(text[..<equals]), values[String(text[..<equals])] == nil
            else {
                valid = false
                return
            }
            values[String(text[..<equals])] = String(text[text.index(after: equals)...])
        }
        guard valid else { return nil }
    }

    private static func isKey(_ text: Substring) -> Bool {
        guard (1...32).contains(text.utf8.count), let first = text.utf8.first, (0x61...0x7a).contains(first) else { return false }
        return text.utf8.allSatisfy { (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }
    }

    /// The value of a key. Control characters in a value that is set become blanks, so that it stays one line.
    public subscript(key: String) -> String? {
        get { values[key] }
        set {
            values[key] = newValue.map { value in
                guard value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else { return value }
                return String(String.UnicodeScalarView(value.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
            }
        }
    }

    /// A decimal number; `nil` when it is missing or not one.
    public func number(_ key: String) -> UInt64? { values[key].flatMap { parseDecimal(Array($0.utf8).span) } }

    /// A time in milliseconds since the epoch; `nil` when it is missing or not one.
    public func time(_ key: String) -> Timestamp? { values[key].flatMap { Timestamp(bytes: Array($0.utf8).span) } }

    /// The publisher's term, which every answer carries.
    public var term: Term? { values["term"].flatMap { Term($0) } }

    /// The lines, sorted by key so that equal headers have equal bytes.
    public var bytes: [UInt8] {
        Array(values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "\n").utf8)
    }
}

/// Why frames are not a message, or a message is not what its verb says.
public enum MessageError: Error, Hashable, Sendable, CustomStringConvertible {
    case malformed(String)
    case version
    case verb
    case tooLarge

    /// The code of the NAK that answers it.
    public var code: RefusalCode {
        switch self {
        case .malformed: .malformed
        case .version: .version
        case .verb: .verb
        case .tooLarge: .toolarge
        }
    }

    public var description: String {
        switch self {
        case .malformed(let what): "malformed: \(what)"
        case .version: "not \(Message.version)"
        case .verb: "unknown verb"
        case .tooLarge: "a header or body over \(Message.sizeLimit) bytes"
        }
    }
}

/// Why the publisher refused a whole request.
public enum RefusalCode: String, Hashable, Sendable {
    /// Too much at once: try again later.
    case busy
    case malformed
    case version
    case verb
    /// The key may not do this.
    case role
    /// The key belongs to another host, or to none.
    case host
    /// This publisher is a standby: ask the next one.
    case standby
    /// The journal can't be written: try again later.
    case storage
    case toolarge
}
