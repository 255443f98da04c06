// What travels: a subscriber's question for what it missed, and the publisher's answer: announcements, or a page of all bans.

/// `SYNC`: which announcements a subscriber lacks, or all bans, page by page.
public struct SyncRequest: Sendable, Equatable {
    /// The term whose announcements the subscriber had last; `nil` when it never had any.
    public var term: Term?
    /// The number of the last announcement that it has; 0 when it has none.
    public var last: UInt64
    /// Whether it wants all bans, since it has none: it has just started.
    public var wantsAll: Bool
    /// The last address of the snapshot's page before; `nil` for a first page, or for announcements.
    public var after: Address?

    public init(term: Term?, last: UInt64, wantsAll: Bool = false, after: Address? = nil) {
        self.term = term
        self.last = last
        self.wantsAll = wantsAll
        self.after = after
    }

    public init(_ message: Message) throws(MessageError) {
        guard message.verb == .sync else { throw .verb }
        guard let last = message.header.number("last") else { throw .malformed("last") }
        var term: Term?
        if let text = message.header["term"], text != "-" {
            guard let known = Term(text) else { throw .malformed("term") }
            term = known
        }
        var after: Address?
        if let text = message.header["after"] {
            guard let address = Address(text) else { throw .malformed("after") }
            after = address
        }
        guard ["yes", "no", nil].contains(message.header["all"]) else { throw .malformed("all") }
        self.init(term: term, last: last, wantsAll: message.header["all"] == "yes", after: after)
    }

    public var message: Message {
        var header: Header = ["term": term?.description ?? "-", "last": String(last), "all": wantsAll ? "yes" : "no"]
        header["after"] = after?.description
        return Message(.sync, header)
    }
}

/// `EVENTS` or `SNAPSHOT`: the answer to `SYNC`.
public struct SyncAnswer: Sendable, Equatable {
    public enum Content: Sendable, Equatable {
        /// The announcements behind `last`, as far as they fit, numbered without a gap; empty when there are none. `isLast` says whether
        /// there are no more.
        case announcements([Event], isLast: Bool)
        /// Addresses that are banned, in key order, without numbers. The snapshot is true at `number` or later; announcements behind
        /// that of the first page make it exact. `next` is what to ask for the next page with; `nil` on the last one. `isKnownPlace`
        /// says whether the term and number that were asked with are of the publisher's journal, so that what the snapshot lacks isn't
        /// banned any more for certain. A journal restored from an older backup knows the term and not the number.
        case snapshot([Event], number: UInt64, next: Address?, isKnownPlace: Bool)
    }

    /// The publisher's present term.
    public var term: Term
    /// The publisher's clock when it answered. Ends are on this clock.
    public var now: Timestamp
    public var content: Content

    public init(term: Term, now: Timestamp, _ content: Content) {
        self.term = term
        self.now = now
        self.content = content
    }

    public init(_ message: Message) throws(MessageError) {
        guard let term = message.header.term else { throw .malformed("term") }
        guard let now = message.header.time("now") else { throw .malformed("now") }
        let events = try message.events()
        switch message.verb {
        case .events:
            guard let first = message.header.number("first") else { throw .malformed("first") }
            for (offset, event) in events.enumerated() where event.number != first + UInt64(offset) {
                throw .malformed("line \(offset + 1): not numbered as the header says")
            }
            guard let hasMore = message.header.answer("more") else { throw .malformed("more") }
            self.init(term: term, now: now, .announcements(events, isLast: !hasMore))
        case .snapshot:
            guard let number = message.header.number("number") else { throw .malformed("number") }
            var next: Address?
            if let text = message.header["next"] {
                guard let address = Address(text) else { throw .malformed("next") }
                next = address
            }
            guard events.allSatisfy({ $0.action == .ban && $0.number == nil }) else {
                throw .malformed("a snapshot has unnumbered bans only")
            }
            guard let isKnownPlace = message.header.answer("known") else { throw .malformed("known") }
            self.init(term: term, now: now, .snapshot(events, number: number, next: next, isKnownPlace: isKnownPlace))
        default: throw .verb
        }
    }

    /// - Parameter first: in `EVENTS`, the number behind the `last` of the request.
    public func message(first: UInt64) -> Message {
        switch content {
        case .announcements(let announcements, let isLast):
            let header: Header = [
                "term": term.description, "now": now.description, "first": String(first), "more": isLast ? "no" : "yes",
            ]
            return Message(.events, header, body: Message.body(of: announcements))
        case .snapshot(let bans, let number, let next, let isKnownPlace):
            return SyncAnswer.page(
                term: term, now: now, lines: Message.body(of: bans), number: number, next: next, isKnownPlace: isKnownPlace)
        }
    }

    /// `SNAPSHOT` for who has the lines of its bans already: of a million bans, none is written twice.
    ///
    /// - Parameter lines: each with its newline.
    public static func page(
        term: Term, now: Timestamp, lines: [UInt8], number: UInt64, next: Address?, isKnownPlace: Bool
    ) -> Message {
        var header: Header = [
            "term": term.description, "now": now.description, "number": String(number), "known": isKnownPlace ? "yes" : "no",
        ]
        header["next"] = next?.description
        return Message(.snapshot, header, body: lines)
    }
}
