// Stage 1, log line -> event: what one line of fail2ban's log can say of a ban, as values, and why a line says nothing.

import Daemon
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
