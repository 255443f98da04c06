// Stage 1, log line -> event: from a line's bytes to what the reporter is told.

import Daemon
import Wire

/// Reads lines for the reporter, and leaves out what is never reported.
struct LogIntake {
    var reporter: Reporter
    var jails: ReportedJails
    private var time = LogTime()

    init(reporter: Reporter, jails: ReportedJails) {
        self.reporter = reporter
        self.jails = jails
    }

    /// - Returns: whether more lines are wanted.
    mutating func take(_ line: Span<UInt8>, position: UInt64, arrival: Timestamp) -> Bool {
        guard let sighting = sighting(line, position, arrival) else {
            if let serverLine = ServerLine(line) { reporter.take(serverLine) }
            reporter.pass(to: position)
            return true
        }
        reporter.take(sighting)
        return reporter.wantsLines
    }

    private mutating func sighting(_ line: Span<UInt8>, _ position: UInt64, _ arrival: Timestamp) -> Sighting? {
        // Most lines of a log are not of a ban; why they aren't is of interest to `check` only.
        guard let read = try? LogLineParser.parse(line), jails.contains(read.jail) else { return nil }
        return Sighting(read, position: position, arrival: arrival, &time)
    }
}

/// What a line of the log tells the reporter, with the line's place.
public struct Sighting: Hashable, Sendable {
    public enum What: Hashable, Sendable {
        case ban
        case unban
        /// The ban time was increased to this end.
        case increase(BanEnd)
    }

    public var what: What
    public var key: HoldKey
    public var address: Address
    /// When the line was written.
    public var seen: Timestamp
    /// The stream's position behind the line.
    public var position: UInt64

    public init(_ what: What, key: HoldKey, address: Address, seen: Timestamp, position: UInt64) {
        self.what = what
        self.key = key
        self.address = address
        self.seen = seen
        self.position = position
    }

    /// - Returns: `nil` for a message that is never acted on: a ban restored, repealed or repeated is one that was reported before.
    init?(_ line: LogLine, position: UInt64, arrival: Timestamp, _ time: inout LogTime) {
        let target: LogLine.Target
        switch line.message {
        case .ban(let banned):
            what = .ban
            target = banned
        case .unban(let unbanned):
            what = .unban
            target = unbanned
        case .increase(let increased, until: .permanent):
            what = .increase(.permanent)
            target = increased
        case .increase(let increased, until: .at(let end)):
            what = .increase(.at(time.end(end)))
            target = increased
        case .restore, .repeal, .reban, .alreadyBanned, .expired, .flush: return nil
        }
        key = HoldKey(jail: line.jail, id: target.id)
        address = target.address
        seen = time.seen(line.stamp, arrival: arrival)
        self.position = position
    }
}
