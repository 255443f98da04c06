// Stage 3, the wanted set: what this host should enforce, made of the announcements in their order and of the time that passes.

import Daemon
import HeapModule
import Wire

/// The addresses that this host should ban and until when, and those that it refuses to ban.
///
/// Ends become instants of the monotonic clock by means of the publisher's own time in each broadcast, so that a wrong wall clock here
/// neither shortens nor prolongs a ban.
public struct WantedSet: Sendable {
    /// What an announcement, the time or a new rule changed about one address.
    public struct Change: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            /// It is wanted now and was not before.
            case banned
            /// It is wanted as before; it was announced again, and its end may be another one.
            case moved
            /// It is not wanted any more, or was announced as lifted and never wanted here, which an enforcer must look at all the same:
            /// the ban may be older than this process.
            case lifted
        }

        public let kind: Kind
        public let address: Address
        /// The announcement that caused it; `nil` when the ban ended at its own time or a rule of this host changed.
        public let announcement: Event?

        public init(_ kind: Kind, _ address: Address, announcement: Event? = nil) {
            self.kind = kind
            self.address = address
            self.announcement = announcement
        }
    }

    public enum Outcome: Hashable, Sendable {
        case changed(Change)
        /// Not enforced here, and the rule that says so. `lifted` when the address was wanted before, by rules that have changed.
        case refused(rule: String, lifted: Change?)
        /// A ban that was over before it arrived.
        case unchanged
    }

    /// How long a ban that reached its end waits for the publisher to say so, whose announcement names host and jail. Default 1 s, many
    /// times the way of a broadcast, and short beside any ban.
    static let grace: Duration = .seconds(1)

    /// How long what a snapshot lacks stays when the publisher's term is unknown: it may have lost its journal, and the hosts' monitors are
    /// about to tell it what they hold.
    static let doubt: Duration = .seconds(600)

    /// Instants are kept as milliseconds since this one: half the memory of an `Instant`, and there may be a million.
    private let origin: ContinuousClock.Instant
    private var wanted: [Address: Int64] = [:]
    private var refusals: [Address: Refusal] = [:]
    /// The earliest first. An end that was moved leaves its entry behind until its time comes.
    private var ends = Heap<Expiry>()

    private struct Refusal: Sendable {
        var end: Int64
        var rule: String
    }

    private struct Expiry: Comparable, Sendable {
        let end: Int64
        let address: Address

        static func < (a: Expiry, b: Expiry) -> Bool { a.end < b.end }
    }

    /// A ban without an end: it stays until it is lifted.
    private static let never = Int64.max

    /// - Parameter origin: Any instant not later than those given to the other functions.
    public init(origin: ContinuousClock.Instant) { self.origin = origin }

    /// Addresses that should be enforced.
    public var count: Int { wanted.count }

    /// Makes room for so many, so that the tables are not moved again and again.
    mutating func reserveCapacity(_ count: Int) {
        wanted.reserveCapacity(count)
        ends.reserveCapacity(count)
    }

    /// Addresses that the cluster bans and this host refuses to.
    public var refusedCount: Int { refusals.count }

    /// Some of those, in no order.
    public func refused(limit: Int) -> [Address] { Array(refusals.keys.prefix(limit)) }

    public func contains(_ address: Address) -> Bool { wanted[address] != nil }

    /// Those that should be enforced, in no order.
    public var addresses: some Collection<Address> { wanted.keys }

    /// How many of them last longer than until `now`. Looks at each: 10 ms for a million.
    func count(lastingAt now: ContinuousClock.Instant, where isCounted: (Address) -> Bool) -> Int {
        let limit = milliseconds(now)
        return wanted.count { $0.value > limit && isCounted($0.key) }
    }

    /// When a wanted address's ban ends; `nil` when it is not wanted or stays until it is lifted.
    public func end(of address: Address) -> ContinuousClock.Instant? {
        guard let end = wanted[address], end != WantedSet.never else { return nil }
        return origin + .milliseconds(end)
    }

    /// Takes one announcement; a Ban of an address that is wanted moves its end, to an earlier time too.
    ///
    /// - Parameters:
    ///   - publisherNow: The publisher's clock when it sent the announcement.
    ///   - refusal: The rule of this host that forbids to ban an address, `nil` when none does.
    public mutating func apply(
        _ event: Event, publisherNow: Timestamp, now: ContinuousClock.Instant, refusal: (Address) -> String?
    ) -> Outcome {
        doubted.remove(event.address)
        guard event.action == .ban, let end = deadline(event.end, publisherNow, now) else {
            refusals[event.address] = nil
            let wasWanted = wanted.removeValue(forKey: event.address) != nil
            guard wasWanted || event.action == .unban else { return .unchanged }
            return .changed(Change(.lifted, event.address, announcement: event))
        }
        if let rule = refusal(event.address) {
            refusals[event.address] = Refusal(end: end, rule: rule)
            remember(end, event.address)
            let wasWanted = wanted.removeValue(forKey: event.address) != nil
            return .refused(rule: rule, lifted: wasWanted ? Change(.lifted, event.address) : nil)
        }
        refusals[event.address] = nil
        let before = wanted.updateValue(end, forKey: event.address)
        if before != end { remember(end, event.address) }
        return .changed(Change(before == nil ? .banned : .moved, event.address, announcement: event))
    }

    /// From when on what isn't wanted isn't banned for certain; `nil` before the first snapshot.
    public private(set) var completeFrom: ContinuousClock.Instant?
    /// What is wanted only until then, since a publisher that may not know it lacks it.
    private var doubted: Set<Address> = []

    /// Whether something is wanted only because it isn't certain that it is over.
    public var hasDoubted: Bool { doubted.contains { wanted[$0] != nil } }

    /// Takes over that there are no other bans than these: what else is wanted is lifted, or ends within ``doubt`` if that isn't certain.
    /// What is doubted already keeps its time: a publisher that may have lost its journal is no surer of it when it is asked again.
    public mutating func withdrawAll(except bans: Set<Address>, isCertain: Bool, now: ContinuousClock.Instant) -> [Change] {
        if let complete = completeFrom, complete <= now { doubted = [] }
        completeFrom = isCertain ? max(completeFrom ?? now, now) : now + WantedSet.doubt
        refusals = refusals.filter { bans.contains($0.key) }
        var changes: [Change] = []
        for address in wanted.keys where !bans.contains(address) && !doubted.contains(address) {
            if isCertain {
                wanted[address] = nil
                changes.append(Change(.lifted, address))
            } else if let end = wanted[address] {
                doubted.insert(address)
                let latest = milliseconds(now + WantedSet.doubt)
                guard end > latest else { continue }
                wanted[address] = latest
                remember(latest, address)
            }
        }
        return changes
    }

    /// Removes what ended. Looks at `limit` ends a call, so that a million at one time do not stop the loop; call again while
    /// ``nextExpiry`` is over.
    public mutating func expire(now: ContinuousClock.Instant, limit: Int) -> [Change] {
        let due = milliseconds(now) - WantedSet.grace.milliseconds
        var changes: [Change] = []
        for _ in 0..<limit {
            guard let next = ends.min, next.end <= due else { break }
            ends.removeMin()
            if refusals[next.address]?.end == next.end { refusals[next.address] = nil }
            guard wanted[next.address] == next.end else { continue }
            wanted[next.address] = nil
            changes.append(Change(.lifted, next.address))
        }
        return changes
    }

    /// When ``expire(now:limit:)`` has something to do at the earliest.
    public var nextExpiry: ContinuousClock.Instant? {
        ends.min.map { origin + .milliseconds($0.end) + WantedSet.grace }
    }

    /// Looks at every address again, after the rules of this host changed.
    public mutating func review(refusal: (Address) -> String?) -> [Change] {
        var changes: [Change] = []
        for (address, end) in wanted {
            guard let rule = refusal(address) else { continue }
            wanted[address] = nil
            refusals[address] = Refusal(end: end, rule: rule)
            changes.append(Change(.lifted, address))
        }
        for (address, refused) in refusals where refusal(address) == nil {
            refusals[address] = nil
            wanted[address] = refused.end
            changes.append(Change(.banned, address))
        }
        return changes
    }

    private mutating func remember(_ end: Int64, _ address: Address) {
        guard end != WantedSet.never else { return }
        ends.insert(Expiry(end: end, address: address))
        // Bounds the entries left behind to the number of addresses.
        guard ends.count > 2 * (wanted.count + refusals.count) + 1024 else { return }
        let valid =
            wanted.map { Expiry(end: $0.value, address: $0.key) } + refusals.map { Expiry(end: $0.value.end, address: $0.key) }
        ends = Heap(valid.filter { $0.end != WantedSet.never })
    }

    /// `nil` when it is over already.
    private func deadline(_ end: BanEnd, _ publisherNow: Timestamp, _ now: ContinuousClock.Instant) -> Int64? {
        switch end {
        case .unknown, .permanent: return WantedSet.never
        case .at(let time):
            let rest = time.milliseconds(since: publisherNow)
            return rest > 0 ? milliseconds(now) + rest : nil
        }
    }

    private func milliseconds(_ instant: ContinuousClock.Instant) -> Int64 { origin.duration(to: instant).milliseconds }
}
