// Stage 1, event -> report: decides what is reported of what the log says, when, and with which end. No I/O, no clock.

import Wire

/// The monitor's decisions as a value: sightings and the witness's answers go in, reports come out, one at a time.
///
/// In each turn of the loop: take lines while ``wantsLines``, put ``question(now:)`` to the witness, give its answer to
/// ``take(_:to:now:)``, and send ``nextReport(now:)`` when nothing is under way. Nothing piles up: while one report waits for its
/// acknowledgement, at most one more is prepared, and lines stay in the log, which is the queue.
public struct Reporter {
    public typealias Instant = ContinuousClock.Instant

    /// Lines of a report; also holds in a question, which is one read transaction of fail2ban's database.
    public static let batchLimit = 500
    /// Unbans that wait for the database, each about 150 bytes. The oldest go first; their bans end by their time.
    public static let undecidedLimit = 100_000
    /// Pauses between questions while the database can't be read and Unbans or ends wait: from a second, doubling, to a minute.
    static let firstPause = Duration.seconds(1)
    static let longestPause = Duration.seconds(60)

    /// Something the operator should know, for the log.
    public enum Notice: Hashable, Sendable {
        /// A Ban line of a jail that fail2ban's database has not: forged, or the wrong database.
        case unknownJail(Jail)
        /// Unbans that were never decided.
        case undecidedDropped
        /// A Ban whose end stays an estimate, since too many wait for theirs.
        case endNotLookedUp
        /// Unbans without a database, in a log without the lines that tell a stop: below the level INFO.
        case stopsNotLogged
    }

    struct Undecided {
        var address: Address
        var seen: Timestamp
    }

    let host: Hostname
    let stream: String

    private var gathered: [Sighting] = []
    private var decided = ReportQueue()
    var ends = EndLookups()
    var undecided: WaitingQueue<Undecided>
    /// When what waits is asked for again, and the pause after that; `nil` while the database answers.
    private var retry: (due: Instant, pause: Duration)?
    /// Seconds, -1 permanent; only of jails the database has, or as many as a host may have.
    var lastBanTimes: [Jail: Int64] = [:]
    /// The stream's position up to which lines were taken, acted on or not.
    private(set) var taken: UInt64 = 0
    /// Unbans while there is no database; they are in `undecided` too.
    var holdingBack = HoldingBack()
    /// Why there is none, as it was when it was last asked.
    private(set) var problem: WitnessProblem?
    /// Stops and starts among the lines gathered, and how many of those stand before each.
    private var serverLines: [(before: Int, line: ServerLine)] = []
    /// Whether bans were reported without an end, as nobody knew their jail's ban time.
    var hasUnknownEnds = false
    private var noticed: [Notice: Int] = [:]

    /// The position up to which nothing needs to be read again: all before it is acknowledged, or was nothing to report, or waits
    /// in ``undecidedCount``.
    public private(set) var acknowledged: UInt64 = 0

    /// - Parameter stream: names the sequence of positions; see ``Wire/Report/stream``.
    public init(host: Hostname, stream: String, undecidedLimit: Int = Reporter.undecidedLimit) {
        self.host = host
        self.stream = stream
        undecided = WaitingQueue(limit: undecidedLimit)
    }

    // MARK: - Lines in

    /// Whether lines may be read from the log.
    public var wantsLines: Bool { gathered.count + decided.waiting < Reporter.batchLimit }

    /// Lines that wait to be sent or acknowledged.
    public var waitingCount: Int { gathered.count + decided.count }

    /// Whether nothing is waiting to be sent or acknowledged.
    public var isIdle: Bool { gathered.isEmpty && decided.isEmpty }

    /// Whether ``nextReport(now:)`` has one.
    public var hasReport: Bool { decided.hasNext }

    public var undecidedCount: Int { undecided.count }

    /// Takes what a line says.
    public mutating func take(_ sighting: Sighting) {
        if sighting.what == .ban {
            // What is still open about an earlier ban of the address no longer matters: it is banned.
            undecided.remove(sighting.key)
            ends.forget(sighting.key)
        }
        gathered.append(sighting)
        taken = max(taken, sighting.position)
    }

    /// fail2ban, or one of its jails, stops or starts.
    public mutating func take(_ line: ServerLine) {
        // In its place among the lines that are not decided yet. Unbans of before a restart wait too: whether a stop drops them depends on
        // whether there is a database, which the next answer tells.
        let isWitnessKnown = undecided.isEmpty || problem != nil
        if gathered.isEmpty, isWitnessKnown { obey(line) } else { serverLines.append((gathered.count, line)) }
    }

