// Stage 1, event -> report: Unbans without a database to prove them: how long they are held back, and what a stop makes of them.

import Wire

/// Without its database a fail2ban that stops, or restarts a jail, logs an Unban for each ban and then says `Jail 'J' stopped`. So an
/// Unban waits until its jail has been quiet, and then fail2ban itself is asked. A value without a clock.
public struct HoldingBack: Sendable {
    public typealias Instant = ContinuousClock.Instant

    /// No Unban of the jail for so long: a stop's follow each other faster, and its last line comes at once behind them.
    static let quiet = Duration.seconds(5)
    /// A jail whose bans end all the time is never quiet. Then fail2ban is asked all the same; it answers after what it is doing.
    static let longest = Duration.seconds(30)
    /// Between questions while fail2ban can't be asked, or the jail doesn't run: doubling from the first to the last.
    static let firstPause = Duration.seconds(5)
    static let longestPause = Duration.seconds(60)
    /// Ends of bans that are remembered, each about 100 bytes. Unbans of those beyond are asked about.
    static let endsLimit = 100_000
    /// A ban's end, in milliseconds: fail2ban's are rounded to seconds.
    private static let tolerance: Int64 = 1000

    /// Whose held Unbans are none, since fail2ban stopped.
    enum Dropped: Equatable {
        case jail(Jail)
        case everybody
    }

    private var waiting: [Jail: (first: Instant, last: Instant)] = [:]
    private var retry: (due: Instant, pause: Duration)?
    /// What fail2ban is being asked about.
    private(set) var asked: Set<HoldKey> = []
    private(set) var askedJails: [Jail] = []
    private var isStopping = false
    private var ends: [HoldKey: BanEnd] = [:]
    private var pruned = Timestamp(milliseconds: 0)

    // MARK: What comes in

    /// A ban is known to end then.
    mutating func banned(_ key: HoldKey, until end: BanEnd, now: Timestamp) {
        asked.remove(key)
        // A fail2ban that bans has started.
        isStopping = false
        guard end != .unknown else {
            ends[key] = nil
            return
        }
        if ends.count >= HoldingBack.endsLimit, ends[key] == nil {
            // Looking through all of them for each ban of a flood would take longer than the ban.
            guard now.milliseconds(since: pruned) >= 60_000 else { return }
            pruned = now
            ends = ends.filter { !HoldingBack.isOver($0.value, at: now) }
            guard ends.count < HoldingBack.endsLimit else { return }
        }
        ends[key] = end
    }

    /// - Returns: whether the Unban is one to be decided later; `false` when it is the ban's end, or of a stop.
    mutating func unbanned(_ key: HoldKey, seen: Timestamp, now: Instant) -> Bool {
        let end = ends.removeValue(forKey: key)
        if isStopping { return false }
        if let end, HoldingBack.isOver(end, at: seen) { return false }
        waiting[key.jail] = (waiting[key.jail]?.first ?? now, now)
        return true
    }

    /// Unbans that waited for a database, and have none now.
    mutating func resume(_ keys: [HoldKey], now: Instant) {
        for key in keys where waiting[key.jail] == nil { waiting[key.jail] = (now, now) }
    }

    mutating func take(_ line: ServerLine) -> Dropped {
        switch line {
        case .stopped(let jail):
            forget(jail)
            return .jail(jail)
        case .started(let jail):
            isStopping = false
            forget(jail)
            return .jail(jail)
        case .stopping, .starting:
            isStopping = line == .stopping
            waiting = [:]
            asked = []
            askedJails = []
            return .everybody
        }
    }

    // MARK: The question

    /// Jails to ask about now; empty while nothing is due or a question is under way.
    func due(now: Instant) -> [Jail] {
        guard askedJails.isEmpty, retry.map({ $0.due <= now }) ?? true else { return [] }
        return waiting.filter { HoldingBack.due($0.value) <= now }.keys.sorted()
    }

    /// When ``due(now:)`` has something.
    var deadline: Instant? {
        guard askedJails.isEmpty, let earliest = waiting.values.map(HoldingBack.due).min() else { return nil }
        return max(earliest, retry?.due ?? earliest)
    }

    mutating func ask(_ jails: [Jail], about keys: Set<HoldKey>) {
        askedJails = jails
        asked = keys
    }

    /// The jails were answered for.
    ///
    /// - Parameter open: those of which other Unbans came meanwhile; they wait on.
    mutating func answered(_ jails: Set<Jail>, open: Set<Jail>, now: Instant) {
        for jail in jails { waiting[jail] = open.contains(jail) ? (now, now) : nil }
        let isComplete = jails.isSuperset(of: askedJails)
        asked = []
        askedJails = []
        if isComplete { retry = nil } else { postpone(now) }
    }

    /// fail2ban could not be asked.
    mutating func failed(now: Instant) {
        asked = []
        askedJails = []
        postpone(now)
    }

    private mutating func postpone(_ now: Instant) {
        let pause = retry?.pause ?? HoldingBack.firstPause
        retry = (now + pause, min(pause * 2, HoldingBack.longestPause))
    }

    private mutating func forget(_ jail: Jail) {
        waiting[jail] = nil
        askedJails.removeAll { $0 == jail }
        asked = asked.filter { $0.jail != jail }
    }

    private static func due(_ times: (first: Instant, last: Instant)) -> Instant {
        min(times.last + HoldingBack.quiet, times.first + HoldingBack.longest)
    }

    private static func isOver(_ end: BanEnd, at time: Timestamp) -> Bool {
        if case .at(let end) = end { end.milliseconds(since: time) <= tolerance } else { false }
    }
}
