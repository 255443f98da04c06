// Stage 2, report -> admission -> journal -> broadcast: all that the publisher decided, and what of it is not yet on disk.

import Daemon
import Wire

/// Takes what hosts, old clients and operators send, and gathers what one transaction must hold. A value without clock or I/O.
///
/// The loop gives it every request that waits, writes ``pending`` in one transaction, calls ``commit()``, and only then answers and
/// broadcasts. When the journal refuses, ``rollBack()`` makes all of it undone. What is decided while a batch is being written builds on
/// it: ``seal()`` tells the two apart, and both are undone when the first one is refused.
struct Ledger {
    var admission: Admission
    private(set) var table: BanTable
    var holdsDesk: HoldsDesk
    var protectionReview = ProtectionReview()
    private let maximumHolds: Int
    private let maximumPlainHolds: Int
    private var allowance: Allowance
    /// What was decided and not yet given to the journal.
    private(set) var pending = Batch()
    /// What the journal is being given; `nil` when nothing is.
    private(set) var sealed: Batch?
    /// The number that the next announcement will have; the first is 1.
    private(set) var nextNumber: UInt64 = 1
    private var positions = StreamPositions()
    /// The numbers that the next announcement had when ``sealed`` was sealed, and when all was on disk.
    private var sealedNumber: UInt64 = 1
    private var committedNumber: UInt64 = 1

    /// - Parameters:
    ///   - maximumHolds: that one host may have.
    ///   - maximumPlainHolds: that all old clients may have together: some 200 MB.
    ///   - maximumRate: events a second that one host may send; 0 is no limit.
    init(
        admission: Admission, table: BanTable, maximumHolds: Int = 100_000, maximumPlainHolds: Int = 1_000_000, maximumRate: Int = 0
    ) {
        self.admission = admission
        self.table = table
        self.maximumHolds = maximumHolds
        self.maximumPlainHolds = maximumPlainHolds
        allowance = Allowance(rate: maximumRate)
        holdsDesk = HoldsDesk(limit: maximumHolds)
    }

    /// The highest position of a stream, those not yet on disk included; 0 when it has none.
    func position(of stream: Stream) -> UInt64 { positions.position(of: stream, pending: pending, sealed: sealed) ?? 0 }

    // MARK: What comes in

    /// Takes a report of the host that the key belongs to. A repeat changes nothing, and one bad line stops none behind it.
    mutating func take(_ report: Report, from host: Hostname, term: Term, now: Timestamp) -> Acknowledgement {
        let stream = Stream(host: host, name: report.stream)
        let known = position(of: stream)
        var reached = known
        var refused: [Acknowledgement.Refusal] = []
        for entry in report.entries {
            if let position = entry.position {
                guard position > reached else { continue }
                reached = position
            }
            do throws(Admission.Refusal) {
                let line =
                    switch entry.content {
                    case .success(let event): event
                    case .failure(let error): throw Admission.Refusal(error.rawValue)
                    }
                let event = try admission.admit(line, from: host, senderNow: report.now, now: now)
                try checkRoom(for: event, isPlain: false, now: now)
                holdsDesk.note(event, now: now)
                record(event, isPlain: false, isMove: entry.position == nil, now: now)
            } catch {
                refused.append(Acknowledgement.Refusal(position: entry.position, reason: error.reason))
                // One without a position could come again and again.
                guard entry.position != nil else { continue }
                add(.refused(host: host, event: try? entry.content.get(), reason: error.reason), now: now)
            }
        }
        if reached > known { positions.advance(stream, to: reached, pending: &pending, sealed: sealed) }
        return Acknowledgement(term: term, position: reached, refused: refused)
    }

    /// Whether the host has to wait before its report can be taken. It keeps it, and sends it again.
    mutating func checkLoad(_ report: Report, from host: Hostname, now: Timestamp) throws(RequestRefusal) {
        let bans = report.entries.contains { (try? $0.content.get())?.action == .ban }
        if bans, table.holdCount(of: host) >= maximumHolds {
            throw RequestRefusal(.busy, "\(host) holds \(maximumHolds) bans, as many as it may (maxholds); it waits until some end")
        }
        try checkRate(report.entries.count, of: host, now: now)
    }

    private mutating func checkRate(_ events: Int, of host: Hostname, now: Timestamp) throws(RequestRefusal) {
        guard allowance.take(events, of: host, now: now) else {
            throw RequestRefusal(.busy, "\(host) sends more events a second than it may (maxrate)")
        }
    }

