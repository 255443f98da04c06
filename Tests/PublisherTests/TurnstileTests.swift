// How much of the loop's time one host may have.

import Testing

@testable import Publisher

@Suite struct TurnstileTests {
    var turnstile = Turnstile()
    let start = ContinuousClock.now

    /// Lets requests through, each of which takes a millisecond.
    /// - Returns: how many were served.
    mutating func serve(_ requests: Int, of name: String, bytes: Int, at time: ContinuousClock.Instant) throws -> Int {
        var served = 0
        for _ in 0..<requests where turnstile.admits(try host(name), now: time) {
            turnstile.count(try host(name), bytes: bytes, took: .milliseconds(1))
            served += 1
        }
        return served
    }

    @Test mutating func whoAwaitsItsAnswersIsAlwaysServed() throws {
        for turn in 0..<100 {
            let time = start + .milliseconds(turn)
            turnstile.beginTurn(now: time)
            for number in 1...100 {
                // A monitor's report, a subscriber's question and an operator's, all at once.
                #expect(try serve(3, of: "web\(number)", bytes: 2000, at: time) == 3)
            }
            #expect(try serve(1, of: "restarted", bytes: 128 * 1024, at: time) == 1)
            #expect(!turnstile.isTurnOver)
        }
    }

    @Test(arguments: [(bytes: 100, share: 16), (20_000, 3), (64 * 1024, 1)])
    mutating func whoSendsMoreWaitsSevenTimesAsLongAsItsShareTook(bytes: Int, share: Int) throws {
        turnstile.beginTurn(now: start)
        #expect(try serve(20, of: "mole", bytes: bytes, at: start) == share)
        #expect(try serve(1, of: "web1", bytes: bytes, at: start) == 1)
        let end = start + .milliseconds(7 * share)
        for time in [start + .milliseconds(1), end - .microseconds(1)] {
            turnstile.beginTurn(now: time)
            #expect(try serve(5, of: "mole", bytes: bytes, at: time) == 0)
        }
        turnstile.beginTurn(now: end)
        #expect(try serve(1, of: "mole", bytes: bytes, at: end) == 1)
    }

    @Test mutating func aTurnEndsWhenManyAreTurnedAway() throws {
        turnstile.beginTurn(now: start)
        _ = try serve(16 + Turnstile.mostRefusals - 1, of: "mole", bytes: 100, at: start)
        #expect(!turnstile.isTurnOver)
        _ = try serve(1, of: "mole", bytes: 100, at: start)
        #expect(turnstile.isTurnOver)
        turnstile.beginTurn(now: start)
        #expect(!turnstile.isTurnOver)
    }

    @Test mutating func whatTheJournalTookCountsForWhoFilledIt() throws {
        turnstile.beginTurn(now: start)
        _ = try serve(2, of: "mole", bytes: 96 * 1024 - Turnstile.perRequest, at: start)
        _ = try serve(1, of: "web1", bytes: 32 * 1024 - Turnstile.perRequest, at: start)
        turnstile.countJournal(took: .milliseconds(8), of: turnstile.bill)
        #expect(!turnstile.admits(try host("mole"), now: start + .seconds(1)), "not in the same turn, however long that lasts")
        turnstile.beginTurn(now: start)
        // 7 ms for its share, and seven times three quarters of the journal's 8 ms.
        #expect(!turnstile.admits(try host("mole"), now: start + .microseconds(48_900)))
        #expect(turnstile.admits(try host("mole"), now: start + .milliseconds(49)))
        #expect(turnstile.admits(try host("web1"), now: start))
    }
}
