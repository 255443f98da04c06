// What travels: the complete list of what a host holds, page by page, by which the publisher finds what it missed.

/// `HOLDS`: one page of a host's list of bans. The publisher compares the list with what it knows when all pages are there, and turns the
/// differences into ordinary events.
public struct HoldsPage: Sendable, Equatable {
    /// As in the host's reports.
    public var stream: String
    /// The stream's position up to which lines were read when the list was made.
    public var position: UInt64
    /// The sender's clock when the request was sent.
    public var now: Timestamp
    /// The sender's clock when the list was made. What was seen later than that is newer than the list.
    public var madeAt: Timestamp
    /// Names the list that the page is of, 1 to 64 of `[A-Za-z0-9-]`; each list has another.
    public var id: String
    /// From 1 on.
    public var page: UInt64
    public var isLast: Bool
    /// Whether what the list lacks is not held any more. A list that was not made from fail2ban's database only adds: a fail2ban that
    /// restarts without a database has lost its bans, and nobody lifted them.
    public var isComplete: Bool
    /// Bans with the cause held. ``Event/seen`` is when fail2ban banned.
    public var bans: [Event]

    public init(
        stream: String, position: UInt64, now: Timestamp, madeAt: Timestamp, id: String, page: UInt64, isLast: Bool, isComplete: Bool,
        bans: [Event]
    ) {
        self.stream = stream
        self.position = position
        self.now = now
        self.madeAt = madeAt
        self.id = id
        self.page = page
        self.isLast = isLast
        self.isComplete = isComplete
        self.bans = bans
    }

    /// - Throws: when a field is missing or bad, or a line is not a ban that is held. Whose bans they are is not looked at here.
    public init(_ message: Message) throws(MessageError) {
        guard message.verb == .holds else { throw .verb }
        let header = message.header
        guard let stream = header["stream"], Report.isStream(stream) else { throw .malformed("stream") }
        guard let position = header.number("position") else { throw .malformed("position") }
        guard let now = header.time("now") else { throw .malformed("now") }
        guard let madeAt = header.time("at") else { throw .malformed("at") }
        guard let id = header["id"], Report.isStream(id) else { throw .malformed("id") }
        guard let page = header.number("page"), page > 0 else { throw .malformed("page") }
        guard let isLast = header.answer("last") else { throw .malformed("last") }
        guard let isComplete = header.answer("complete") else { throw .malformed("complete") }
        let bans = try message.events()
        if let other = bans.firstIndex(where: { $0.action != .ban || $0.cause != .held }) {
            throw .malformed("line \(other + 1): not a ban that is held")
        }
        self.init(
            stream: stream, position: position, now: now, madeAt: madeAt, id: id, page: page, isLast: isLast, isComplete: isComplete,
            bans: bans)
    }

    public var message: Message {
        let header: Header = [
            "stream": stream, "position": String(position), "now": now.description, "at": madeAt.description, "id": id,
            "page": String(page),
            "last": isLast ? "yes" : "no", "complete": isComplete ? "yes" : "no",
        ]
        return Message(.holds, header, body: Message.body(of: bans))
    }
}
