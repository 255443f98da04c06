// Stage 1, event -> report: what fail2ban's database is asked, and what it can answer.

import Wire

/// A hold as fail2ban's log and database name it: the jail, and the address in fail2ban's own text.
public struct HoldKey: Hashable, Sendable {
    public var jail: Jail
    /// As in the log line; the database has the same text.
    public var id: String

    public init(jail: Jail, id: String) {
        self.jail = jail
        self.id = id
    }
}

/// A row of fail2ban's table `bips`: the last ban of an address in a jail. It stays after the ban's end, and is deleted when an
/// admin lifts the ban (fail2ban/server/actions.py, removeBannedIP).
public struct BanRow: Hashable, Sendable {
    /// Seconds since the epoch: the time of the failure that led to the ban, rounded.
    public var timeOfBan: Int64
    /// Seconds; -1 for a permanent ban.
    public var banTime: Int64

    public init(timeOfBan: Int64, banTime: Int64) {
        self.timeOfBan = timeOfBan
        self.banTime = banTime
    }

    public var end: BanEnd {
        if banTime < 0 { return .permanent }
        let (seconds, overflow) = timeOfBan.addingReportingOverflow(banTime)
        let (milliseconds, tooLong) = seconds.multipliedReportingOverflow(by: 1000)
        return .at(overflow || tooLong ? .latest : Timestamp(milliseconds: milliseconds))
    }

    /// Whether it can be the row of a ban whose line was written at `seen`, and not what an earlier, ended ban left. The second is
    /// for fail2ban's rounding: a row's end was seen up to 0.36 s ahead of the end.
    func isCurrent(at seen: Timestamp) -> Bool {
        switch end {
        case .permanent: true
        case .at(let end): end.milliseconds(since: seen) > 1000
        case .unknown: false
        }
    }

    /// Seconds by which a row may be older than its ban's line: a failure's line is read within seconds.
    static let freshness: Int64 = 10

    /// Whether it was certainly made for that ban. A row that is older may be one of an earlier ban which an admin's shorter
    /// bantime ended.
    func isFresh(at seen: Timestamp) -> Bool {
        isCurrent(at: seen) && timeOfBan >= seen.milliseconds / 1000 - BanRow.freshness
    }
}

/// One look into the database: at these rows, and at the ban time of these jails.
public struct WitnessQuestion: Hashable, Sendable {
    public var holds: [HoldKey]
    /// Jails whose last ban time is not known yet.
    public var jails: [Jail]

    public init(holds: [HoldKey], jails: [Jail] = []) {
        self.holds = holds
        self.jails = jails
    }
}

/// The answer to a ``WitnessQuestion``. That nothing could be read is never the same as that a row is gone.
public enum WitnessAnswer: Hashable, Sendable {
    case testimony(Testimony)
    case unavailable(WitnessProblem)
}

public struct Testimony: Hashable, Sendable {
    /// The rows that are there; a hold that was asked for and is not here has none.
    public var rows: [HoldKey: BanRow]
    /// The jails that fail2ban knows on this host.
    public var jails: Set<Jail>
    /// Seconds of the last ban of jails that were asked for; -1 permanent.
    public var lastBanTimes: [Jail: Int64]

    public init(rows: [HoldKey: BanRow], jails: Set<Jail>, lastBanTimes: [Jail: Int64] = [:]) {
        self.rows = rows
        self.jails = jails
        self.lastBanTimes = lastBanTimes
    }
}

/// Why the database says nothing.
public enum WitnessProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// `fail2bandbpath = none`.
    case none
    case missing(String)
    /// Somebody, mostly fail2ban itself, held its lock for longer than we wait.
    case locked(String)
    /// fail2ban before 0.11 has no table `bips`.
    case tooOld(String)
    /// Damaged, not readable for this user, or no database. With SQLite's words.
    case unreadable(String, String)

    /// Whether fail2ban-client is asked in its place. A lock passes, and guesses would be worse than waiting for it.
    public var isLasting: Bool { if case .locked = self { false } else { true } }

    public var description: String {
        switch self {
        case .none: "fail2bandbpath = none"
        case .missing(let path): "\(path) is missing; set fail2bandbpath to fail2ban's dbfile (fail2ban-client get dbfile)"
        case .locked(let path): "\(path) was locked"
        case .tooOld(let path): "\(path) has no table bips: fail2ban is older than 0.11"
        case .unreadable(let path, let words): "\(path) can't be read: \(words)"
        }
    }
}
