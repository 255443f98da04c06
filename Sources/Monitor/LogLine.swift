// Stage 1, log line -> event: what one line of fail2ban's log can say of a ban, as values, and why a line says nothing.

import Wire

/// A line of fail2ban's log that speaks of a ban. The forms are in `Tests/MonitorTests/Corpus/log-lines.txt`.
public struct LogLine: Hashable, Sendable {
    /// The line's own time, as it was written; ``LogTime`` makes a point in time of it.
    public var stamp: LogStamp
    public var jail: Jail
    public var message: Message

    public enum Message: Hashable, Sendable {
        /// A new ban, detected or by hand. fail2ban 0.9 also writes this when it restores one.
        case ban(Target)
        /// A ban ended: lifted, expired, or let go by a fail2ban (up to 1.1.0) that stops.
        case unban(Target)
        /// `bantime.increment` made a ban longer; the time is local, to the second.
        case increase(Target, until: IncreasedEnd)
        /// A ban that fail2ban read back from its database, at its start or its jail's.
        case restore(Target)
        /// A ban that fail2ban (1.1.1 and later) lets go while it stops.
        case repeal(Target)
        /// The actions of a ban ran again because they had lost their state.
        case reban(Target)
        case alreadyBanned(Target)
        /// A failure so old that its ban would be over.
        case expired(Target)
        /// An action dropped all its bans at once; an Unban line per ban follows.
        case flush
    }

    /// Who is banned.
    public struct Target: Hashable, Sendable {
        public var address: Address
        /// The address as fail2ban writes it in its log and its database, which is not always its canonical form.
        public var id: String
    }

    public enum IncreasedEnd: Hashable, Sendable {
        case at(LocalTime)
        case permanent
    }

    /// Why a line is nothing to act on.
    public enum Nothing: String, Error, Hashable, Sendable {
        case form = "not in a form of fail2ban's log"
        case logger = "written by another part of fail2ban than the one that bans"
        case level = "not at the level of a ban (NOTICE; WARNING in 0.8)"
        case message = "says nothing of a ban"
        case jail = "the jail's name is not [A-Za-z0-9][A-Za-z0-9._-]{0,63}, so it cannot travel"
        case address = "what is banned is not exactly one address or prefix"
        case tooLong = "longer than a line that bans can be"
    }
}

/// The time at the beginning of a line.
public enum LogStamp: Hashable, Sendable {
    /// `fail2ban.log` itself: local time without a zone.
    case local(LocalTime)
    /// RFC 3164: local time without a year (it is 0 here).
    case yearless(LocalTime)
    /// ISO 8601 with a zone.
    case exact(Timestamp)
    case none
}

/// A date and time of day without a zone. Its fields are in range, but the day need not exist in its month.
public struct LocalTime: Hashable, Sendable {
    public var year: Int
    public var month: Int
    public var day: Int
    public var hour: Int
    public var minute: Int
    public var second: Int
    public var millisecond: Int

    /// `nil` when a field is out of range. Second 60 is a leap second.
    public init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, millisecond: Int = 0) {
        guard (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour), (0...59).contains(minute),
            (0...60).contains(second), (0...999).contains(millisecond), (0...9999).contains(year)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.millisecond = millisecond
    }

    /// This time in a zone that is ahead of UTC by `seconds`.
    func timestamp(offsetSeconds seconds: Int) -> Timestamp {
        // Days since 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March so that leap days come last.
        let shifted = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
        let secondsOfDay = hour * 3600 + minute * 60 + second
        return Timestamp(milliseconds: Int64((days * 86400 + secondsOfDay - seconds) * 1000 + millisecond))
    }
}
