// Stage 2, report -> admission -> journal -> broadcast: the lists of what hosts hold, from their first page until they are compared.

import Wire

/// Collects the pages of `HOLDS`, and says in portions how what is known differs from a list. A value without clock or I/O.
///
/// Newer events win: what the host lifted since a list was made or reported since its first page came is left alone, and so are holds
/// that were seen after the list was made.
struct HoldsDesk {
    /// What a hold of a host is about.
    struct Subject: Hashable {
        var jail: Jail
        var address: Address
    }

    /// What a list changed, for the log.
    struct Outcome: Equatable, CustomStringConvertible {
        var host: Hostname
        var listed = 0
        /// Bans that the publisher had missed.
        var begun = 0
        var moved = 0
        /// Holds that the host has no longer.
        var ended = 0
        /// Bans that were missed and stay so, since the host holds as many as it may.
        var leftOut = 0

        var description: String {
            let text = "\(host) holds \(listed) bans: \(begun) were missed, \(moved) have another end, \(ended) ended"
            return leftOut == 0 ? text : text + ", \(leftOut) are more than it may hold (maxholds)"
        }
    }

    /// A ban on a list that is refused, and why.
    struct Refused {
        var event: Event
        var reason: String
        /// Whether it can't be the host's at all, as what must never be banned, and was not on its list before this one.
        var isNew: Bool
    }

    /// A list whose next page doesn't come is forgotten after that: milliseconds. Pages come within seconds of each other.
    static let patience: Int64 = 10 * 60 * 1000
    /// Ends that differ by this many milliseconds or less are the same: fail2ban's are rounded to seconds.
    static let tolerance: Int64 = 1000

    fileprivate struct List {
        var id: String
        /// The number of the page that came last.
        var page: UInt64 = 0
        var lastHeard: Timestamp
        /// On this clock.
        var madeAt: Timestamp
        var isComplete: Bool
        /// When each was banned and when it ends, on this clock; ends are not capped.
        var bans: [Subject: (seen: Timestamp, end: BanEnd)] = [:]
        /// What the host reported of since the first page came.
        var touched: Set<Subject> = []
        /// What of it is refused.
        var refused: Set<Subject> = []
        /// What there is to compare, once all pages are there.
        var subjects: [Subject]?
        /// How many of them are compared, and how many of these are on disk.
        var compared = 0
        var kept = 0
        var outcome: Outcome
        var keptOutcome: Outcome
    }

    /// The most bans on one list, and the most that one host may hold.
    private let limit: Int
    private var lists: [Hostname: List] = [:]
    /// When each host lifted what, for ``patience``: a list that was made before and comes after must not revive it.
    private var lifted: [Hostname: [Subject: Timestamp]] = [:]
    /// What was refused of each host's latest list.
    private var refusedBefore: [Hostname: Set<Subject>] = [:]
    private var finished: [Outcome] = []

    /// - Parameter limit: `maxholds`; a longer list is refused.
    init(limit: Int) { self.limit = limit }

    // MARK: What comes in

    /// Takes a page.
    ///
    /// - Parameter reported: up to which position of its stream the host has reported. A list that was made before that ends nothing: it
    ///   may come behind what was sent after it, on a connection that was given up.
    /// - Returns: the bans on it that are refused, and why.
    mutating func take(
        _ page: HoldsPage, from host: Hostname, reported: UInt64, admission: inout Admission, table: BanTable, now: Timestamp
    ) throws(RequestRefusal) -> [Refused] {
        lists = lists.filter { $0.value.subjects != nil || now.milliseconds(since: $0.value.lastHeard) < HoldsDesk.patience }
        forgetOldLifts(of: host, now: now)
        var list: List
        switch lists.removeValue(forKey: host) {
        case let known? where known.id == page.id: list = known
        // Whatever of another list is not yet compared will be on this one.
        default:
            list = List(
                id: page.id, lastHeard: now,
                madeAt: min(admission.translated(page.madeAt, of: host, senderNow: page.now, now: now), now),
                isComplete: page.isComplete && page.position >= reported,
                outcome: Outcome(host: host), keptOutcome: Outcome(host: host))
            // A moment is allowed for clocks that differ within what is tolerated.
            let since = list.madeAt.advanced(byMilliseconds: -Admission.clockTolerance)
            list.touched = Set(lifted[host, default: [:]].filter { $0.value >= since }.keys)
        }
        defer { lists[host] = list }
        // Its answer was lost.
        if page.page == list.page { return [] }
        guard page.page == list.page + 1, list.subjects == nil else {
            let expected = list.subjects == nil ? "expected \(list.page + 1)" : "it was complete"
            throw RequestRefusal(.malformed, "page \(page.page) of list \(page.id): \(expected)")
        }
        guard list.bans.count + page.bans.count <= limit else {
            throw RequestRefusal(.toolarge, "\(host) holds more than \(limit) bans (maxholds)")
        }
        (list.page, list.lastHeard) = (page.page, now)
        var refused: [Refused] = []
        for line in page.bans {
            let subject = Subject(jail: line.jail, address: line.address)
            do throws(Admission.Refusal) {
                let ban = try admission.admit(held: line, from: host, senderNow: page.now, now: now)
                if let refusal = table.allowedAddresses.refusal(for: ban.address, now: now) {
                    refused.append(Refused(event: line, reason: refusal.reason, isNew: false))
                } else {
                    list.bans[subject] = (ban.seen ?? now, ban.end)
                }
            } catch {
                // What doesn't fit into memory is not told apart, and not recorded either.
                let isNew = list.refused.count < limit && list.refused.insert(subject).inserted
                let isKnown = refusedBefore[host]?.contains(subject) ?? false
                refused.append(Refused(event: line, reason: error.reason, isNew: isNew && !isKnown))
            }
        }
        if page.isLast {
            refusedBefore[host] = list.refused.isEmpty ? nil : list.refused
            list.close(table, host)
        }
        return refused
    }

