// A reporter at its desk: a witness of values, a clock that is set by hand, and what would be sent, as text.

import Testing
import Wire

@testable import Monitor

struct Desk {
    var reporter: Reporter
    var rows: [Desk.Hold: BanRow] = [:]
    var lastBanTimes: [String: Int64] = [:]
    var jails: Set<Jail> = Set(["sshd", "inc", "recidive"].compactMap { Jail($0) })
    /// Set while the database can't be read.
    var problem: WitnessProblem?
    let started = ContinuousClock.now
    var now: ContinuousClock.Instant
    /// 2026-11-21 02:01:24.947 UTC
    let wall = Timestamp(milliseconds: 1_795_226_484_947)
    var position: UInt64 = 0

    static let undecidedLimit = 1000

    struct Hold: Hashable {
        var jail: String
        var id: String
    }

    var milliseconds: Int64 { wall.milliseconds }
    var seconds: Int64 { wall.milliseconds / 1000 }

    init(host: String = "web1") throws {
        reporter = Reporter(host: try #require(Hostname(host)), stream: "test", undecidedLimit: Desk.undecidedLimit)
        now = started
    }

    mutating func ban(_ jail: String, _ id: String) throws { try see(.ban, jail, id) }

    /// One line, and the witness's look.
    mutating func see(_ what: Sighting.What, _ jail: String, _ id: String) throws {
        position += 1
        let key = HoldKey(jail: try #require(Jail(jail)), id: id)
        reporter.take(Sighting(what, key: key, address: try #require(Address(id)), seen: wall, position: position))
        look(at: now)
    }

    /// The loop's turn at this time.
    mutating func look(at instant: ContinuousClock.Instant) {
        now = instant
        guard let question = reporter.question(now: now) else { return }
        if let problem {
            reporter.take(.unavailable(problem), to: question, now: now)
            return
        }
        var testimony = Testimony(rows: [:], jails: jails)
        for key in question.holds { testimony.rows[key] = rows[Hold(jail: key.jail.description, id: key.id)] }
        for jail in question.jails { testimony.lastBanTimes[jail] = lastBanTimes[jail.description] }
        reporter.take(.testimony(testimony), to: question, now: now)
    }

    mutating func next() throws -> Report {
        let report = reporter.nextReport(now: wall)
        return try #require(report)
    }

    mutating func hasNext() -> Bool { reporter.nextReport(now: wall) != nil }

    mutating func notices() -> [Reporter.Notice: Int] { reporter.takeNotices() }

    /// Everything that is to be sent, acknowledged at once.
    mutating func sent() -> [String] {
        var lines: [String] = []
        while let report = reporter.nextReport(now: wall) {
            lines += String(decoding: report.message.body, as: UTF8.self).split(separator: "\n").map(String.init)
            reporter.acknowledge()
        }
        return lines
    }
}

extension [Desk.Hold: BanRow] {
    subscript(jail: String, id: String) -> BanRow? {
        get { self[Desk.Hold(jail: jail, id: id)] }
        set { self[Desk.Hold(jail: jail, id: id)] = newValue }
    }
}
