// The service's loop and its lists: from a real database to the pages that the publisher gets.

import Daemon
import Glibc
import Testing
import Wire

@testable import Monitor

/// What the service sends beside reports.
@Suite struct HoldsServiceTests {
    @Test func theFirstStartTellsAllBansThatFail2banHas() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.ban("sshd", "192.0.2.1", time: now - 100, banTime: 600)
        try host.database.ban("sshd", "2001:db8::/64", time: now - 100, banTime: -1)
        try host.database.ban("sshd", "192.0.2.3", time: now - 700, banTime: 600)
        try host.database.ban("sshd", "no address", time: now, banTime: 600)
        try host.database.execute("INSERT INTO jails VALUES ('recidive', 1)")
        try host.database.ban("recidive", "192.0.2.4", time: now, banTime: 600)
        try host.awaitPages(1)
        let page = host.pages[0]
        #expect(page.isComplete && page.isLast && page.page == 1)
        #expect(page.bans.map(\.address.description) == ["192.0.2.1", "2001:db8::/64"])
        #expect(page.bans[0].end == .at(Timestamp(milliseconds: (now + 500) * 1000)))
        #expect(page.bans[0].seen == Timestamp(milliseconds: (now - 100) * 1000))
        #expect(host.states.count == 1)
        #expect(String(decoding: host.states[0].json, as: UTF8.self).hasPrefix("{\"version\":\""))
    }

    @Test func aListOfManyBansArrivesWholeWhileReportsGoOn() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.banMany(5_000, time: now)
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.1\n")
        try host.awaitPages(1)
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.2\n")
        let report = try host.nextReport()
        #expect(try report.entries.first?.content.get().address.description == "192.0.2.2")
        #expect(host.pages.last?.isLast == false, "the report waited for the whole list")
        while host.pages.last?.isLast != true { try host.awaitPages(host.pages.count + 1) }
        // What waits for its row is on the list too.
        #expect(Set(host.pages.flatMap { $0.bans.map(\.address) }).count == 5001)
        #expect(Set(host.pages.map(\.id)).count == 1)
    }

    @Test func aBanThatIsLiftedBeforeItsListArrivesIsNotOnIt() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.ban("sshd", "192.0.2.1", time: now, banTime: 600)
        try host.database.ban("sshd", "192.0.2.2", time: now, banTime: 600)
        host.answerToPages = .refuse(.busy)
        try host.awaitPages(1)
        #expect(host.pages[0].bans.count == 2)
        try host.database.unban("sshd", "192.0.2.1")
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Unban 192.0.2.1\n")
        #expect(try host.nextReport().entries.count == 1)
        host.answerToPages = .acknowledge
        try host.awaitHealing()
        let taken = try #require(host.pages.last)
        #expect(taken.bans.map(\.address.description) == ["192.0.2.2"])
        #expect(taken.id != host.pages[0].id)
    }

    @Test func aReloadThatChoosesOtherJailsCallsForAList() throws {
        var host = try ServiceUnderTest()
        try host.awaitHealing()
        host.ignore([try #require(Jail("sshd"))])
        #expect(host.healedTerm == nil)
    }

    @Test func aTermThatChangesWhileAListIsOnItsWayMakesAnother() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.banMany(5_000, time: now)
        try host.awaitPages(1)
        host.term = 2
        while host.pages.last?.isLast != true { try host.awaitPages(host.pages.count + 1) }
        #expect(Set(host.pages.map(\.id)).count == 2)
        #expect(host.pages.last { $0.page == 1 }?.id == host.pages.last?.id)
    }

    @Test func aListGivenUpWhileItsPageWaitsToBeSentAgainIsFollowedByAnother() throws {
        var host = try ServiceUnderTest()
        try host.database.ban("sshd", "192.0.2.1", time: Timestamp.now.milliseconds / 1000, banTime: 600)
        host.answerToPages = .refuse(.busy)
        try host.awaitPages(1)
        try host.awaitPause()
        host.setClockAhead()
        // A report goes in the page's place.
        host.append("192.0.2.2")
        host.term = 2
        _ = try host.nextReport()
        host.answerToPages = .acknowledge
        try host.awaitHealing()
        #expect(host.healedTerm == Term(id: 2))
    }

    /// The list is read in several turns. What was lifted behind the row that was read first is reported before the list is there.
    @Test func whatIsLiftedWhileAListIsReadIsNotOnIt() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.banMany(40_000, time: now)
        while !host.isReadingHolds { _ = try host.events(during: .zero) }
        try host.database.unban("sshd", "10.0.0.0")
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Unban 10.0.0.0\n")
        let report = try host.nextReport()
        #expect(try report.entries.map { try $0.content.get().action } == [.unban])
        #expect(host.pages.isEmpty, "the list was there first")
        while host.pages.last?.isLast != true { try host.awaitPages(host.pages.count + 1) }
        let listed = Set(host.pages.flatMap { $0.bans.map(\.address.description) })
        #expect(listed.count == 39_999 && !listed.contains("10.0.0.0"))
    }

    @Test func neitherDatabaseNorFail2banMeansNoList() throws {
        var host = try ServiceUnderTest(hasDatabase: false)
        #expect(try host.events(during: .seconds(1)) == [])
        #expect(host.pages.isEmpty)
    }
}
