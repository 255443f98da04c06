// Stage 3, reception: which announcements of a broadcast are new, and whether some before them are missing.

import Wire

/// Follows the numbers of the announcements. Numbers are compared only within one term of the publisher.
public struct GapTracker: Sendable {
    /// What a broadcast tells besides its announcements.
    public enum Finding: Hashable, Sendable {
        /// It follows the one before, or repeats it.
        case none
        /// The first broadcast since this process started; `from` is its first number, and what was announced before is not known.
        case began(Term, from: UInt64)
        /// Announcements that were sent and did not arrive.
        case missing(ClosedRange<UInt64>)
        /// The publisher has opened another term: it was restarted, restored, or is another one.
        case otherTerm(Term, before: Term)
    }

    public struct Placement: Hashable, Sendable {
        /// The broadcast's events that are to be applied, as indices; those before were applied already.
        public let fresh: Range<Int>
        public let finding: Finding
    }

    private var term: Term?
    private var last: UInt64 = 0

    public init() {}

    /// The term and number up to which announcements have been applied or given up as missing; `nil` before the first broadcast.
    public var position: (term: Term, number: UInt64)? { term.map { ($0, last) } }

    /// Takes a broadcast or a beat, which makes the loss of the last announcements visible.
    public mutating func place(_ broadcast: Broadcast) -> Placement {
        let all = 0..<broadcast.events.count
        guard let term else {
            follow(broadcast)
            return Placement(fresh: all, finding: .began(broadcast.term, from: broadcast.first))
        }
        guard term == broadcast.term else {
            follow(broadcast)
            return Placement(fresh: all, finding: .otherTerm(broadcast.term, before: term))
        }
        guard broadcast.first <= last + 1 else {
            let missing = (last + 1)...(broadcast.first - 1)
            last = broadcast.last
            return Placement(fresh: all, finding: .missing(missing))
        }
        let known = min(last + 1 - broadcast.first, UInt64(broadcast.events.count))
        last = max(last, broadcast.last)
        return Placement(fresh: Int(known)..<broadcast.events.count, finding: .none)
    }

    private mutating func follow(_ broadcast: Broadcast) {
        term = broadcast.term
        last = broadcast.last
    }
}
