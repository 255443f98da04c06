// Stage 2, report -> admission -> journal -> broadcast: who holds what until when, and what that changes for the cluster.

import Wire

/// The holds and orders of every address, and which addresses they make banned. A value without clock or I/O.
///
/// An address is banned while unexpired holds of at least `quorum` different hosts stand, or an operator's ban. Its end is that of
/// the quorum-th latest host, or the operator's when later. Jails don't matter, and all plain clients together count as one host.
///
/// Changes that are not kept can be taken back by ``takeBack()``, because what the journal refused must not have happened.
struct BanTable {
    let quorum: Int
    /// How long an operator's unban is remembered: nothing that was seen before it can last longer than this.
    private let memory: Int64
    /// What is known of each address.
    private(set) var records = RecordTable()
    /// What is announced as banned.
    private(set) var bannedAddresses = SortedAddresses()
    /// What operators allow.
    private(set) var allowedAddresses = AllowedAddresses()
    /// Who can hold, by the number that a ``Hold`` has.
    private(set) var holders = Holders()
    private var due = DueTimes()
    /// Each record that changed and is not kept as it was before the change, in the order of the changes.
    private var before: [(address: Address, record: BanRecord?)] = []
    /// How many of them ``keep()`` keeps; `nil` is all.
    private var sealedCount: Int?
    /// The addresses whose records changed since ``takeChanged()``, for the journal's tables. One that changed often may stand there often:
    /// to look for it would cost each event more than that.
    private(set) var changed: [Address] = []
    /// When those that stand in ``changed`` more than once are taken out.
    private var mostChanged = 2 * Int(KeptTables.mostRows)

    /// - Parameters:
    ///   - quorum: 1 or more.
    ///   - maximumBanTime: milliseconds, the longest that a hold can last.
    init(quorum: Int, maximumBanTime: Int64) {
        self.quorum = quorum
        memory = maximumBanTime
    }

    /// What an event did.
    struct Effect: Equatable {
        /// Whether a hold or an order began, moved or ended.
        var isChange: Bool
        /// What must be announced, without its number.
        var announcement: Event?
        /// Whether the announcement only moves the end of a ban that was announced before.
        var isMovedEnd = false
    }

    /// Applies an admitted event. Ends are absolute: admission has replaced unknown ones.
    ///
    /// - Parameter isMove: decided later than its place in the log, so it changes only a hold that stands and was not seen later.
    mutating func apply(_ event: Event, isPlain: Bool, isMove: Bool, now: Timestamp) -> Effect {
        let old = records[event.address]
        var record = old ?? BanRecord()
        change(&record, by: event, isPlain: isPlain, isMove: isMove, now: now)
        guard record != old ?? BanRecord() else { return Effect(isChange: false) }
        let announcement = announce(event, in: &record)
        store(record, in: old, for: event.address)
        return Effect(isChange: true, announcement: announcement, isMovedEnd: old?.announced != nil && announcement?.action == .ban)
    }

    private mutating func change(_ record: inout BanRecord, by event: Event, isPlain: Bool, isMove: Bool, now: Timestamp) {
        // What has ended counts no more, whether its time was looked at or not.
        _ = record.removeEnded(at: now.milliseconds)
        if event.cause == .operator {
            obey(event, in: &record, now: now)
        } else {
            hold(event, isPlain: isPlain, isMove: isMove, in: &record, now: now)
        }
    }

    private mutating func obey(_ event: Event, in record: inout BanRecord, now: Timestamp) {
        let seen = event.seen?.milliseconds ?? now.milliseconds
        switch event.action {
        case .ban:
            let holder = holders.enter(Holder(host: event.host, jail: event.jail, isPlain: false))
            record.order = Hold(holder: holder, end: event.end.deadline, seen: seen)
            record.allowedUntil = 0
        case .unban:
            record.order = nil
            record.holds = []
            record.liftedAt = now.milliseconds
            // An unban with an end allows the address until then; one without leaves what is allowed as it is.
            if event.end != .unknown { record.allowedUntil = event.end.deadline > now.milliseconds ? event.end.deadline : 0 }
        }
    }

