// How much one host may report: it waits, loses nothing, and slows no other down.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct AllowanceTests {
    let term = Term(id: 7)

    @Test func aHostOverItsRateWaitsAndTheOthersDoNot() throws {
        var allowance = Allowance(rate: 10)
        let (web1, web2) = (try host("web1"), try host("web2"))
        let isTaken = allowance.take(25, of: web1, now: at(0))
        #expect(isTaken)
        for (seconds, expected) in [(0.0, false), (1.0, false), (1.4, false), (1.6, true), (1.6, false), (1.7, true)] {
            let isTaken = allowance.take(seconds < 1.6 ? 5 : 1, of: web1, now: at(seconds))
            #expect(isTaken == expected, "after \(seconds) s")
            let isOtherTaken = allowance.take(1, of: web2, now: at(seconds))
            #expect(isOtherTaken)
        }
    }

    @Test func inTheLongRunAHostGetsItsRateAndNoMore() throws {
        var allowance = Allowance(rate: 100)
        let web1 = try host("web1")
        var taken = 0
        for tick in 0..<10_000 where allowance.take(50, of: web1, now: at(Double(tick) / 100)) { taken += 50 }
        // In 100 seconds; the bucket is full at first and may be overdrawn by one report.
        #expect((10_000...10_150).contains(taken))
    }

    @Test func withoutALimitNobodyWaits() throws {
        var allowance = Allowance(rate: 0)
        let web1 = try host("web1")
        for events in [1_000_000, 1] {
            let isTaken = allowance.take(events, of: web1, now: at(0))
            #expect(isTaken)
        }
    }

    @Test func aHostThatHoldsAsManyBansAsItMayWaitsUntilSomeEnd() throws {
        var ledger = Ledger(
            admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week),
            maximumHolds: 2)
        let web1 = try host("web1")
        func report(_ event: Event, _ position: UInt64, from name: Hostname) throws -> RefusalCode? {
            let report = Report(stream: "s", now: at(100), entries: [.init(position: position, event)])
            do throws(RequestRefusal) {
                try ledger.checkLoad(report, from: name, now: at(100))
                _ = ledger.take(report, from: name, term: term, now: at(100))
                return nil
            } catch {
                return error.code
            }
        }
        var codes = [
            try report(ban("web1", "192.0.2.1", until: 200), 1, from: web1),
            try report(ban("web1", "192.0.2.2", until: 600), 2, from: web1),
        ]
        codes.append(try report(ban("web1", "192.0.2.3", until: 600), 3, from: web1))
        codes.append(try report(ban("web2", "192.0.2.3", until: 600), 3, from: try host("web2")))
        codes.append(try report(unban("web1", "192.0.2.2"), 4, from: web1))
        codes.append(try report(ban("web1", "192.0.2.3", until: 600), 5, from: web1))
        #expect(codes == [nil, nil, .busy, nil, nil, nil])
    }
}
