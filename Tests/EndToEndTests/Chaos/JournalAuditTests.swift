// Fault test: the audit finds each way in which a journal can be wrong, and only those.

import TestSupport
import Testing

@Suite struct JournalAuditTests {
    private let a = HoldName(host: 1, jail: "door", address: "198.18.0.1")
    private let b = HoldName(host: 2, jail: "gate", address: "198.18.0.2")
    private let c = HoldName(host: 2, jail: "brief", address: "198.18.0.3")

    private var oracle = Oracle()
    private var logs = LogCounts()
    private var rows: [JournalLine] = []
    private var lost: [JournalLine] = []

    /// A row of the journal, as SQLite's tool prints it. A number makes it an announcement too.
    private func row(
        _ name: HoldName, _ action: String, _ cause: String, number: Int64? = nil, kind: String = "admitted", isMove: Bool = false,
        time: Int64 = 0, at place: Int
    ) throws -> JournalLine {
        let text =
            "\(place)|\(number.map(String.init) ?? "")|\(kind)|web\(name.host)|\(name.jail)|\(action)|\(name.address)|\(cause)|\(isMove ? 1 : 0)|\(time)"
        return try #require(JournalLine(text.split(separator: "|", omittingEmptySubsequences: false)))
    }

    private mutating func journal(
        _ name: HoldName, _ action: String, _ cause: String, number: Int64? = nil, kind: String = "admitted", isMove: Bool = false,
        time: Int64 = 0
    ) throws {
        rows.append(try row(name, action, cause, number: number, kind: kind, isMove: isMove, time: time, at: rows.count + 1))
    }

    /// An admin bans, fail2ban writes its line, and the journal has it.
    private mutating func ban(_ name: HoldName, banTime: Int64? = nil) throws {
        oracle.banned([name], banTime: banTime, between: 0, and: 0)
        logs.bans[name, default: 0] += 1
        try journal(name, "Ban", "detected")
    }

    private mutating func lift(_ name: HoldName) throws {
        oracle.lifted([name])
        logs.unbans[name, default: 0] += 1
        try journal(name, "Unban", "lifted")
    }

    private var problems: [String] { JournalAudit(journal: rows, lost: lost, logs: logs, oracle: oracle).problems }

    @Test mutating func aJournalThatHasWhatHappenedIsRight() throws {
        try ban(a)
        try ban(b)
        try lift(a)
        try ban(a)
        try ban(c, banTime: 15_000)
        try journal(c, "Unban", "expired", kind: "announced")
        #expect(problems == [])
    }

    @Test mutating func aBanLineThatTheJournalLacksIsLost() throws {
        try ban(a)
        rows = []
        try journal(a, "Ban", "held")
        #expect(problems == ["web1 door 198.18.0.1: 0 times detected in the journal (and 0 lost), 1 Ban lines in the log"])
    }

    @Test mutating func aBanLineThatTheJournalHasTwiceIsDoubled() throws {
        try ban(a)
        try journal(a, "Ban", "detected")
        #expect(problems == ["web1 door 198.18.0.1: 2 times detected in the journal, 1 Ban lines in the log"])
    }

    @Test mutating func aMovedEndAndAListsWordAreNoFurtherDetection() throws {
        try ban(a)
        try journal(a, "Ban", "detected", isMove: true)
        try journal(a, "Ban", "held")
        #expect(problems == [])
    }

    @Test mutating func aBanThatNoLogHasIsWrongThoughItWasOrdered() throws {
        try ban(a)
        logs.bans = [:]
        rows = []
        try journal(a, "Ban", "held")
        #expect(problems == ["web1 door 198.18.0.1: banned 1 times, 0 Ban lines in the log"])
    }

    @Test mutating func aHoldThatLastsMustStand() throws {
        try ban(a)
        try journal(a, "Unban", "lifted")
        #expect(
            problems == [
                "web1 door 198.18.0.1: 1 times lifted in the journal, 0 times by an admin",
                "web1 door 198.18.0.1: is held, and not by the journal",
            ])
    }

    @Test mutating func aHoldThatWasLiftedMustNotStand() throws {
        try ban(a)
        try lift(a)
        try journal(a, "Ban", "held")
        #expect(problems == ["web1 door 198.18.0.1: is not held, but by the journal"])
    }

    @Test mutating func aLiftThatTheListMadeGoodCountsOnceAndItsOwnUnbanIsIdle() throws {
        try ban(a)
        try lift(a)
        try journal(a, "Unban", "lifted")
        let audit = JournalAudit(journal: rows, lost: lost, logs: logs, oracle: oracle)
        #expect(audit.problems == [] && audit.summary.contains("1 lifted, 1 Unbans of what was not held"))
    }

    @Test mutating func aBanThatEndsByItselfIsNotLiftedBefore() throws {
        try ban(c, banTime: 15_000)
        try journal(c, "Unban", "lifted", time: 12_499)
        #expect(problems == ["web2 brief 198.18.0.3: 1 times lifted in the journal, 0 times by an admin"])
        oracle.monitorClockStepped(of: 2, by: 10_000, now: 0)
        #expect(problems == [])
    }

    @Test mutating func aBanThatHasEndedByItselfIsLackedByTheList() throws {
        try ban(c, banTime: 15_000)
        try journal(c, "Unban", "lifted", time: 12_500)
        #expect(problems == [])
    }

    @Test mutating func whatARestoreTookAwayCountsAsDetectedOnceThereOrHere() throws {
        try ban(a)
        try ban(b)
        lost = rows
        rows = []
        // The list told one of them again, and the log was read again for the other.
        try journal(a, "Ban", "held")
        try journal(b, "Ban", "detected")
        #expect(problems == [])
        lost = []
        #expect(problems == ["web1 door 198.18.0.1: 0 times detected in the journal (and 0 lost), 1 Ban lines in the log"])
    }

    @Test mutating func aLiftThatARestoreTookAwayMayCountTwice() throws {
        try ban(a)
        try lift(a)
        // The journal that was restored has the ban, and the list lifted it again; then it was banned and lifted once more.
        try ban(a)
        try lift(a)
        #expect(problems == [])
        oracle = Oracle()
        oracle.banned([a], banTime: nil, between: 0, and: 0)
        oracle.lifted([a])
        #expect(problems == ["web1 door 198.18.0.1: 2 times lifted in the journal, 1 times by an admin"])
        lost = [try row(a, "Unban", "lifted", at: 3)]
        #expect(problems == [])
    }

    @Test mutating func announcementsHaveNumbersWithoutAHole() throws {
        try ban(a)
        rows = []
        try journal(a, "Ban", "detected", number: 1)
        try journal(a, "Ban", "held", number: 3)
        #expect(problems == ["announcement 3 follows 1 in row 2"])
    }

    @Test mutating func nothingIsRefused() throws {
        try ban(a)
        try journal(a, "Ban", "", kind: "refused")
        #expect(problems == ["1 lines were refused, the first in row 2"])
    }
}