    private mutating func hold(_ event: Event, isPlain: Bool, isMove: Bool, in record: inout BanRecord, now: Timestamp) {
        let holder = Holder(host: event.host, jail: event.jail, isPlain: isPlain)
        let seen = event.seen?.milliseconds ?? now.milliseconds
        let place = holders.number(of: holder).flatMap { number in record.holds.firstIndex { $0.holder == number } }
        // Whether the hold stands and was not seen later than this.
        let isLater = place.map { record.holds[$0].seen <= seen } ?? false
        guard isLater || !isMove else { return }
        let end = event.end.deadline
        switch event.action {
        case .ban where end > now.milliseconds:
            guard holders.mayHold(holder) else { return }
            // A lifting in the future was noted by a clock that has been set back, and says nothing.
            guard seen > record.liftedAt || record.liftedAt > now.milliseconds else { return }
            if let place {
                record.holds[place].end = end
                record.holds[place].seen = seen
            } else {
                record.holds.append(Hold(holder: holders.enter(holder), end: end, seen: seen))
            }
        case .ban:
            // It is over already, and so is the hold if this says more of it than what was known.
            if isLater, let place { record.holds.remove(at: place) }
        case .unban:
            if let place { record.holds.remove(at: place) }
        }
    }

    /// Ends what is due at `now`, at most `limit` addresses, and returns what must be announced. Call again while it returns
    /// something or ``nextDue`` is not later than `now`.
    mutating func expire(now: Timestamp, limit: Int) -> [Event] {
        var announcements: [Event] = []
        var looked = 0
        while looked < limit, let address = due.next(now: now) {
            looked += 1
            // A time that no longer holds is passed over: the record's present one is there too.
            let old = records[address]
            guard var record = old, let time = record.nextTime(memory: memory), time <= now.milliseconds else { continue }
            let ended = record.removeEnded(at: now.milliseconds)
            if record.liftedAt > 0, record.liftedAt + memory <= now.milliseconds { record.liftedAt = 0 }
            if let last = ended {
                let holder = holders[last.holder]
                let cause = Event(host: holder.host, jail: holder.jail, action: .unban, address: address, cause: .expired)
                if let announcement = announce(cause, in: &record) { announcements.append(announcement) }
            }
            store(record, in: old, for: address)
        }
        return announcements
    }

    /// When ``expire(now:limit:)`` has something to look at.
    var nextDue: Timestamp? { due.first }

    /// Takes in what the journal says happened, in its order, without announcing anything. Nothing can be taken back.
    mutating func replay(_ entry: JournalEntry, admitted: Timestamp) {
        switch entry {
        case .refused: return
        case .admitted(let event, let isPlain, let isMove, _):
            let old = records[event.address]
            var record = old ?? BanRecord()
            change(&record, by: event, isPlain: isPlain, isMove: isMove, now: admitted)
            if let announcement = entry.announcement { record.announced = announcement.action == .ban ? announcement.end.deadline : nil }
            put(record, in: old, for: event.address)
            noteChange(of: event.address)
        case .announced(let event):
            let old = records[event.address]
            guard var record = old else { return }
            if event.cause == .expired { _ = record.removeEnded(at: admitted.milliseconds) }
            record.announced = event.action == .ban ? event.end.deadline : nil
            put(record, in: old, for: event.address)
            noteChange(of: event.address)
        }
    }

    /// The addresses of which something else is announced than the holds say, in key order: after a replay, since the quorum may be
    /// another one now. Looks at all.
    func differences() -> [Address] {
        records.filter { _, record in
            (record.order != nil || !record.holds.isEmpty) && record.carrier(quorum: quorum, holders: holders)?.end != record.announced
        }.map(\.key).sorted()
    }

    /// Announces what the holds on these addresses say.
    mutating func announceDifferences(on addresses: some Sequence<Address>) -> [Event] {
        var announcements: [Event] = []
        for address in addresses {
            let old = records[address]
            guard var record = old, let any = record.order ?? record.holds.first else { continue }
            let holder = holders[any.holder]
            let cause = Event(host: holder.host, jail: holder.jail, action: .unban, address: address, cause: .held)
            guard let announcement = announce(cause, in: &record) else { continue }
            announcements.append(announcement)
            store(record, in: old, for: address)
        }
        return announcements
    }

