// What the reporter makes of lines, answers and time; all of it by values.

import Testing
import Wire

@testable import Monitor

@Suite struct ReporterTests {
    // MARK: - Bans

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

    // MARK: - Unbans

    @Test func anUnbanWhoseRowIsGoneWasAnAdmins() throws {
        var desk = try Desk()
        try desk.see(.unban, "sshd", "192.0.2.1")
        #expect(desk.sent() == ["1|web1|sshd|Unban|192.0.2.1|-|\(desk.milliseconds)|-|-|lifted"])
    }

    @Test func anUnbanWhoseRowIsThereIsAnExpiryOrAStopAndNotReported() throws {
        var desk = try Desk()
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds - 60, banTime: 600)
        try desk.see(.unban, "sshd", "192.0.2.1")
        #expect(desk.sent() == [])
        #expect(desk.reporter.acknowledged == 1)
    }

    @Test func aRestartOfFail2banWithManyBansIsNotReported() throws {
        var desk = try Desk()
        for i in 0..<5000 {
            let id = "10.0.\(i / 250).\(i % 250)"
            desk.rows["sshd", id] = BanRow(timeOfBan: desk.seconds, banTime: 600)
            try desk.see(.unban, "sshd", id)
        }
        #expect(desk.sent() == [])
    }

    @Test func anUnbanIsHeldBackWhileTheDatabaseCannotBeRead() throws {
        var desk = try Desk()
        desk.problem = .locked("x")
        let seen = desk.milliseconds
        try desk.see(.unban, "sshd", "192.0.2.1")
        #expect(desk.sent() == [])
        // Asked again after a second, then after two; the pauses grow to a minute.
        var pauses: [Duration] = []
        for _ in 0..<8 {
            let due = try #require(desk.reporter.deadline(now: desk.now))
            pauses.append(due - desk.now)
            desk.look(at: due)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
        #expect(desk.sent() == [])
        desk.problem = nil
        desk.look(at: try #require(desk.reporter.deadline(now: desk.now)))
        #expect(desk.sent() == ["-|web1|sshd|Unban|192.0.2.1|-|\(seen)|-|-|lifted"])
        #expect(desk.reporter.deadline(now: desk.now) == nil)
    }

    @Test func anUnbanHeldBackWhoseRowIsThereIsNotReported() throws {
        var desk = try Desk()
        desk.problem = .locked("x")
        try desk.see(.unban, "sshd", "192.0.2.1")
        desk.problem = nil
        desk.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: desk.seconds, banTime: 600)
        desk.look(at: desk.now + .seconds(1))
        #expect(desk.sent() == [])
        #expect(desk.reporter.undecidedCount == 0)
    }

    @Test func aBanThatFollowsCancelsAnUnbanHeldBack() throws {
        var desk = try Desk()
        desk.problem = .locked("x")
        try desk.see(.unban, "sshd", "192.0.2.1")
        try desk.ban("sshd", "192.0.2.1")
        #expect(desk.sent().count == 1)
        desk.problem = nil
        while let due = desk.reporter.deadline(now: desk.now) { desk.look(at: due) }
        #expect(desk.sent() == [])
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

    @Test func anUnbanOfABanWithoutItsRowIsDecidedWhenTheDatabaseCanBeReadAgain() throws {
        var desk = try Desk()
        desk.problem = .locked("x")
        try desk.ban("sshd", "192.0.2.1")
        try desk.see(.unban, "sshd", "192.0.2.1")
        #expect(desk.sent().count == 1)
        while desk.now < desk.started + .seconds(60) { desk.look(at: try #require(desk.reporter.deadline(now: desk.now))) }
        #expect(desk.sent() == [])
        desk.problem = nil
        while let due = desk.reporter.deadline(now: desk.now) { desk.look(at: due) }
        #expect(desk.sent() == ["-|web1|sshd|Unban|192.0.2.1|-|\(desk.milliseconds)|-|-|lifted"])
    }

    @Test func moreUnbansHeldBackThanFitDropTheOldest() throws {
        var desk = try Desk()
        desk.problem = .locked("x")
        for i in 0..<(Desk.undecidedLimit + 3) {
            try desk.see(.unban, "sshd", "10.\(i / 62500).\(i / 250 % 250).\(i % 250)")
        }
        #expect(desk.reporter.undecidedCount == Desk.undecidedLimit)
        #expect(desk.notices() == [.undecidedDropped: 3])
        desk.problem = nil
        var lines = 0
        while let due = desk.reporter.deadline(now: desk.now) {
            desk.look(at: max(due, desk.now))
            lines += desk.sent().count
        }
        #expect(lines == Desk.undecidedLimit)
    }

    @Test func anUnbanThatOvertakesTheRowIsDecidedWhenTheRowHadItsTime() throws {
        var desk = try Desk()
        try desk.ban("sshd", "192.0.2.1")
        try desk.see(.unban, "sshd", "192.0.2.1")
        try desk.ban("sshd", "192.0.2.2")
        try desk.see(.unban, "sshd", "192.0.2.2")
        #expect(desk.sent().count == 2)
        // fail2ban stopped: the row of the second ban is written after the Unban.
        desk.rows["sshd", "192.0.2.2"] = BanRow(timeOfBan: desk.seconds, banTime: 600)
        while let due = desk.reporter.deadline(now: desk.now) { desk.look(at: due) }
        let late = desk.sent()
        #expect(late.filter { $0.contains("Unban") } == ["-|web1|sshd|Unban|192.0.2.1|-|\(desk.milliseconds)|-|-|lifted"])
    }

    // MARK: - Reports

    @Test func nothingPilesUpWhileAReportIsUnderWay() throws {
        var desk = try Desk()
        try desk.ban("sshd", "192.0.2.1")
        let first = try desk.next()
        #expect(first.entries.count == 1)
        var taken = 0
        while desk.reporter.wantsLines {
            try desk.ban("sshd", "10.0.\(taken / 250).\(taken % 250)")
            taken += 1
        }
        #expect(taken == Reporter.batchLimit)
        #expect(desk.hasNext() == false)
        #expect(desk.reporter.deadline(now: desk.now) == nil)
        desk.reporter.acknowledge()
        #expect(desk.reporter.acknowledged == 1)
        let second = try desk.next()
        #expect(second.entries.count <= Reporter.batchLimit)
        #expect(second.message.body.count <= Message.sizeLimit)
        #expect(desk.reporter.wantsLines)
    }

    @Test func aReportFitsIntoItsFrameWithTheLongestLines() throws {
        var desk = try Desk(host: String(repeating: "a23456789.", count: 25) + "xyz")
        let jail = String(repeating: "j", count: 64)
        desk.jails.insert(try #require(Jail(jail)))
        for i in 0..<Reporter.batchLimit {
            try desk.ban(jail, "1111:2222:3333:4444:5555:6666:7777:\(String(0x1000 + i, radix: 16))")
        }
        var lines = 0
        while let report = desk.reporter.nextReport(now: desk.wall) {
            #expect(report.message.body.count <= Message.sizeLimit)
            lines += report.entries.count
            desk.reporter.acknowledge()
        }
        #expect(lines == Reporter.batchLimit)
    }

    @Test func thePlaceMovesOnlyByAcknowledgementOrPastLinesThatSayNothing() throws {
        var desk = try Desk()
        desk.reporter.pass(to: 100)
        #expect(desk.reporter.acknowledged == 100)
        desk.position = 200
        try desk.ban("sshd", "192.0.2.1")
        desk.reporter.pass(to: 300)
        #expect(desk.reporter.acknowledged == 100)
        _ = desk.reporter.nextReport(now: desk.wall)
        desk.reporter.pass(to: 400)
        #expect(desk.reporter.acknowledged == 100)
        desk.reporter.acknowledge()
        #expect(desk.reporter.acknowledged == 400)
    }
}
