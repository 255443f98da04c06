// What travels: a broadcast, one frame of announcements behind a header line that numbers them. A beat is the header alone.

/// One start of the publisher: a random number that tells its announcements' numbers from those of any other journal.
public struct Term: Hashable, Sendable, CustomStringConvertible {
    public let id: UInt64

    public init(id: UInt64) { self.id = id }

    /// Parses exactly sixteen lower-case hexadecimal digits.
    public init?(_ text: String) {
        guard text.utf8.count == 16, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            let id = UInt64(text, radix: 16)
        else { return nil }
        self.id = id
    }

    public var description: String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Announcements with consecutive numbers, as they travel in one frame from the publisher to every subscriber.
public struct Broadcast: Hashable, Sendable {
    public let term: Term
    /// The number of the first announcement in this frame; in a beat, the number that the next announcement will have.
    public let first: UInt64
    /// The publisher's clock when the frame was made. Ends are on this clock.
    public let now: Timestamp
    /// In order of their numbers; empty in a beat.
    public let events: [Event]

    /// The number of the last announcement made so far. In a beat it is `first - 1`.
    public var last: UInt64 { first + UInt64(events.count) - 1 }

    public var isBeat: Bool { events.isEmpty }

    /// What every frame begins with; subscribers subscribe to it.
    public static let prefix = Message.version + "|"
    /// The bytes of the longest frame. A single event always fits.
    public static let sizeLimit = 64 * 1024

    /// - Precondition: `first` is 1 to `Int64.max`, and the events are numbered from it without a gap (checked in debug builds).
    public init(term: Term, first: UInt64, now: Timestamp, events: [Event]) {
        precondition(first > 0 && first <= UInt64(Int64.max))
        assert(events.indices.allSatisfy { events[$0].number == first + UInt64($0) })
        self.term = term
        self.first = first
        self.now = now
        self.events = events
    }
}

/// Why a frame is not a broadcast.
public enum BroadcastError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Longer than ``Broadcast/sizeLimit``.
    case tooLarge
    case version
    case header
    case numbers
    /// The line, counted from 1 behind the header, and what is wrong with it.
    case line(Int, EventLineError)

    public var description: String {
        switch self {
        case .tooLarge: "over \(Broadcast.sizeLimit) bytes"
        case .version: "does not begin with \(Message.version)"
        case .header: "bad header"
        case .numbers: "its lines are not numbered as its header says"
        case .line(let line, let error): "line \(line): \(error.rawValue)"
        }
    }
}

extension Broadcast {
    /// Parses a frame. Either all of it is valid, or nothing of it is used: a frame with a hole would be taken as complete.
    public init(frame: Span<UInt8>) throws(BroadcastError) {
        guard frame.count <= Broadcast.sizeLimit else { throw .tooLarge }
        // Before the fields are counted: another version may have others.
        guard begins(frame, with: Broadcast.prefix) else { throw .version }
        var newline = 0
        while newline < frame.count, frame[newline] != UInt8(ascii: "\n") { newline += 1 }
        let header = frame.extracting(0..<newline)
        guard let at = fieldRanges(header, count: InlineArray<5, Range<Int>>.self),
            let term = asciiText(header.extracting(at[1])).flatMap({ Term($0) }),
            let first = parseNumber(header.extracting(at[2])),
            let last = parseDecimal(header.extracting(at[3])),
            let now = Timestamp(bytes: header.extracting(at[4]))
        else { throw .header }

        var events: [Event] = []
        if newline < frame.count {
            try forEachLine(of: frame.extracting((newline + 1)..<frame.count)) { (line) throws(BroadcastError) in
                let event: Event
                do throws(EventLineError) { event = try Event(line: line, behind: events.last) } catch {
                    throw .line(events.count + 1, error)
                }
                guard event.number == first + UInt64(events.count) else { throw .numbers }
                events.append(event)
            }
        }
        self.init(term: term, first: first, now: now, events: events)
        guard last == self.last else { throw .numbers }
    }

    /// The frame's bytes: the header line, then each event's line, separated by newlines.
    public var frame: [UInt8] {
        var bytes = Broadcast.headerLine(term: term, first: first, last: last, now: now)
        for event in events {
            bytes.append(UInt8(ascii: "\n"))
            event.appendLine(to: &bytes)
        }
        return bytes
    }

    /// The header line alone, for who already has the lines as bytes.
    public static func headerLine(term: Term, first: UInt64, last: UInt64, now: Timestamp) -> [UInt8] {
        Array("\(prefix)\(term)|\(first)|\(last)|\(now)".utf8)
    }
}

private func begins(_ bytes: Span<UInt8>, with prefix: String) -> Bool {
    bytes.count >= prefix.utf8.count && bytes.extracting(0..<prefix.utf8.count).withUnsafeBufferPointer { $0.elementsEqual(prefix.utf8) }
}