    /// Lines up to this position said nothing.
    public mutating func pass(to position: UInt64) {
        taken = max(taken, position)
        if isIdle { acknowledged = taken }
    }

    // MARK: - The witness

    /// What to ask the witness now; `nil` when nothing needs it.
    public func question(now: Instant) -> WitnessQuestion? {
        var holds: [HoldKey] = []
        var asked: Set<HoldKey> = []
        var jails: Set<Jail> = []
        func add(_ key: HoldKey, _ holds: inout [HoldKey]) { if asked.insert(key).inserted { holds.append(key) } }
        for sighting in gathered {
            add(sighting.key, &holds)
            if sighting.what == .ban, lastBanTimes[sighting.key.jail] == nil { jails.insert(sighting.key.jail) }
        }
        // What is found out late goes into the next report too, so it waits while that is full.
        if decided.waiting < Reporter.batchLimit, isRetryDue(now) {
            for key in ends.due(at: now, limit: Reporter.batchLimit - decided.waiting) { add(key, &holds) }
            for key in undecided.first(max(0, Reporter.batchLimit - decided.waiting - holds.count)) { add(key, &holds) }
        }
        return holds.isEmpty ? nil : WitnessQuestion(holds: holds, jails: jails.sorted())
    }

    /// Decides by the answer to ``question(now:)``.
    public mutating func take(_ answer: WitnessAnswer, to question: WitnessQuestion, now: Instant) {
        switch answer {
        case .testimony(let testimony):
            retry = nil
            problem = nil
            for (_, line) in serverLines { obey(line) }
            for (jail, seconds) in testimony.lastBanTimes { lastBanTimes[jail] = seconds }
            for key in question.holds {
                decideUnban(key, isGone: testimony.rows[key] == nil)
                settleEnd(key, testimony.rows[key], now)
            }
            for sighting in gathered { decide(sighting, testimony, now) }
        case .unavailable(let problem):
            if isRetryDue(now) {
                let pause = retry?.pause ?? Reporter.firstPause
                retry = (now + pause, min(pause * 2, Reporter.longestPause))
            }
            // Those of before its database was gone, or of before a restart.
            if problem.isLasting, self.problem?.isLasting != true { holdingBack.resume(undecided.first(undecided.count), now: now) }
            self.problem = problem
            var lines = serverLines[...]
            for (index, sighting) in gathered.enumerated() {
                while let next = lines.first, next.before <= index { obey(lines.removeFirst().line) }
                decide(sighting, without: problem, now)
            }
            for (_, line) in lines { obey(line) }
        }
        serverLines = []
        gathered.removeAll(keepingCapacity: true)
        if isIdle { acknowledged = taken }
    }

    /// When the next question is due without any line: a ban's end, or Unbans to be asked for again.
    public func deadline(now: Instant) -> Instant? {
        guard decided.waiting < Reporter.batchLimit else { return nil }
        guard let waiting = undecided.isEmpty ? ends.deadline() : now else { return nil }
        return max(waiting, retry?.due ?? waiting)
    }

    private func isRetryDue(_ now: Instant) -> Bool { retry.map { $0.due <= now } ?? true }

    private mutating func decide(_ sighting: Sighting, _ testimony: Testimony, _ now: Instant) {
        let key = sighting.key
        guard testimony.jails.contains(key.jail) else {
            notice(.unknownJail(key.jail))
            return
        }
        switch sighting.what {
        case .ban:
            let row = testimony.rows[key].flatMap { $0.isCurrent(at: sighting.seen) ? $0 : nil }
            if let row { lastBanTimes[key.jail] = row.banTime }
            let isFinal = row?.isFresh(at: sighting.seen) ?? false
            reportBan(sighting, end: row?.end ?? estimate(sighting), isFinal: isFinal, now)
        case .unban:
            if ends.unban(key, seen: sighting.seen) { return }
            // Where there is a row, it counts.
            ends.forget(key)
            if testimony.rows[key] == nil { report(sighting, .unban, .lifted) }
        case .increase(let end):
            increase(sighting, to: end)
        }
    }

    func estimate(_ sighting: Sighting) -> BanEnd {
        guard let seconds = lastBanTimes[sighting.key.jail] else { return .unknown }
        return BanRow(timeOfBan: sighting.seen.milliseconds / 1000, banTime: seconds).end
    }

    /// - Parameter isFinal: whether the end is not looked up again.
    mutating func reportBan(_ sighting: Sighting, end: BanEnd, isFinal: Bool, _ now: Instant) {
        report(sighting, .ban, .detected, end: end)
        guard !isFinal else { return }
        let pending = EndLookups.Pending(address: sighting.address, seen: sighting.seen, reported: end)
        if !ends.begin(sighting.key, pending, now: now) { notice(.endNotLookedUp) }
    }

