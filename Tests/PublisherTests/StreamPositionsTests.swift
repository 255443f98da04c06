// How far each host's streams have come: what is remembered of them, and what is forgotten with a batch or without one.

import Daemon
import Testing
import Wire

@testable import Publisher

@Suite struct StreamPositionsTests {
    private let term = Term(id: 7)
    private var ledger = Ledger(
        admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week))

    private func report(_ entries: [Report.Entry], stream: String = "s1") -> Report {
        Report(stream: stream, now: at(100), entries: entries)
    }

    @Test mutating func positionsOfTwoHostsAndOfTwoStreamsDoNotMeet() throws {
        let entry = Report.Entry(position: 90, try ban("web1", "192.0.2.1", until: 600))
        _ = ledger.take(report([entry]), from: try host("web1"), term: term, now: at(100))
        let other = Report.Entry(position: 50, try ban("web2", "192.0.2.2", until: 600))
        #expect(ledger.take(report([other]), from: try host("web2"), term: term, now: at(100)).position == 50)
        #expect(ledger.take(report([], stream: "s2"), from: try host("web1"), term: term, now: at(100)).position == 0)
    }

    @Test mutating func aStreamThatIsForgottenWithTheBatchBeingWrittenIsANewOne() throws {
        let web1 = try host("web1")
        func begin(_ number: Int) throws {
            let entry = Report.Entry(position: 9, try ban("web1", "192.0.2.1", until: 600))
            _ = ledger.take(report([entry], stream: "s\(number)"), from: web1, term: term, now: at(100))
        }
        for number in 1...StreamPositions.mostOfHost { try begin(number) }
        _ = ledger.commit()
        try begin(StreamPositions.mostOfHost + 1)
        #expect(ledger.seal().forgotten.map(\.name) == ["s1"])
        try begin(1)
        #expect(ledger.pending.begun.map(\.name) == ["s1"] && ledger.pending.forgotten.map(\.name) == ["s2"])
        _ = ledger.commit()
        _ = ledger.commit()
        let known = (1...StreamPositions.mostOfHost + 1).filter { ledger.position(of: Ledger.Stream(host: web1, name: "s\($0)")) == 9 }
        #expect(known == [1] + Array(3...StreamPositions.mostOfHost + 1))
    }

    @Test(arguments: [1, 7, 200]) mutating func aHostThatBeginsEverNewStreamsIsRememberedByItsLatestOnly(perBatch: Int) throws {
        let (web1, web2) = (try host("web1"), try host("web2"))
        let event = try ban("web1", "192.0.2.1", until: 600)
        _ = ledger.take(report([.init(position: 5, try ban("web2", "192.0.2.1", until: 600))]), from: web2, term: term, now: at(100))
        var forgotten: [String] = []
        for number in 1...200 {
            _ = ledger.take(report([.init(position: 9, event)], stream: "s\(number)"), from: web1, term: term, now: at(100))
            // What is not on disk is forgotten without a trace.
            if number == 150 { ledger.rollBack() }
            guard number % perBatch == 0 || number == 200 else { continue }
            forgotten += ledger.pending.forgotten.map(\.name)
            _ = ledger.commit()
        }
        let known = (1...200).filter { ledger.position(of: Ledger.Stream(host: web1, name: "s\($0)")) == 9 }
        #expect(known.count == min(StreamPositions.mostOfHost, perBatch == 200 ? 50 : 64) && known.last == 200)
        #expect(Set(forgotten).isDisjoint(with: known.map { "s\($0)" }) && Set(forgotten).count == forgotten.count)
        #expect(ledger.position(of: Ledger.Stream(host: web2, name: "s1")) == (perBatch == 200 ? 0 : 5))
    }
}
