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

        /// The bytes of the longest verb.
        static let longest = "SNAPSHOT".utf8.count
    }

    public var verb: Verb
    public var header: Header
    public var body: [UInt8]

    public init(_ verb: Verb, _ header: Header, body: [UInt8] = []) {
        self.verb = verb
        self.header = header
        self.body = body
    }

    /// - Throws: the first of: another version (which may have another number of frames), not four frames, a header or body over
    ///   ``sizeLimit``, an unknown verb, a bad header.
    public init(frames: [[UInt8]]) throws(MessageError) {
        guard let version = frames.first, version.elementsEqual(Message.version.utf8) else { throw .version }
        guard frames.count == Message.frameCount else { throw .malformed("\(frames.count) frames, not \(Message.frameCount)") }
        let (verbFrame, headerFrame, body) = (frames[1], frames[2], frames[3])
        guard headerFrame.count <= Message.sizeLimit, body.count <= Message.sizeLimit else { throw .tooLarge }
        guard verbFrame.count <= Verb.longest, let verb = asciiText(verbFrame.span).flatMap(Verb.init(rawValue:)) else { throw .verb }
        guard let header = Header(bytes: headerFrame.span) else { throw .malformed("header") }
        self.init(verb, header, body: body)
    }

    public var frames: [[UInt8]] { [Array(Message.version.utf8), Array(verb.rawValue.utf8), header.bytes, body] }

    /// The body's lines, without their newlines.
    public func forEachBodyLine<E: Error>(_ work: (Span<UInt8>) throws(E) -> Void) throws(E) { try forEachLine(of: body.span, work) }
}

/// Lines of `key=value`. Keys are `[a-z][a-z0-9-]{0,31}`, values are UTF-8 without control characters; unknown keys are ignored.
public struct Header: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    private var values: [String: String] = [:]

    /// More lines than this are refused.
    public static let lineLimit = 32

    public init() {}

    /// - Precondition: keys are of the header's form: they are written in the code, and never come from outside.
    public init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { self[key] = value }
    }

    /// Parses lines of `key=value`; `nil` on a bad line, a repeated key or too many lines.
    public init?(bytes: Span<UInt8>) {
        do throws(NotAHeader) {
            try forEachLine(of: bytes) { (line) throws(NotAHeader) in try add(line) }
        } catch {
            return nil
        }
    }

    private struct NotAHeader: Error {}

    private mutating func add(_ line: Span<UInt8>) throws(NotAHeader) {
        var equals = 0
        while equals < line.count, line[equals] != UInt8(ascii: "=") { equals += 1 }
        guard equals < line.count, let key = asciiText(line.extracting(0..<equals)), Header.isKey(key), values[key] == nil,
            let value = printableText(line.extracting((equals + 1)..<line.count)), values.count < Header.lineLimit
        else { throw NotAHeader() }
        values[key] = value
    }

    private static func isKey(_ text: String) -> Bool {
        guard (1...32).contains(text.utf8.count), let first = text.utf8.first, isLowerCase(first) else { return false }
        return text.utf8.allSatisfy { isLowerCase($0) || isDigit($0) || $0 == UInt8(ascii: "-") }
    }

    /// The value of a key. Control characters in a value that is set become blanks, so that it stays one line.
    ///
    /// - Precondition: a key that is set is of the header's form.
    public subscript(key: String) -> String? {
        get { values[key] }
        set {
            assert(Header.isKey(key))
            values[key] = newValue.map(oneLine)
        }
    }

    /// A decimal number; `nil` when it is missing or not one.
    public func number(_ key: String) -> UInt64? { values[key].flatMap { parseDecimal(Array($0.utf8).span) } }

    /// A time in milliseconds since the epoch; `nil` when it is missing or not one.
    public func time(_ key: String) -> Timestamp? { values[key].flatMap { Timestamp(bytes: Array($0.utf8).span) } }

    /// `yes` or `no`; `nil` when it is missing or neither.
    func answer(_ key: String) -> Bool? {
        switch values[key] {
        case "yes": true
        case "no": false
        default: nil
        }
    }

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
