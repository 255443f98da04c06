// Stage 3, reception: from the bytes of broadcasts and answers to what changes in the wanted set.

import Wire

/// Takes broadcasts and answers in the order in which they arrive, and holds what they amount to.
public struct BroadcastIntake: Sendable {
    /// What one frame or answer meant.
    public struct Result: Sendable, Equatable {
        /// In the order of the announcements.
        public var changes: [WantedSet.Change] = []
        /// Bans that this host refuses, and the rules that say so.
        public var refused: [Refused] = []
        /// How many announcements or bans were new.
        public var fresh = 0
        /// What to ask the publisher now, in place of what may be under way.
        public var question: SyncRequest?
        /// How many bans a snapshot had that was taken over, and whether what it lacks isn't banned for certain.
        public var adopted: Adopted?
        /// The publisher's clock when it told what was applied last; `nil` when nothing was.
        public var publisherNow: Timestamp?
        /// Everything that was announced has been applied, after something was missing.
        public var isUpToDate = false
    }

    public struct Refused: Hashable, Sendable {
        public let announcement: Event
        public let rule: String
    }

    public struct Adopted: Hashable, Sendable {
        public let count: Int
        public let isCertain: Bool
    }

    public private(set) var wanted: WantedSet
    private var catchUp: CatchUp

    /// - Parameters:
    ///   - origin: Any instant not later than those given to the other functions.
    ///   - former: Where this host was in the publisher's announcements before it started; `nil` when that isn't known.
    public init(origin: ContinuousClock.Instant, former: CatchUp.Position? = nil) {
        wanted = WantedSet(origin: origin)
        catchUp = CatchUp(former: former)
    }

    /// Up to where everything was applied; `nil` before the first snapshot.
    public var position: CatchUp.Position? { catchUp.position }

    /// The place to be remembered; `nil` while something stays only because it isn't certain that it is over. A start within that time
    /// must not take the publisher for one that knows, so it goes by the place before.
    ///
    /// - Parameter isExplained: Whether all that this host enforces is wanted.
    public func certainPosition(isExplained: Bool, now: ContinuousClock.Instant) -> CatchUp.Position? {
        guard let complete = wanted.completeFrom, complete <= now || (isExplained && !wanted.hasDoubted) else { return nil }
        return position
    }

    /// The first question.
    public mutating func begin(now: ContinuousClock.Instant) -> Result { perform(catchUp.begin(), now: now) { _ in nil } }

    /// Takes one frame.
    ///
    /// - Parameter refusal: The rule of this host that forbids to ban an address, `nil` when none does.
    /// - Throws: When the frame is not a broadcast; then nothing has changed.
    public mutating func take(
        frame: [UInt8], now: ContinuousClock.Instant, refusal: (Address) -> String?
    ) throws(BroadcastError) -> Result {
        let steps = catchUp.take(try Broadcast(frame: frame.span))
        return perform(steps, now: now, refusal: refusal)
    }

    /// Takes the publisher's answer to the question that was asked last.
    public mutating func take(_ answer: SyncAnswer, now: ContinuousClock.Instant, refusal: (Address) -> String?) -> Result {
        perform(catchUp.take(answer), now: now, refusal: refusal)
    }

    /// An answer showed that the publisher is in this term.
    public mutating func noticed(_ term: Term, now: ContinuousClock.Instant) -> Result {
        perform(catchUp.noticed(term), now: now) { _ in nil }
    }

    private mutating func perform(
        _ steps: [CatchUp.Step], now: ContinuousClock.Instant, refusal: (Address) -> String?
    ) -> Result {
        var result = Result()
        for step in steps {
            switch step {
            case .apply(let events, let publisherNow):
                if !events.isEmpty { result.publisherNow = publisherNow }
                for event in events { apply(event, publisherNow, now, refusal, &result) }
            case .adopt(let pages, let publisherNow, let isCertain):
                let count = pages.reduce(0) { $0 + $1.count }
                wanted.reserveCapacity(count)
                result.changes.reserveCapacity(result.changes.count + count)
                var listed = Set<Address>(minimumCapacity: count)
                for ban in pages.joined() {
                    apply(ban, publisherNow, now, refusal, &result)
                    listed.insert(ban.address)
                }
                result.changes += wanted.withdrawAll(except: listed, isCertain: isCertain, now: now)
                result.adopted = Adopted(count: count, isCertain: isCertain)
            case .ask(let request): result.question = request
            case .upToDate: result.isUpToDate = true
            }
        }
        return result
    }

    private mutating func apply(
        _ event: Event, _ publisherNow: Timestamp, _ now: ContinuousClock.Instant, _ refusal: (Address) -> String?,
        _ result: inout Result
    ) {
        result.fresh += 1
        switch wanted.apply(event, publisherNow: publisherNow, now: now, refusal: refusal) {
        case .changed(let change): result.changes.append(change)
        case .refused(let rule, let lifted):
            result.refused.append(Refused(announcement: event, rule: rule))
            if let lifted { result.changes.append(lifted) }
        case .unchanged: break
        }
    }

    /// As ``WantedSet/expire(now:limit:)``.
    public mutating func expire(now: ContinuousClock.Instant, limit: Int) -> [WantedSet.Change] { wanted.expire(now: now, limit: limit) }

    /// As ``WantedSet/review(refusal:)``.
    public mutating func review(refusal: (Address) -> String?) -> [WantedSet.Change] { wanted.review(refusal: refusal) }
}
