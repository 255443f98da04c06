// Fault test: what must be banned at any moment, computed from what was ordered and from nothing else.

/// A host's jail that bans an address.
struct HoldName: Hashable, Sendable, CustomStringConvertible {
    var host: Int
    var jail: String
    var address: String

    var description: String { "web\(host) \(jail) \(address)" }
}

/// Knows every order and what it did. A value without clock: times are milliseconds since the epoch.
///
/// A restart of fail2ban, a stopped jail and every other fault changes nothing in it, which is what the cluster promises.
struct Oracle: Sendable {
    /// What was done about one hold.
    struct History: Equatable, Sendable {
        /// fail2ban said that it banned it: each wrote one Ban line.
        var bans = 0
        /// Whether fail2ban had the order is not known, since it was killed: each wrote one Ban line or none. The one after that too:
        /// fail2ban gives a ban to its database's thread before it writes the line, so it may come back with the ban and without line.
        var doubtfulBans = 0
        /// Whether the last order is such a one.
        var isDoubtful = false
        /// fail2ban said that it lifted it: each wrote one Unban line, and deleted the row before.
        var lifts = 0
        var doubtfulLifts = 0
        /// Whether the hold was lifted and not banned again.
        var isLifted = false
        /// From when on the host's complete list may lack it since it has ended there by itself. For the publisher it may end later, where
        /// a clock was wrong or the report came late; then the list ends it as lifted.
        var lacked: Int64?
    }

    private struct Hold {
        /// Between these the ban ends by itself; nil: not during this run.
        var ends: ClosedRange<Int64>?
        /// Milliseconds by which it may end earlier or later, since its host's monitor may have reported it with a wrong clock.
        var doubt: Int64 = 0

        /// ``ends`` with ``doubt``.
        var window: ClosedRange<Int64>? { ends.map { $0.lowerBound - doubt...$0.upperBound + doubt } }
    }

    /// How much a ban's end may differ: fail2ban's times are rounded to seconds, a subscriber waits a second for the publisher's
    /// word, and fail2ban-client takes its time.
    static let tolerance: Int64 = 2500

    private(set) var histories: [HoldName: History] = [:]
    private var holds: [HoldName: Hold] = [:]
    /// Milliseconds by which the clocks of hosts' monitors are wrong at this moment.
    private var wrongClocks: [Int: Int64] = [:]

    /// fail2ban banned these between two moments; those that it had already, it has for longer.
    ///
    /// - Parameter banTime: milliseconds; nil: longer than the run.
    mutating func banned(_ names: [HoldName], banTime: Int64?, between start: Int64, and end: Int64) {
        for name in names {
            let isNew = !isHeld(name, at: end)
            var history = histories[name, default: History()]
            if isNew, history.isDoubtful { history.doubtfulBans += 1 } else if isNew { history.bans += 1 }
            (history.isDoubtful, history.isLifted) = (false, false)
            histories[name] = history
            let ends = banTime.map { start + $0 - Oracle.tolerance...end + $0 + Oracle.tolerance }
            let doubt = wrongClocks[name.host, default: 0]
            holds[name] = Hold(ends: ends, doubt: doubt)
            histories[name]?.lacked = holds[name]?.window?.lowerBound
        }
    }

    /// fail2ban may have banned these, or not. It is told again.
    mutating func mayHaveBanned(_ names: [HoldName]) {
        for name in names where holds[name] == nil {
            histories[name, default: History()].doubtfulBans += 1
            histories[name]?.isDoubtful = true
        }
    }

    /// fail2ban has these no more though it said that it banned them: it was killed before it had written that down.
    mutating func forgot(_ names: [HoldName]) { for name in names { holds[name] = nil } }

    /// An admin lifted these.
    mutating func lifted(_ names: [HoldName]) {
        for name in names where holds.removeValue(forKey: name) != nil {
            histories[name]?.lifts += 1
            histories[name]?.isLifted = true
        }
    }

    /// fail2ban may have lifted these, or not. It is told again.
    mutating func mayHaveLifted(_ names: [HoldName]) { for name in names { histories[name]?.doubtfulLifts += 1 } }

    /// An admin lifted all that a host bans.
    mutating func liftedAll(of host: Int) { lifted(holds.keys.filter { $0.host == host }) }

    /// A monitor's clock is wrong from now on, and with it the ends of all that it reports: what was banned before, too.
    mutating func monitorClockStepped(of host: Int, by step: Int64, now: Int64) {
        wrongClocks[host] = abs(step)
        for (name, hold) in holds where name.host == host {
            guard let window = hold.window, window.upperBound > now else { continue }
            holds[name]?.doubt = max(hold.doubt, abs(step))
            histories[name]?.lacked = holds[name]?.window?.lowerBound
        }
    }

    mutating func monitorClockRight(of host: Int) { wrongClocks[host] = nil }

    /// What one jail of a host bans for longer than the run.
    func lasting(_ jail: String, of host: Int) -> Set<String> {
        Set(holds.filter { $0.key.host == host && $0.key.jail == jail && $0.value.ends == nil }.keys.map(\.address))
    }

    /// What every host must refuse, and what it may refuse or not since its end is about now.
    func refused(at now: Int64) -> (certain: Set<String>, possible: Set<String>) {
        var certain: Set<String> = []
        var possible: Set<String> = []
        for (name, hold) in holds {
            switch hold.window {
            case nil: certain.insert(name.address)
            case let window? where now < window.lowerBound: certain.insert(name.address)
            case let window? where now <= window.upperBound: possible.insert(name.address)
            default: break
            }
        }
        return (certain, possible.subtracting(certain))
    }

    /// All that was ever banned, now or before.
    var everBanned: Set<String> { Set(histories.keys.map(\.address)) }

    /// The holds that stand for longer than the run.
    var lastingHolds: Set<HoldName> { Set(holds.filter { $0.value.ends == nil }.keys) }

    /// When the last ban that ends by itself has ended.
    var lastEnd: Int64 { holds.values.compactMap { $0.window?.upperBound }.max() ?? 0 }

    private func isHeld(_ name: HoldName, at now: Int64) -> Bool {
        guard let hold = holds[name] else { return false }
        return hold.window.map { now < $0.upperBound } ?? true
    }
}
