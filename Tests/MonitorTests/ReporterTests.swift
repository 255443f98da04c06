// How lines become reports: one under way at a time, each within its frame, and the place moves by acknowledgement.

import Testing
import Wire

@testable import Monitor

@Suite struct ReporterTests {
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