    // MARK: What is announced

    /// What must be announced after `cause` changed the record: a beginning, a moved end, or the end of a ban.
    private func announce(_ cause: Event, in record: inout BanRecord) -> Event? {
        let carrier = record.carrier(quorum: quorum, holders: holders)
        guard carrier?.end != record.announced else { return nil }
        record.announced = carrier?.end
        guard let carrier else {
            var announcement = cause
            announcement.action = .unban
            announcement.end = .unknown
            // A ban that ends one: it was over before it came.
            if cause.action == .ban { (announcement.seen, announcement.cause) = (nil, .expired) }
            return announcement
        }
        var announcement = cause
        if cause.action == .unban {
            // Somebody let go and another hold carries the ban on: the announcement names that one.
            let holder = holders[carrier.holder]
            (announcement.host, announcement.jail, announcement.cause) = (holder.host, holder.jail, .held)
            announcement.seen = nil
        }
        announcement.action = .ban
        announcement.end = BanEnd(deadline: carrier.end)
        return announcement
    }

    // MARK: Keeping and taking back

    /// The next ``keep()`` keeps what happened up to now, and not what happens from now on.
    mutating func seal() { sealedCount = before.count }

    /// What happened up to the last ``seal()``, or to now without one, is on disk.
    mutating func keep() {
        let count = sealedCount ?? before.count
        for (address, _) in before[..<count] { noteChange(of: address) }
        if count == before.count {
            before.removeAll(keepingCapacity: before.capacity < 10_000)
        } else {
            before.removeFirst(count)
        }
        sealedCount = nil
    }

    /// What was not kept must not have happened, sealed or not.
    mutating func takeBack() {
        // Their times may have been taken out of those that are due; one too many does no harm.
        for (address, record) in before.reversed() { put(record ?? BanRecord(), in: records[address], for: address) }
        before.removeAll(keepingCapacity: before.capacity < 10_000)
        sealedCount = nil
    }

    /// The addresses whose records changed since the last call, in key order, each once.
    mutating func takeChanged() -> [Address] {
        var taken: [Address] = []
        for address in changed.sorted() where taken.last != address { taken.append(address) }
        changed = []
        mostChanged = 2 * Int(KeptTables.mostRows)
        return taken
    }

    private mutating func noteChange(of address: Address) {
        changed.append(address)
        // While a pass over the tables is under way nobody takes them.
        guard changed.count > mostChanged else { return }
        changed = Array(Set(changed))
        mostChanged = max(mostChanged, 2 * changed.count)
    }

    /// Takes in who holds, by the numbers of ``holders``, before any record is put back. Nothing can be taken back.
    mutating func restore(_ holders: [Holder]) { for holder in holders { _ = self.holders.enter(holder) } }

    /// Puts a record back as its table has it. Nothing can be taken back.
    mutating func restore(_ record: BanRecord, for address: Address) { put(record, in: records[address], for: address) }

    /// Makes room, so that a table of known size is not moved again and again.
    mutating func reserve(_ count: Int) { records.reserveCapacity(count) }

    /// - Parameter old: the record in whose place it comes.
    private mutating func store(_ record: BanRecord, in old: BanRecord?, for address: Address) {
        before.append((address, old))
        put(record, in: old, for: address)
    }

    private mutating func put(_ record: BanRecord, in old: BanRecord?, for address: Address) {
        records[address] = record.isEmpty ? nil : record
        for crowded in holders.replace(old?.holds ?? [], by: record.holds, on: address) {
            let now = records
            holders.forgetEnded(of: crowded) { holder, address in now[address]?.holds.contains { $0.holder == holder } ?? false }
        }
        if (old?.announced == nil) != (record.announced == nil) {
            if record.announced == nil { bannedAddresses.remove(address) } else { bannedAddresses.insert(address) }
        }
        allowedAddresses.allow(address, until: record.allowedUntil)
        guard let time = record.nextTime(memory: memory) else { return }
        if due.count > 2 * records.count + 1024 {
            due = DueTimes(records.compactMap { address, record in record.nextTime(memory: memory).map { ($0, address) } })
        } else {
            due.note(time, address)
        }
    }
}