    /// The host reported of this itself, so what its list says of it is older.
    mutating func note(_ event: Event, now: Timestamp) {
        // Mostly no list is on the way, and what is banned is not lifted.
        guard !lists.isEmpty || event.action == .unban else { return }
        let subject = Subject(jail: event.jail, address: event.address)
        lists[event.host]?.touched.insert(subject)
        // Nothing that is reported so much while its list is on the way is worth keeping: the next list tells all.
        if lists[event.host].map({ $0.touched.count > limit }) ?? false { lists[event.host] = nil }
        guard event.action == .unban else { return }
        lifted[event.host, default: [:]][subject] = now
        if lifted[event.host, default: [:]].count > limit { forgetOldLifts(of: event.host, now: now) }
    }

    private mutating func forgetOldLifts(of host: Hostname, now: Timestamp) {
        lifted[host] = lifted[host]?.filter { now.milliseconds(since: $0.value) < HoldsDesk.patience }
        // More than a whole list is a host that is made to forget, or one gone mad.
        if let count = lifted[host]?.count, count > limit || count == 0 { lifted[host] = nil }
    }

    /// Whatever the host says that it holds counts no more.
    mutating func forget(_ host: Hostname) { (lists[host], refusedBefore[host]) = (nil, nil) }

    /// What was refused of the host's lists is not on disk, so it is recorded when it comes again, if some of it twice.
    mutating func forgetRefusals(of host: Hostname) {
        lists[host]?.refused = []
        refusedBefore[host] = nil
    }

    // MARK: The comparison

    /// Whether ``next(limit:table:admission:now:)`` has something to compare.
    var hasWork: Bool { lists.values.contains { $0.hasWork } }

    /// Compares the next `limit` bans of a list.
    /// - Returns: the events that put what is known right, as if the host had reported them.
    mutating func next(limit: Int, table: BanTable, admission: Admission, now: Timestamp) -> [Event] {
        guard let host = lists.first(where: { $0.value.hasWork })?.key, var list = lists.removeValue(forKey: host) else { return [] }
        defer { lists[host] = list }
        let subjects = list.subjects ?? []
        let portion = subjects[list.compared..<min(list.compared + limit, subjects.count)]
        list.compared = portion.endIndex
        // Lists that end nothing would add up to any number of holds.
        var room = self.limit - table.holdCount(of: host)
        return portion.compactMap { list.difference($0, host, table, admission, now, room: &room) }
    }

    /// What was compared is on disk.
    mutating func keep() {
        for host in lists.filter({ $0.value.subjects != nil }).keys {
            lists[host]?.keep()
            guard let list = lists[host], !list.hasWork else { continue }
            lists[host] = nil
            finished.append(list.outcome)
        }
    }

    /// What was compared since the last ``keep()`` must be compared again.
    ///
    /// - Parameter table: what is held without what was taken back.
    mutating func takeBack(to table: BanTable) {
        for host in lists.keys {
            lists[host]?.takeBack()
            // What there is to compare may be more than it was found to be.
            if let list = lists[host], list.subjects != nil, list.kept == 0 { lists[host]?.close(table, host) }
        }
    }

    /// The lists that were compared to their end and are on disk, since this was last asked.
    mutating func takeFinished() -> [Outcome] {
        defer { finished = [] }
        return finished
    }
}

extension HoldsDesk.List {
    var hasWork: Bool { subjects.map { compared < $0.count } ?? false }

    mutating func keep() {
        kept = compared
        keptOutcome = outcome
    }

    mutating func takeBack() {
        compared = kept
        outcome = keptOutcome
    }

    /// All pages are there.
    mutating func close(_ table: BanTable, _ host: Hostname) {
        outcome.listed = bans.count
        keptOutcome = outcome
        // What ended comes first, so that there is room for what began.
        subjects = (isComplete ? table.holds(of: host).filter { bans[$0] == nil } : []) + bans.keys
    }

    /// What must happen so that the host's hold is as its list says; `nil` when it is so, or something newer is known.
    ///
    /// - Parameter room: how many more bans the host may hold.
    mutating func difference(
        _ subject: HoldsDesk.Subject, _ host: Hostname, _ table: BanTable, _ admission: Admission, _ now: Timestamp, room: inout Int
    ) -> Event? {
        guard !touched.contains(subject) else { return nil }
        let hold = table.hold(of: host, subject)
        if let hold, hold.seen > madeAt { return nil }
        guard let ban = bans[subject] else {
            guard hold != nil else { return nil }
            room += 1
            outcome.ended += 1
            return Event(
                host: host, jail: subject.jail, action: .unban, address: subject.address, seen: madeAt, admitted: now, cause: .lifted)
        }
        // An operator may have allowed it since the page with it came.
        guard table.allowedAddresses.refusal(for: subject.address, now: now) == nil else { return nil }
        // Of a hold that stands, an end that nobody knows says nothing.
        if hold != nil, ban.end == .unknown { return nil }
        let seen = max(ban.seen, hold?.seen ?? ban.seen)
        let end = admission.capped(ban.end, seen: seen)
        if let hold {
            guard abs(end.deadline - hold.end.deadline) > HoldsDesk.tolerance else { return nil }
            outcome.moved += 1
        } else {
            guard end.deadline > now.milliseconds else { return nil }
            guard room > 0 else {
                outcome.leftOut += 1
                return nil
            }
            room -= 1
            outcome.begun += 1
        }
        return Event(
            host: host, jail: subject.jail, action: .ban, address: subject.address, seen: seen, admitted: now, end: end, cause: .held)
    }
}
