// Fault test: the oracle is right about what was done.

import Testing

@Suite struct OracleTests {
    private let a = HoldName(host: 1, jail: "door", address: "198.18.0.1")
    private let b = HoldName(host: 2, jail: "gate", address: "198.18.0.1")
    private let c = HoldName(host: 2, jail: "brief", address: "198.18.0.2")

    @Test func anAddressIsRefusedWhileAnyHostHoldsIt() {
        var oracle = Oracle()
        oracle.banned([a], banTime: nil, between: 0, and: 10)
        oracle.banned([b], banTime: nil, between: 0, and: 10)
        oracle.lifted([a])
        #expect(oracle.refused(at: 20).certain == ["198.18.0.1"])
        #expect(oracle.lastingHolds == [b])
        oracle.lifted([b])
        #expect(oracle.refused(at: 20).certain.isEmpty)
    }

    @Test func aBanEndsByItselfAndAboutThenItMayBeEither() {
        var oracle = Oracle()
        oracle.banned([c], banTime: 10_000, between: 0, and: 100)
        #expect(oracle.refused(at: 7_000).certain == ["198.18.0.2"])
        #expect(oracle.refused(at: 10_000).certain.isEmpty && oracle.refused(at: 10_000).possible == ["198.18.0.2"])
        #expect(oracle.refused(at: 13_000).possible.isEmpty)
        #expect(oracle.lastEnd == 12_600)
    }

    @Test func aWrongClockOfAMonitorMakesItsHostsEndsUncertainByAsMuch() {
        let other = HoldName(host: 1, jail: "brief", address: "198.18.0.3")
        var oracle = Oracle()
        oracle.banned([c, other], banTime: 100_000, between: 0, and: 0)
        oracle.monitorClockStepped(of: 2, by: -50_000, now: 10)
        oracle.monitorClockStepped(of: 2, by: 20_000, now: 20)
        oracle.monitorClockRight(of: 2)
        #expect(oracle.refused(at: 60_000).possible == ["198.18.0.2"] && oracle.refused(at: 60_000).certain == ["198.18.0.3"])
        #expect(oracle.lastEnd == 152_500)
        let later = HoldName(host: 2, jail: "brief", address: "198.18.0.4")
        oracle.banned([later], banTime: 100_000, between: 0, and: 0)
        #expect(oracle.refused(at: 60_000).certain == ["198.18.0.3", "198.18.0.4"])
    }

    @Test func whatIsBannedAlreadyIsNoFurtherBan() {
        var oracle = Oracle()
        oracle.banned([a], banTime: nil, between: 0, and: 10)
        oracle.banned([a], banTime: nil, between: 20, and: 30)
        #expect(oracle.histories[a]?.bans == 1)
        oracle.lifted([a])
        oracle.lifted([a])
        oracle.banned([a], banTime: nil, between: 40, and: 50)
        #expect(oracle.histories[a] == Oracle.History(bans: 2, lifts: 1, isLifted: false))
    }

    @Test func allOfAHostAreLiftedAtOnceAndNoneOfAnother() {
        var oracle = Oracle()
        oracle.banned([a, b, c], banTime: nil, between: 0, and: 10)
        oracle.liftedAll(of: 2)
        #expect(oracle.lastingHolds == [a])
        #expect(oracle.histories[c]?.lifts == 1)
    }

    @Test func whatAKilledFail2banForgotIsNotLifted() {
        var oracle = Oracle()
        oracle.banned([a], banTime: nil, between: 0, and: 10)
        oracle.forgot([a])
        oracle.mayHaveBanned([a])
        oracle.banned([a], banTime: nil, between: 20, and: 30)
        // It may have been killed with the ban in its database and no line in its log.
        #expect(oracle.histories[a] == Oracle.History(bans: 1, doubtfulBans: 2))
        oracle.lifted([a])
        oracle.banned([a], banTime: nil, between: 40, and: 50)
        #expect(oracle.histories[a]?.bans == 2)
    }
}
