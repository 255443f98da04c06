// What the reporter makes of Unban lines: an admin's is told, an expiry's or a stop's is not, and one that can't be decided waits.

import Testing
import Wire

@testable import Monitor

@Suite struct UnbanReportTests {
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
}
