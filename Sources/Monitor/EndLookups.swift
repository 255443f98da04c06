// Stage 1, event -> report: bans that were reported before their row was in fail2ban's database, and when to look for it again.

import Wire

/// fail2ban writes a ban's row from another thread than its log line, mostly within a millisecond. Until the row is found, a ban's
/// end is an estimate.
struct EndLookups {
    typealias Instant = ContinuousClock.Instant

    /// After the ban's line, not counting the time in which the database can't be read; then given up: fail2ban writes rows in the
    /// order of its bans, so one that is ten seconds late is stuck.
    static let delays: [Duration] = [.milliseconds(10), .milliseconds(100), .seconds(1), .seconds(10)]
    /// Bans waiting at once. Those beyond keep their estimate.
    static let limit = 10_000
    /// Bans without a row that are remembered until they end.
    static let rowlessLimit = 10_000
    /// Ends that differ by this many milliseconds or less are the same: fail2ban's are rounded to seconds.
    private static let tolerance: Int64 = 1000

    enum Outcome: Equatable {
        case nothing
        /// The ban's end is another one than was reported.
        case moved(BanEnd)
        /// An Unban followed, and the row never came: an admin lifted the ban at once.
        case lifted(seen: Timestamp)
    }

    struct Pending: Equatable {
        var address: Address
        /// When the Ban line was written.
        var seen: Timestamp
        var reported: BanEnd
        /// When an Unban line followed.
        var unbanned: Timestamp?
    }

    private struct Entry {
        var pending: Pending
        var lookups = 0
        var due: Instant
    }

    /// One queue for each delay: within one, what came first is due first.
    private var queues = EndLookups.delays.map { _ in WaitingQueue<Entry>(limit: EndLookups.limit) }

    /// Bans whose row never came, as when fail2ban's database can't be written: fail2ban has them all the same.
    private var rowless = WaitingQueue<Pending>(limit: EndLookups.rowlessLimit)
    /// When the last of those ends that were too many to be remembered.
    private var forgottenUntil: Timestamp?
    /// When those that had ended were last let go to make room.
    private var madeRoom: Timestamp?

    var count: Int { queues.reduce(0) { $0 + $1.count } }

    /// All that wait, the oldest first, and before them those without a row: after a restart they are looked up once more.
    var all: [(HoldKey, Pending)] { rowless.all + queues.reversed().flatMap { $0.all.map { ($0, $1.pending) } } }

    subscript(key: HoldKey) -> Pending? { entry(key)?.pending }

    /// When ``due(at:limit:)`` has something; `nil` when nothing waits.
    func deadline() -> Instant? {
        var earliest: Instant?
        for i in queues.indices {
            guard let key = queues[i].first(1).first, let due = queues[i][key]?.due else { continue }
            earliest = min(earliest ?? due, due)
        }
        return earliest
    }

    /// - Returns: `false` when too many wait already.
    mutating func begin(_ key: HoldKey, _ pending: Pending, now: Instant) -> Bool {
        forget(key)
        guard count < EndLookups.limit else {
            remember(key, pending)
            return false
        }
        _ = queues[0].append(key, Entry(pending: pending, due: now + EndLookups.delays[0]))
        return true
    }

    mutating func forget(_ key: HoldKey) {
        for i in queues.indices { queues[i].remove(key) }
        rowless.remove(key)
    }

    /// Holds to look up now.
    func due(at now: Instant, limit: Int) -> [HoldKey] {
        var keys: [HoldKey] = []
        for i in queues.indices {
            for key in queues[i].first(limit - keys.count) {
                guard let entry = queues[i][key], entry.due <= now else { break }
                keys.append(key)
            }
        }
        return keys
    }

    /// What an `Increase Ban` line says.
    /// - Returns: whether the end moved by it.
    mutating func increase(_ key: HoldKey, to end: BanEnd) -> Bool {
        guard let known = self[key], EndLookups.differ(known.reported, end) else { return false }
        change(key) { $0.pending.reported = end }
        return true
    }

    /// An Unban line came. As the ban's row was not there yet, its absence proves nothing until it had the time to come.
    /// - Returns: `false` when this ban isn't waiting.
    mutating func unban(_ key: HoldKey, seen: Timestamp) -> Bool {
        guard entry(key) != nil else { return false }
        change(key) { $0.pending.unbanned = seen }
        return true
    }

    /// Bans whose row is awaited or never came, and that no Unban followed.
    var awaited: [(key: HoldKey, pending: Pending)] { all.compactMap { $1.unbanned == nil ? ($0, $1) : nil } }

    /// Whether ``awaited`` and the database have all bans there are; not so while one lasts that had no row and was one too many.
    mutating func isComplete(at now: Timestamp) -> Bool {
        dropEnded(at: now)
        guard let until = forgottenUntil, until > now else {
            forgottenUntil = nil
            return true
        }
        return false
    }

    private mutating func dropEnded(at now: Timestamp) {
        for (key, pending) in rowless.all { if case .at(let end) = pending.reported, end <= now { rowless.remove(key) } }
    }

    private mutating func remember(_ key: HoldKey, _ pending: Pending) {
        // Looking through them for each ban of a burst would hold up the loop.
        if rowless.count >= EndLookups.rowlessLimit, madeRoom.map({ abs(pending.seen.milliseconds(since: $0)) >= 60_000 }) ?? true {
            madeRoom = pending.seen
            dropEnded(at: pending.seen)
        }
        guard rowless.count < EndLookups.rowlessLimit else {
            let end = if case .at(let end) = pending.reported { end } else { Timestamp.latest }
            forgottenUntil = max(forgottenUntil ?? end, end)
            return
        }
        _ = rowless.append(key, pending)
    }

    /// What a lookup found. One that could not be made does not count.
    ///
    /// - Parameter row: `nil` when there is none.
    mutating func answered(_ key: HoldKey, _ row: BanRow?, now: Instant) -> Outcome {
        guard var entry = entry(key) else { return .nothing }
        forget(key)
        entry.lookups += 1
        let seen = entry.pending.seen
        var outcome = Outcome.nothing
        if let row, row.isCurrent(at: seen) {
            if EndLookups.differ(entry.pending.reported, row.end) {
                outcome = .moved(row.end)
                entry.pending.reported = row.end
            }
            // The row is there, so the Unban was not an admin's.
            entry.pending.unbanned = nil
            if row.isFresh(at: seen) { return outcome }
        } else if row == nil, let unbanned = entry.pending.unbanned, entry.lookups >= 2 {
            return .lifted(seen: unbanned)
        }
        guard entry.lookups < EndLookups.delays.count else {
            // An older row that stands is on a list by itself.
            if row == nil || row?.isCurrent(at: seen) == false { remember(key, entry.pending) }
            return outcome
        }
        // From this lookup on: after a pause of the loop, or a locked database, the lookups must not all come at once.
        entry.due = now + (EndLookups.delays[entry.lookups] - EndLookups.delays[entry.lookups - 1])
        _ = queues[entry.lookups].append(key, entry)
        return outcome
    }

    static func differ(_ a: BanEnd, _ b: BanEnd) -> Bool {
        if case .at(let a) = a, case .at(let b) = b { return abs(a.milliseconds(since: b)) > tolerance }
        return a != b
    }

    private func entry(_ key: HoldKey) -> Entry? {
        for queue in queues { if let entry = queue[key] { return entry } }
        return nil
    }

    private mutating func change(_ key: HoldKey, _ change: (inout Entry) -> Void) {
        for i in queues.indices { queues[i].update(key, change) }
    }
}
