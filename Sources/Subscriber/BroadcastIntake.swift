// Stage 3, reception: from the bytes of a broadcast to what changes in the wanted set.

import Wire

/// Takes broadcasts in the order in which they arrive, and holds what they amount to.
public struct BroadcastIntake: Sendable {
    /// What one frame meant.
    public struct Result: Hashable, Sendable {
        public var finding = GapTracker.Finding.none
        /// In the order of the announcements.
        public var changes: [WantedSet.Change] = []
        /// Bans that this host refuses, and the rules that say so.
        public var refused: [Refused] = []
        /// How many announcements were new.
        public var fresh = 0
    }

    public struct Refused: Hashable, Sendable {
        public let announcement: Event
        public let rule: String
    }

    public private(set) var wanted: WantedSet
    public private(set) var tracker = GapTracker()

    /// - Parameter origin: Any instant not later than those given to the other functions.
    public init(origin: ContinuousClock.Instant) { wanted = WantedSet(origin: origin) }

    /// Takes one frame. A gap before it is a finding, and what it holds is applied all the same: the later announcements of an address are the
    /// valid ones. Asking the publisher for what is missing (SYNC) starts from the finding.
    ///
    /// - Parameter refusal: The rule of this host that forbids to ban an address, `nil` when none does.
    /// - Throws: When the frame is not a broadcast; then nothing has changed.
    public mutating func take(
        frame: [UInt8], now: ContinuousClock.Instant, refusal: (Address) -> String?
    ) throws(BroadcastError) -> Result {
        let broadcast = try Broadcast(frame: frame.span)
        let placement = tracker.place(broadcast)
        var result = Result(finding: placement.finding, fresh: placement.fresh.count)
        for event in broadcast.events[placement.fresh] {
            switch wanted.apply(event, publisherNow: broadcast.now, now: now, refusal: refusal) {
            case .changed(let change): result.changes.append(change)
            case .refused(let rule, let lifted):
                result.refused.append(Refused(announcement: event, rule: rule))
                if let lifted { result.changes.append(lifted) }
            case .unchanged: break
            }
        }
        return result
    }

    /// As ``WantedSet/expire(now:limit:)``.
    public mutating func expire(now: ContinuousClock.Instant, limit: Int) -> [WantedSet.Change] { wanted.expire(now: now, limit: limit) }

    /// As ``WantedSet/review(refusal:)``.
    public mutating func review(refusal: (Address) -> String?) -> [WantedSet.Change] { wanted.review(refusal: refusal) }
}
