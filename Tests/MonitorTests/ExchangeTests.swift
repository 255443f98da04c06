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
}
