// What the one connection carries next, what answers mean, and how a list is cut into pages.

import Testing
import Wire

@testable import Monitor

@Suite struct ExchangeTests {
    private let start = ContinuousClock.now
    private let term = Term(id: 7)

    @Test func reportsAndPagesTakeTurns() {
        var exchange = Exchange(now: start + .seconds(60))
        let turns = (0..<6).map { _ in exchange.next(hasReport: true, hasPage: true, now: start) }
        #expect(turns == [.report, .page, .report, .page, .report, .page])
    }

    @Test func whatIsAloneIsSentAgainAndAgain() {
        var turns: [Exchange.Request?]
        var exchange = Exchange(now: start + .seconds(60))
        turns = (0..<3).map { _ in exchange.next(hasReport: false, hasPage: true, now: start) }
        #expect(turns == [.page, .page, .page])
        turns = (0..<3).map { _ in exchange.next(hasReport: true, hasPage: false, now: start) }
        #expect(turns == [.report, .report, .report])
    }

    @Test func theFirstStateIsSentAtOnceAndTheNextHalfAMinuteLater() {
        var exchange = Exchange(now: start)
        var next: Exchange.Request?
        next = exchange.next(hasReport: false, hasPage: false, now: start)
        #expect(next == .state)
        next = exchange.next(hasReport: false, hasPage: false, now: start + .seconds(29))
        #expect(next == nil)
        #expect(exchange.deadline == start + .seconds(30))
        next = exchange.next(hasReport: false, hasPage: false, now: start + .seconds(30))
        #expect(next == .state)
    }

    @Test func theStateWaitsForReportsButNotForEver() {
        var exchange = Exchange(now: start)
        var next: Exchange.Request?
        next = exchange.next(hasReport: true, hasPage: false, now: start + .seconds(29))
        #expect(next == .report)
        next = exchange.next(hasReport: true, hasPage: false, now: start + .seconds(30))
        #expect(next == .state)
        next = exchange.next(hasReport: true, hasPage: false, now: start + .seconds(30))
        #expect(next == .report)
    }

    @Test func acknowledgementsMeanWhatWasSent() {
        let acknowledgement = Acknowledgement(term: term, position: 5, refused: [])
        let frames = acknowledgement.message.frames
        #expect(Exchange.meaning(of: frames, to: .report) == (.reported(acknowledgement), term))
        #expect(Exchange.meaning(of: frames, to: .page) == (.pageTaken(acknowledgement), term))
        #expect(Exchange.meaning(of: DaemonState.answer(term: term).frames, to: .state) == (.stateTaken, term))
        #expect(Exchange.meaning(of: frames, to: .state) == (.nonsense(.verb), nil))
    }

    @Test(arguments: [RefusalCode.malformed, .toolarge, .verb])
    func aListThatThePublisherWillNotTakeIsGivenUp(code: RefusalCode) {
        let refusal = RequestRefusal(code, "")
        #expect(Exchange.meaning(of: refusal.message(term: term).frames, to: .page) == (.listRefused(refusal), term))
    }

    @Test(arguments: [RefusalCode.busy, .storage, .standby])
    func aPageThatCameInconvenientlyIsRepeated(code: RefusalCode) {
        let refusal = RequestRefusal(code, "")
        #expect(Exchange.meaning(of: refusal.message(term: nil).frames, to: .page) == (.again(refusal), nil))
    }

    @Test func aStateThatIsRefusedHoldsUpNothing() {
        for code in [RefusalCode.verb, .malformed, .role, .busy] {
            let refusal = RequestRefusal(code, "")
            #expect(Exchange.meaning(of: refusal.message(term: term).frames, to: .state) == (.stateRefused(refusal), term))
        }
    }

    @Test func aListIsCutIntoPagesWithoutAHoleAndAPageIsRepeatedAsItWas() throws {
        let host = try #require(Hostname("web1"))
        let jail = try #require(Jail("sshd"))
        let holds = try (0..<3000).map { number in
            Hold(
                jail: jail, address: try #require(Address("10.0.\(number / 250).\(number % 250)")), seen: Timestamp(milliseconds: 1000),
                end: .permanent)
        }
        var list = HoldsList(
            id: "a", host: host, stream: "s", position: 9, madeAt: Timestamp(milliseconds: 5), isComplete: true, holds: holds)
        var addresses: [Address] = []
        var pages: [UInt64] = []
        while true {
            let page = list.current(now: Timestamp(milliseconds: 10))
            #expect(list.current(now: Timestamp(milliseconds: 10)) == page)
            #expect(page.message.body.count <= Message.sizeLimit)
            #expect(try HoldsPage(page.message) == page)
            pages.append(page.page)
            addresses += page.bans.map(\.address)
            let isLast = list.acknowledge()
            #expect(isLast == page.isLast)
            if isLast { break }
        }
        #expect(addresses == holds.map(\.address))
        #expect(pages == Array(1...UInt64(pages.count)))
        #expect(pages.count > 1)
    }

    @Test func anEmptyListIsOneEmptyPage() throws {
        var list = HoldsList(
            id: "a", host: try #require(Hostname("web1")), stream: "s", position: 9, madeAt: Timestamp(milliseconds: 5), isComplete: true,
            holds: [])
        let page = list.current(now: Timestamp(milliseconds: 10))
        #expect(page.isLast && page.bans.isEmpty)
        let isLast = list.acknowledge()
        #expect(isLast)
    }

    @Test func aListHasABoundAndSaysWhatItLeavesOut() throws {
        var gathering = HoldsGathering()
        let jail = try #require(Jail("sshd"))
        let now = Timestamp(milliseconds: 1000)
        for number in 0..<(HoldsList.limit + 10) {
            let address = try #require(Address("10.\(number >> 16).\(number >> 8 & 255).\(number & 255)"))
            gathering.add(Hold(jail: jail, address: address, seen: now, end: .permanent))
        }
        #expect(gathering.holds.count == HoldsList.limit)
        #expect(gathering.leftOut == 10)
    }

    @Test func aBanThatIsReadTwiceCountsAsItWasLast() throws {
        var gathering = HoldsGathering()
        let jail = try #require(Jail("sshd"))
        let address = try #require(Address("192.0.2.1"))
        let later = Hold(jail: jail, address: address, seen: Timestamp(milliseconds: 2000), end: .permanent)
        gathering.add(Hold(jail: jail, address: address, seen: Timestamp(milliseconds: 1000), end: .unknown))
        gathering.add(later)
        gathering.add(Hold(jail: jail, address: address, seen: Timestamp(milliseconds: 1500), end: .unknown))
        #expect(gathering.holds == [later])
    }
}
