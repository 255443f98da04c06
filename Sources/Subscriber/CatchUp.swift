// Stage 3, reception: when the publisher is asked for what is missing, and how its answers and the broadcasts become one sequence without a
// hole.

import Wire

/// Puts broadcasts and answers to `SYNC` into one order. A value without clock or socket.
///
/// It begins with a question, and asks again whenever a broadcast or a beat shows that something is missing. Meanwhile broadcasts are kept,
/// and taken up when the answers have come as far; so reception never stops, and each announcement is applied once and in order.
public struct CatchUp: Sendable {
    /// What is to be done, in this order.
    public enum Step: Sendable, Equatable {
        /// Apply these announcements; times are on a publisher's clock that shows `now`.
        case apply([Event], now: Timestamp)
        /// These are all bans there are, in the pages that came: an array of a million would be moved each time it grew. What else is wanted
        /// isn't banned any more; `isCertain` says whether that is so, or the publisher is one that may lack what the hosts are about to
        /// tell it.
        case adopt([[Event]], now: Timestamp, isCertain: Bool)
        /// Ask the publisher.
        case ask(SyncRequest)
        /// All that was announced has been applied.
        case upToDate
    }

    /// Broadcasts kept while an answer is awaited, at most 64 KiB each. More are dropped: they are asked for.
    static let bufferLimit = 256

    /// A place in the sequence: everything up to this number has been applied.
    public struct Position: Sendable, Hashable {
        public var term: Term
        public var last: UInt64

        public init(term: Term, last: UInt64) {
            self.term = term
            self.last = last
        }
    }

    private enum State: Sendable {
        /// Up to date as far as is known.
        case live
        /// Announcements behind the position were asked for.
        case following
        /// A snapshot is being collected; what its first page said.
        case collecting(term: Term, number: UInt64, isKnownPlace: Bool)
    }

    private var state = State.live
    private var buffer: [Broadcast] = []
    private var snapshot: [[Event]] = []
    /// Where this host was before it started; `nil` when that isn't known.
    private let former: Position?
    /// Where this host is; `nil` before the first snapshot.
    public private(set) var position: Position?

    /// - Parameter former: where this host was when it stopped.
    public init(former: Position? = nil) { self.former = former }

    public var isLive: Bool { if case .live = state { position != nil } else { false } }

    /// The first question.
    public mutating func begin() -> [Step] { [ask()] }

    /// Takes a broadcast or a beat.
    public mutating func take(_ broadcast: Broadcast) -> [Step] {
        guard isLive, let position else {
            if buffer.count < CatchUp.bufferLimit { buffer.append(broadcast) }
            return []
        }
        guard broadcast.term == position.term, broadcast.first <= position.last + 1 else {
            buffer = [broadcast]
            return [ask()]
        }
        return apply(broadcast)
    }

    /// Something else than a broadcast showed which term the publisher is in.
    public mutating func noticed(_ term: Term) -> [Step] { isLive && term != position?.term ? [ask()] : [] }

    /// Takes the publisher's answer.
    public mutating func take(_ answer: SyncAnswer) -> [Step] {
        switch (answer.content, state) {
        case (.announcements(let events, let isLast), .following):
            // Announcements follow the position, in whichever term it was; the term is the publisher's present one from now on.
            position = Position(term: answer.term, last: events.last?.number ?? position?.last ?? 0)
            let applied: [Step] = events.isEmpty ? [] : [.apply(events, now: answer.now)]
            return applied + (isLast ? goLive() : [ask()])
        case (.snapshot(let bans, let number, let next, let isKnownPlace), .following):
            snapshot = [bans]
            state = .collecting(term: answer.term, number: number, isKnownPlace: isKnownPlace)
            return collect(next, answer)
        case (.snapshot(let bans, _, let next, _), .collecting(let term, _, _)) where term == answer.term:
            snapshot.append(bans)
            return collect(next, answer)
        default:
            // The publisher was restarted between two pages, or answered something else: from the beginning.
            snapshot = []
            return [ask()]
        }
    }

    private mutating func collect(_ next: Address?, _ answer: SyncAnswer) -> [Step] {
        guard case .collecting(let term, let number, let isKnownPlace) = state else { return [] }
        if let next { return [.ask(SyncRequest(term: place?.term, last: place?.last ?? 0, wantsAll: true, after: next))] }
        position = Position(term: term, last: number)
        let bans = snapshot
        snapshot = []
        return [.adopt(bans, now: answer.now, isCertain: isKnownPlace), ask()]
    }

    private var place: Position? { position ?? former }

    private mutating func ask() -> Step {
        state = .following
        return .ask(SyncRequest(term: place?.term, last: place?.last ?? 0, wantsAll: position == nil))
    }

    /// Takes up the broadcasts that came meanwhile.
    private mutating func goLive() -> [Step] {
        state = .live
        let waiting = buffer
        buffer = []
        var steps: [Step] = []
        for (index, broadcast) in waiting.enumerated() {
            guard let position, broadcast.term == position.term, broadcast.first <= position.last + 1 else {
                // One of another term is passed over: of a term before it is over, and of a later one the next beat tells. Behind a hole,
                // what follows is kept for the next answer.
                guard broadcast.term == position?.term else { continue }
                buffer = Array(waiting[index...])
                return steps + [ask()]
            }
            steps += apply(broadcast)
        }
        return steps + [.upToDate]
    }

    private mutating func apply(_ broadcast: Broadcast) -> [Step] {
        guard let position, broadcast.last > position.last else { return [] }
        let fresh = Array(broadcast.events.drop { ($0.number ?? 0) <= position.last })
        self.position = Position(term: position.term, last: broadcast.last)
        return [.apply(fresh, now: broadcast.now)]
    }
}