    /// Takes a page of what a host holds. What must not be banned comes with each list, and is recorded when it is new.
    mutating func take(
        _ page: HoldsPage, from host: Hostname, term: Term, now: Timestamp
    ) throws(RequestRefusal) -> Acknowledgement {
        try checkRate(page.bans.count, of: host, now: now)
        let reported = position(of: Stream(host: host, name: page.stream))
        let refused = try holdsDesk.take(page, from: host, reported: reported, admission: &admission, table: table, now: now)
        for line in refused where line.isNew { add(.refused(host: host, event: line.event, reason: line.reason), now: now) }
        return Acknowledgement(
            term: term, position: reported,
            refused: refused.map { Acknowledgement.Refusal(position: nil, reason: "\($0.event.address): \($0.reason)") })
    }

    /// Compares what hosts hold with what is known of it, at most `limit` holds. Call again while ``hasListsToCompare``; not while a
    /// batch is sealed.
    mutating func compareLists(now: Timestamp, limit: Int) {
        guard hasListsToCompare else { return }
        for event in holdsDesk.next(limit: limit, table: table, admission: admission, now: now) {
            record(event, isListed: true, now: now)
        }
        if pending.isEmpty { holdsDesk.keep() }
    }

    /// Whether ``compareLists(now:limit:)`` has something to do.
    var hasListsToCompare: Bool { holdsDesk.hasWork }

    /// What lists changed that are compared to their end and are on disk, since this was last asked.
    mutating func takeComparedLists() -> [HoldsDesk.Outcome] { holdsDesk.takeFinished() }

    /// Takes an old client's event. Its host must not be one that has a key.
    ///
    /// - Parameter counts: whether the event changes a hold; Unbans of old clients don't unless the operator wants it, since such
    ///   clients unban on every restart of fail2ban.
    mutating func take(plain line: Event, counts: Bool, now: Timestamp) -> Admission.Refusal? {
        do throws(Admission.Refusal) {
            let event = try admission.admit(plain: line, now: now)
            try checkRoom(for: event, isPlain: true, now: now)
            if counts { record(event, isPlain: true, isMove: false, now: now) }
            return nil
        } catch {
            add(.refused(host: line.host, event: line, reason: error.reason), now: now)
            return error
        }
    }

    /// - Throws: when it is a ban of what an operator allows, or there is no room for it.
    private func checkRoom(for event: Event, isPlain: Bool, now: Timestamp) throws(Admission.Refusal) {
        guard event.action == .ban else { return }
        if let refusal = table.allowedAddresses.refusal(for: event.address, now: now) { throw refusal }
        // They can't be told to wait: an old client takes every refusal for the last word.
        guard !isPlain || table.holders.plainHoldCount < maximumPlainHolds else {
            throw Admission.Refusal("old clients hold \(maximumPlainHolds) bans, as many as they may together")
        }
        guard !table.holders.mayHold(BanTable.Holder(host: event.host, jail: event.jail, isPlain: isPlain)) else { return }
        let most = isPlain ? "\(Holders.mostPlain) jails of old clients" : "\(Holders.mostJails) jails of \(event.host)"
        throw Admission.Refusal("jail \(event.jail) is one too many: \(most) have banned already")
    }

    /// Ends what is due, at most `limit` addresses. Call again while ``nextDue`` is not later than `now`.
    mutating func expire(now: Timestamp, limit: Int) {
        for event in table.expire(now: now, limit: limit) { announce(event, now: now) }
    }

    /// When ``expire(now:limit:)`` has something to do.
    var nextDue: Timestamp? { table.nextDue }

    // MARK: The journal's word

    /// Takes in what the tables say, before the rows behind them: who holds what, and the number of the last announcement up to there.
    mutating func restore(_ holders: [BanTable.Holder], count: Int, lastNumber: UInt64) {
        table.restore(holders)
        table.reserve(count)
        nextNumber = lastNumber + 1
        committedNumber = nextNumber
    }

    /// Takes in one record of the tables.
    mutating func restore(_ record: BanRecord, for address: Address) { table.restore(record, for: address) }

    /// Takes in one row of the journal, in order.
    ///
    /// - Parameter isInTable: whether its address is in the tables as it was after this row or later.
    mutating func replay(_ entry: JournalEntry, admitted: Timestamp, isInTable: Bool = false) {
        if !isInTable { table.replay(entry, admitted: admitted) }
        if let number = entry.number { nextNumber = max(nextNumber, number + 1) }
        committedNumber = nextNumber
    }

