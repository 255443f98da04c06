// Stage 1, log line -> event: which jails' bans are reported.

import Daemon
import Wire

/// The configuration's choice of jails (`jails`, `ignorejails`), and the two that are never reported whatever it says.
public struct ReportedJails: Hashable, Sendable {
    private let selection: JailSelection
    private let ignored: Set<Jail>

    public init(_ settings: MonitorSettings) {
        selection = settings.jails
        ignored = settings.ignoredJails
    }

    public func contains(_ jail: Jail) -> Bool {
        // The cluster's own bans must never come back as a host's; that would make them everlasting.
        if jail == .cluster || jail == .legacyCluster || ignored.contains(jail) { return false }
        return switch selection {
        case .all: true
        case .only(let jails): jails.contains(jail)
        }
    }

    /// Why a jail is not reported, for the operator; `nil` when it is.
    public func refusal(of jail: Jail) -> String? {
        if contains(jail) { return nil }
        if jail == .cluster || jail == .legacyCluster { return "[\(jail)] is the cluster's own jail" }
        return ignored.contains(jail) ? "[\(jail)] is in ignorejails" : "[\(jail)] is not in jails"
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