    /// Only a ban whose row isn't known yet learns from the line: fail2ban writes the row after it, with the increased time.
    mutating func increase(_ sighting: Sighting, to end: BanEnd) {
        guard let pending = ends[sighting.key], ends.increase(sighting.key, to: end) else { return }
        reportLate(sighting.key, pending.address, .ban, .detected, seen: pending.seen, end: end)
    }

    private mutating func decideUnban(_ key: HoldKey, isGone: Bool) {
        guard let waiting = undecided.remove(key) else { return }
        ends.forget(key)
        if isGone { reportLate(key, waiting.address, .unban, .lifted, seen: waiting.seen) }
    }

    private mutating func settleEnd(_ key: HoldKey, _ row: BanRow?, _ now: Instant) {
        guard let pending = ends[key] else { return }
        if let row, row.isCurrent(at: pending.seen) { lastBanTimes[key.jail] = row.banTime }
        switch ends.answered(key, row, now: now) {
        case .nothing: break
        case .moved(let end): reportLate(key, pending.address, .ban, .detected, seen: pending.seen, end: end)
        case .lifted(let seen): reportLate(key, pending.address, .unban, .lifted, seen: seen)
        }
    }

    // MARK: - Reports out

    /// The next report; `nil` when there is nothing to send or one is under way. It is repeated until it is acknowledged.
    public mutating func nextReport(now: Timestamp) -> Report? {
        let entries = decided.next()
        return entries.isEmpty ? nil : Report(stream: stream, now: now, entries: entries)
    }

    /// The publisher has the report under way on its disk.
    public mutating func acknowledge() {
        let position = decided.acknowledge()
        acknowledged = isIdle ? taken : max(acknowledged, position ?? 0)
    }

    /// What happened since this was last asked, and how often.
    public mutating func takeNotices() -> [Notice: Int] {
        defer { noticed = [:] }
        return noticed
    }

    private mutating func report(_ sighting: Sighting, _ action: Event.Action, _ cause: Event.Cause, end: BanEnd = .unknown) {
        enqueue(sighting.position, sighting.key, sighting.address, action, cause, sighting.seen, end)
    }

    /// What was decided later than its place in the log has no position.
    mutating func reportLate(
        _ key: HoldKey, _ address: Address, _ action: Event.Action, _ cause: Event.Cause, seen: Timestamp, end: BanEnd = .unknown
    ) {
        enqueue(nil, key, address, action, cause, seen, end)
    }

    private mutating func enqueue(
        _ position: UInt64?, _ key: HoldKey, _ address: Address, _ action: Event.Action, _ cause: Event.Cause, _ seen: Timestamp,
        _ end: BanEnd
    ) {
        decided.append(position, Event(host: host, jail: key.jail, action: action, address: address, seen: seen, end: end, cause: cause))
    }

    mutating func notice(_ notice: Notice) {
        // As many kinds as a log can hold without drowning; jails' names can be forged without end.
        guard noticed[notice] != nil || noticed.count < 20 else { return }
        noticed[notice, default: 0] += 1
    }

    // MARK: - Across a restart

    /// Goes on where an earlier reporter was when it had taken all lines up to `position`. What it had decided is sent first, unchanged.
    public init(
        host: Hostname, stream: String, position: UInt64, saved: SavedState, now: Instant, undecidedLimit: Int = Reporter.undecidedLimit
    ) {
        self.init(host: host, stream: stream, undecidedLimit: undecidedLimit)
        taken = position
        for line in saved.lines { if case .success(let event) = line.content { decided.append(line.position, event) } }
        for unban in saved.undecided { _ = undecided.append(unban.key, Undecided(address: unban.address, seen: unban.seen)) }
        for end in saved.ends {
            let pending = EndLookups.Pending(address: end.address, seen: end.seen, reported: end.reported, unbanned: end.unbanned)
            _ = ends.begin(end.key, pending, now: now)
        }
        if isIdle { acknowledged = taken }
    }

    /// To go on with after a restart. Complete when no line is taken that the witness was not asked about: ``question(now:)`` and its
    /// answer.
    public var savedState: SavedState {
        SavedState(
            lines: decided.all,
            undecided: undecided.all.map { UndecidedUnban(key: $0, address: $1.address, seen: $1.seen) },
            ends: ends.all.map { PendingEnd(key: $0, address: $1.address, seen: $1.seen, reported: $1.reported, unbanned: $1.unbanned) })
    }
}
