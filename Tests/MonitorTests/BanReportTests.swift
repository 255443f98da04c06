// What the reporter makes of Ban lines: that they are told at once, and how their end is found, guessed and moved.

import Testing
import Wire

@testable import Monitor

@Suite struct BanReportTests {
    @Test func aBanIsReportedAtOnceWithTheEndOfItsRow() throws {
        var desk = try Desk()
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds, banTime: 600)
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent() == ["1|web1|sshd|Ban|192.0.2.1|-|\(desk.milliseconds)|-|\((desk.seconds + 600) * 1000)|detected"])
        #expect(desk.reporter.deadline(now: desk.now) == nil)
    }

    @Test func aPermanentBanSaysSo() throws {
        var desk = try Desk()
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds, banTime: -1)
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent() == ["1|web1|sshd|Ban|192.0.2.1|-|\(desk.milliseconds)|-|*|detected"])
    }

    @Test func withoutItsRowABanIsReportedWithTheJailsLastBanTime() throws {
        var desk = try Desk()
        desk.lastBanTimes = ["sshd": 60]
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent() == ["1|web1|sshd|Ban|192.0.2.1|-|\(desk.milliseconds)|-|\((desk.seconds + 60) * 1000)|detected"])
    }

    @Test func theFirstBanOfAJailWithoutItsRowHasNoEnd() throws {
        var desk = try Desk()
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent() == ["1|web1|sshd|Ban|192.0.2.1|-|\(desk.milliseconds)|-|-|detected"])
    }

    @Test func whatAnEarlierBanLeftIsNotTheEndOfThisOne() throws {
        var desk = try Desk()
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds - 600, banTime: 600)
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent() == ["1|web1|sshd|Ban|192.0.2.1|-|\(desk.milliseconds)|-|-|detected"])
    }

    @Test(arguments: EndLookups.delays)
    func aRowThatComesLaterMovesTheEnd(delay: Duration) throws {
        var desk = try Desk()
        let seen = desk.milliseconds
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent().count == 1)
        while let due = desk.reporter.deadline(now: desk.now), due < desk.started + delay { desk.look(at: due) }
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: seen / 1000, banTime: 600)
        #expect(desk.reporter.deadline(now: desk.now) == desk.started + delay)
        desk.look(at: desk.started + delay)
        #expect(desk.sent() == ["-|web1|sshd|Ban|192.0.2.1|-|\(seen)|-|\((seen / 1000 + 600) * 1000)|detected"])
        #expect(desk.reporter.deadline(now: desk.now) == nil)
    }

    @Test func anEndThatWasGuessedRightIsNotReportedAgain() throws {
        var desk = try Desk()
        desk.lastBanTimes = ["sshd": 600]
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent().count == 1)
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds - 1, banTime: 600)
        desk.look(at: desk.started + .milliseconds(10))
        #expect(desk.sent() == [])
    }

    @Test func theBanTimeOfARowThatComesLaterIsTheNextEstimate() throws {
        var desk = try Desk()
        desk.lastBanTimes = ["sshd": 60]
        try desk.ban("sshd", "192.0.2.1")
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds, banTime: 3600)
        desk.look(at: try #require(desk.reporter.deadline(now: desk.now)))
        #expect(desk.sent().count == 2)
        try desk.ban("sshd", "192.0.2.2")
        #expect(desk.sent() == ["2|web1|sshd|Ban|192.0.2.2|-|\(desk.milliseconds)|-|\((desk.seconds + 3600) * 1000)|detected"])
    }

    @Test func aRowThatNeverComesIsGivenUp() throws {
        var desk = try Desk()
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent().count == 1)
        var looks = 0
        while let due = desk.reporter.deadline(now: desk.now) {
            desk.look(at: due)
            looks += 1
        }
        #expect(looks == 4)
        #expect(desk.now == desk.started + .seconds(10))
        #expect(desk.sent() == [])
    }

    /// An admin set a shorter bantime; the row of the ban before still has the longer one until the new row replaces it.
    @Test func anOldRowWhoseEndIsAheadIsLookedAtAgain() throws {
        var desk = try Desk()
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds - 3600, banTime: 7200)
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent() == ["1|web1|sshd|Ban|192.0.2.1|-|\(desk.milliseconds)|-|\((desk.seconds + 3600) * 1000)|detected"])
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds, banTime: 60)
        desk.look(at: desk.started + .milliseconds(10))
        #expect(desk.sent() == ["-|web1|sshd|Ban|192.0.2.1|-|\(desk.milliseconds)|-|\((desk.seconds + 60) * 1000)|detected"])
    }

    @Test func anIncreasedBanTimeMovesTheEndWhileTheRowIsNotKnown() throws {
        var desk = try Desk()
        desk.lastBanTimes = ["inc": 4]
        try desk.ban("inc", "192.0.2.1")
        #expect(desk.sent().count == 1)
        let end = Timestamp(milliseconds: desk.milliseconds + 8000)
        try desk.see(.increase(.at(end)), "inc", "192.0.2.1")
        #expect(desk.sent() == ["-|web1|inc|Ban|192.0.2.1|-|\(desk.milliseconds)|-|\(end)|detected"])
    }

    @Test func anIncreasedBanTimeSaysNothingNewWhenTheRowIsKnown() throws {
        var desk = try Desk()
        desk.rows["inc", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds, banTime: 8)
        try desk.ban("inc", "192.0.2.1")
        #expect(desk.sent().count == 1)
        try desk.see(.increase(.at(Timestamp(milliseconds: desk.milliseconds + 9500))), "inc", "192.0.2.1")
        #expect(desk.sent() == [])
    }

    @Test func aBanOfAJailThatTheHostHasNotIsForgedAndNotReported() throws {
        var desk = try Desk()
        try desk.ban("made-up", "192.0.2.1")
        #expect(desk.sent() == [])
        #expect(desk.notices() == [.unknownJail(try #require(Jail("made-up"))): 1])
        #expect(desk.reporter.acknowledged == 1)
    }

    /// And looked up in full then: fail2ban was locked out too, and writes its rows one after the other.
    @Test(arguments: [0, 3]) func anEndIsLookedUpWhenTheDatabaseCanBeReadAgain(looksWithoutTheRow: Int) throws {
        var desk = try Desk()
        desk.problem = .locked("x")
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent().count == 1)
        while desk.now < desk.started + .seconds(60) { desk.look(at: try #require(desk.reporter.deadline(now: desk.now))) }
        desk.problem = nil
        for _ in 0..<looksWithoutTheRow { desk.look(at: try #require(desk.reporter.deadline(now: desk.now))) }
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds, banTime: 600)
        let before = desk.now
        desk.look(at: try #require(desk.reporter.deadline(now: desk.now)))
        if looksWithoutTheRow == 3 { #expect(desk.now - before == .seconds(9)) }
        #expect(desk.sent() == ["-|web1|sshd|Ban|192.0.2.1|-|\(desk.milliseconds)|-|\((desk.seconds + 600) * 1000)|detected"])
        #expect(desk.reporter.deadline(now: desk.now) == nil)
    }
}
