// The service's loop with a real log, a real database, real sockets, and the publisher's end in the test's hands.

import Daemon
import Glibc
import Logging
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Monitor

@Suite struct MonitorServiceTests {
    @Test func aBanInTheLogIsReportedWithTheEndThatTheDatabaseKnows() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.ban("sshd", "192.0.2.1", time: now, banTime: 600)
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.1\n")
        let report = try host.nextReport()
        let event = try report.entries.first?.content.get()
        #expect(report.position == 51)
        #expect(event?.address == Address("192.0.2.1"))
        #expect(event?.end == .at(Timestamp(milliseconds: (now + 600) * 1000)))
        #expect(abs(report.now.milliseconds(since: .now)) < 10_000)
    }

    @Test func anUnbanIsReportedWhenItsRowIsGoneAndNotWhenItIsThere() throws {
        var host = try ServiceUnderTest()
        try host.database.ban("sshd", "192.0.2.1", time: Timestamp.now.milliseconds / 1000, banTime: 600)
        host.log.append(
            "fail2ban.actions [1]: NOTICE  [sshd] Unban 192.0.2.1\nfail2ban.actions [1]: NOTICE  [sshd] Unban 192.0.2.2\n")
        let report = try host.nextReport()
        #expect(try report.entries.map { try $0.content.get().address.description } == ["192.0.2.2"])
        #expect(try report.entries.map { try $0.content.get().cause } == [.lifted])
    }

    @Test(arguments: [RefusalCode.busy, .storage, .host, .version])
    func aReportThatIsRefusedComesAgainWithTheSameLines(code: RefusalCode) throws {
        var host = try ServiceUnderTest()
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.1\n")
        let first = try host.nextReport(answer: .refuse(code))
        let second = try host.nextReport(answer: .refuse(code))
        let third = try host.nextReport()
        #expect(first.entries == second.entries)
        #expect(first.entries == third.entries)
        #expect(first.now < third.now)
    }

    @Test func anAnswerThatIsNoneDoesNotEndIt() throws {
        var host = try ServiceUnderTest()
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.1\n")
        let first = try host.nextReport(answer: .nonsense)
        let second = try host.nextReport()
        #expect(first.entries == second.entries)
    }

    @Test(arguments: [ServiceUnderTest.Answer.nonsense, .none])
    func aPublisherThatAnswersNoStateGetsReports(answer: ServiceUnderTest.Answer) throws {
        var host = try ServiceUnderTest()
        host.answerToStates = answer
        while host.states.isEmpty { _ = try host.events(during: .milliseconds(10)) }
        host.append("192.0.2.1")
        #expect(try host.nextReport().entries.count == 1)
    }

    @Test func aPublisherThatTakesNoListGetsReports() throws {
        var host = try ServiceUnderTest()
        host.answerToPages = .nonsense
        while host.pages.isEmpty { _ = try host.events(during: .milliseconds(10)) }
        for number in 1...3 {
            host.append("192.0.2.\(number)")
            #expect(try host.nextReport().entries.count == 1)
        }
        host.answerToPages = .acknowledge
        try host.awaitHealing()
    }

    @Test func aStateThatIsAnsweredWithNonsenseIsNotSentAgain() throws {
        var host = try ServiceUnderTest()
        host.answerToStates = .nonsense
        #expect(try host.events(during: .seconds(1)) == [])
        #expect(host.states.count == 1)
    }

    @Test func aBurstArrivesInOrderAndOnceThroughARotation() throws {
        var host = try ServiceUnderTest()
        var written: [String] = []
        for i in 0..<3000 {
            let address = "10.\(i / 65536).\(i / 256 % 256).\(i % 256)"
            written.append(address)
            host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban \(address)\n", to: i < 1500 ? "" : ".new")
        }
        rename(host.log.path, host.log.path + ".1")
        rename(host.log.path + ".new", host.log.path)
        var read: [String] = []
        var last: UInt64 = 0
        while read.count < written.count {
            for entry in try host.nextReport().entries {
                // Ends found later come without a position; here there are none to find.
                guard let position = entry.position else { continue }
                #expect(position > last)
                last = position
                read.append(try entry.content.get().address.description)
            }
        }
        #expect(read == written)
    }

    // MARK: - Kills

    @Test func aKilledMonitorRepeatsWhatWasNotAcknowledgedAndGoesOn() throws {
        var host = try ServiceUnderTest()
        host.append("192.0.2.1")
        let first = try host.nextReport()
        host.append("192.0.2.2")
        let second = try host.nextReport(answer: .none)
        host.append("192.0.2.3")
        try host.killAndStart()
        #expect(host.isNewStream == false)
        // The checkpoint may be older than the acknowledgement; then that line comes again, with its position.
        var entries: [Report.Entry] = []
        while entries.last?.position != 153 { entries += try host.nextReport().entries }
        let addresses = try entries.map { try $0.content.get().address.description }
        #expect(addresses == ["192.0.2.1", "192.0.2.2", "192.0.2.3"].suffix(addresses.count))
        #expect(entries.map(\.position) == [51, 102, 153].suffix(entries.count))
        #expect(entries.count >= 2 && second.position == 102)
        #expect(first.stream == second.stream)
    }

    @Test func whatIsLoggedBetweenAKillAndTheStartIsReportedInTheSameStream() throws {
        var host = try ServiceUnderTest()
        try host.killAndStart { host in
            host.append("192.0.2.1")
            try host.log.run("mv fail2ban.log fail2ban.log.1; gzip fail2ban.log.1")
            host.append("192.0.2.2")
        }
        var addresses: [String] = []
        while addresses.count < 2 { addresses += try host.nextReport().entries.map { try $0.content.get().address.description } }
        #expect(addresses == ["192.0.2.1", "192.0.2.2"])
    }

    @Test(arguments: ["rm state/monitor.checkpoint", "echo x >> state/monitor.checkpoint", "echo other > machine-id"])
    func withoutItsCheckpointANewStreamBeginsAtTheEnd(damage: String) throws {
        var host = try ServiceUnderTest()
        host.append("192.0.2.1")
        let first = try host.nextReport()
        #expect(host.isNewStream == true)
        try host.killAndStart { host in
            try host.log.run(damage)
            host.append("192.0.2.2")
        }
        #expect(host.isNewStream == true)
        host.append("192.0.2.3")
        let second = try host.nextReport()
        #expect(second.stream != first.stream)
        #expect(try second.entries.map { try $0.content.get().address.description } == ["192.0.2.3"])
    }

    @Test func aHostRestoredFromABackupGoesOnBehindWhatThePublisherHas() throws {
        var host = try ServiceUnderTest()
        try host.awaitHealing()
        host.append("192.0.2.1")
        #expect(try host.nextReport(answer: .acknowledgeUpTo(9999)).position == 51)
        host.append("192.0.2.2")
        // Perhaps it was read before the answer came.
        _ = try host.nextReport(answer: .acknowledgeUpTo(9999))
        host.append("192.0.2.3")
        #expect(try host.nextReport().position ?? 0 > 9999)
        #expect(host.healedTerm == nil)
    }

    @Test func theListOfAHostRestoredFromABackupDoesNotSeemOlderThanWhatThePublisherHas() throws {
        var host = try ServiceUnderTest()
        try host.awaitHealing()
        host.append("192.0.2.1")
        _ = try host.nextReport(answer: .acknowledgeUpTo(9999))
        host.append("192.0.2.2")
        // This answer calls for a list, without a further line of the log.
        host.term += 1
        _ = try host.nextReport(answer: .acknowledgeUpTo(9999))
        try host.awaitPages(host.pages.count + 1)
        #expect(try #require(host.pages.last).position >= 9999)
    }

    @Test func aCheckpointThatCannotBeWrittenStopsNothing() throws {
        var host = try ServiceUnderTest()
        try host.log.run("rm -r state; echo > state")
        host.append("192.0.2.1")
        #expect(try host.nextReport().entries.count == 1)
        host.append("192.0.2.2")
        #expect(try host.nextReport().entries.count == 1)
    }

    @Test func theTermThatWasHealedLastIsKept() throws {
        var host = try ServiceUnderTest()
        #expect(host.healedTerm == nil)
        host.term = 5
        try host.awaitPages(1)
        // Written with an acknowledgement, but not all the time: the slower the disk, the more rarely.
        let end = ContinuousClock.now + .seconds(20)
        while !(textOfFile(host.log.folder + "/state/monitor.checkpoint") ?? "").contains("healed=0000000000000005") {
            try #require(ContinuousClock.now < end, "no checkpoint with the term")
            host.append("192.0.2.1")
            _ = try host.nextReport()
        }
        try host.killAndStart()
        #expect(host.healedTerm == Term(id: 5))
        // That publisher has all that this host holds; another one is told.
        _ = try host.events(during: .milliseconds(300))
        #expect(host.pages.count == 1)
        host.term = 6
        host.append("192.0.2.1")
        _ = try host.nextReport()
        try host.awaitPages(2)
    }
}