    /// Takes in the positions of the journal, and announces what differs from what was announced, since the quorum may be another
    /// one and bans may have ended meanwhile.
    ///
    /// - Parameter write: called for each portion of at most `limit` announcements, and must ``commit()`` them.
    mutating func finishReplay(
        positions: [Stream: UInt64], now: Timestamp, limit: Int = 10_000,
        write: (inout Ledger) throws(JournalError) -> Void = { (_) throws(JournalError) in }
    ) throws(JournalError) {
        self.positions = StreamPositions(positions)
        while let due = nextDue, due <= now {
            expire(now: now, limit: limit)
            try write(&self)
        }
        let differences = table.differences()
        for start in stride(from: 0, to: differences.count, by: limit) {
            for event in table.announceDifferences(on: differences[start...].prefix(limit)) { announce(event, now: now) }
            try write(&self)
        }
    }

    /// The addresses whose records changed since the last call, in key order, for the journal's tables.
    mutating func takeChanged() -> [Address] { table.takeChanged() }

    /// The number of the first announcement that this start makes.
    var firstNumberOfTerm: UInt64 { committedNumber }

    /// The number of the last announcement that is on disk; 0 when there is none.
    var committedLastNumber: UInt64 { committedNumber - 1 }

    /// Closes ``pending`` for the journal; what comes from now on is of the next batch. To be followed by ``commit()`` or ``rollBack()``.
    mutating func seal() -> Batch {
        assert(sealed == nil, "one batch is written at a time")
        let batch = pending
        (sealed, pending) = (batch, Batch())
        // As many come again: to move them while they grow in number costs as much as to decide on them.
        pending.entries.reserveCapacity(batch.entries.count)
        sealedNumber = nextNumber
        table.seal()
        return batch
    }

    /// What was sealed is on disk, or all of ``pending`` when nothing was. Returns it: what it announces must be broadcast.
    mutating func commit() -> Batch {
        let batch = sealed ?? seal()
        sealed = nil
        positions.keep(batch)
        committedNumber = sealedNumber
        table.keep()
        holdsDesk.keep()
        protectionReview.keep()
        return batch
    }

    /// What was sealed could not be written, or ``pending`` when nothing was: neither of the two must have happened.
    mutating func rollBack() {
        nextNumber = committedNumber
        table.takeBack()
        holdsDesk.takeBack(to: table)
        for (_, entry) in (sealed?.entries ?? []) + pending.entries {
            if case .refused(let host, _, _) = entry { holdsDesk.forgetRefusals(of: host) }
        }
        protectionReview.takeBack()
        (sealed, pending) = (nil, Batch())
    }

    // MARK: What goes into the journal

    /// Makes an admitted event true, and gathers what the journal must have of it.
    mutating func record(_ event: Event, isPlain: Bool = false, isMove: Bool = false, isListed: Bool = false, now: Timestamp) {
        let effect = table.apply(event, isPlain: isPlain, isMove: isMove, now: now)
        // What was decided later than its place in the log, or stands on a list, is kept only when it changed something: it can come
        // more than once.
        guard effect.isChange || !(isMove || isListed) else { return }
        var announced = JournalEntry.Announced.nothing
        if let announcement = effect.announcement {
            if effect.isMovedEnd { pending.movedEnds.insert(nextNumber) }
            announced = self.announced(announcement, becauseOf: event, now: now)
        }
        add(.admitted(event, isPlain: isPlain, isMove: isMove, announced: announced), now: now)
    }

    private mutating func announced(_ announcement: Event, becauseOf event: Event, now: Timestamp) -> JournalEntry.Announced {
        let number = nextNumber
        let announcement = numbered(announcement, now: now)
        var same = event
        same.number = number
        return announcement == same ? .same(number: number) : .other(announcement)
    }

    private mutating func announce(_ event: Event, now: Timestamp) { add(.announced(numbered(event, now: now)), now: now) }

    private mutating func numbered(_ event: Event, now: Timestamp) -> Event {
        var event = event
        event.number = nextNumber
        event.admitted = now
        nextNumber += 1
        return event
    }

    mutating func add(_ entry: JournalEntry, now: Timestamp) { pending.entries.append((admitted: now, entry: entry)) }
}
