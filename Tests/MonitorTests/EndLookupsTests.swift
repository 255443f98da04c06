// Bans whose row never came, until they end: what a complete list must have too, and when it is not complete.

import Testing
import Wire

@testable import Monitor

@Suite struct EndLookupsTests {
    private let noon = Timestamp(milliseconds: 1_795_219_200_000)
    private let start = ContinuousClock.now

    private func key(_ number: Int) throws -> HoldKey {
        HoldKey(jail: try #require(Jail("sshd")), id: "10.0.\(number / 256).\(number % 256)")
    }

    /// A ban that is looked up in vain until that is given up.
    private func ban(_ lookups: inout EndLookups, _ number: Int, until end: BanEnd) throws {
        let key = try key(number)
        let pending = EndLookups.Pending(address: try #require(Address(key.id)), seen: noon, reported: end)
        _ = lookups.begin(key, pending, now: start)
        for _ in EndLookups.delays { _ = lookups.answered(key, nil, now: start) }
    }

    private func end(after seconds: Int64) -> BanEnd { .at(noon.advanced(byMilliseconds: seconds * 1000)) }

    @Test func aBanWhoseRowNeverCameIsRememberedUntilItEnds() throws {
        var lookups = EndLookups()
        try ban(&lookups, 1, until: end(after: 600))
        try ban(&lookups, 2, until: .unknown)
        #expect(lookups.deadline() == nil, "it is looked up no more")
        #expect(lookups.awaited.map(\.key.id) == ["10.0.0.1", "10.0.0.2"])
        let isComplete = lookups.isComplete(at: noon.advanced(byMilliseconds: 600_000))
        #expect(isComplete && lookups.awaited.map(\.key.id) == ["10.0.0.2"])
        lookups.forget(try key(2))
        #expect(lookups.awaited.isEmpty)
    }

    @Test func aRowThatWasSeenNeedsNoMemory() throws {
        var lookups = EndLookups()
        let key = try key(1)
        let pending = EndLookups.Pending(address: try #require(Address(key.id)), seen: noon, reported: end(after: 600))
        _ = lookups.begin(key, pending, now: start)
        // Of an earlier ban, but it stands, and a list has it.
        for _ in EndLookups.delays {
            _ = lookups.answered(key, BanRow(timeOfBan: noon.milliseconds / 1000 - 100, banTime: 700), now: start)
        }
        #expect(lookups.awaited.isEmpty)
    }

    @Test func beyondTheLimitAListIsNotCompleteUntilTheLastOfThoseHasEnded() throws {
        var lookups = EndLookups()
        for number in 0..<EndLookups.rowlessLimit { try ban(&lookups, number, until: end(after: 600)) }
        let isComplete = lookups.isComplete(at: noon)
        #expect(isComplete)
        try ban(&lookups, 20_000, until: end(after: 1200))
        try ban(&lookups, 20_001, until: end(after: 900))
        #expect(lookups.awaited.count == EndLookups.rowlessLimit)
        let isCompleteThen = lookups.isComplete(at: noon.advanced(byMilliseconds: 1_199_999))
        #expect(!isCompleteThen && lookups.awaited.isEmpty)
        let isCompleteLater = lookups.isComplete(at: noon.advanced(byMilliseconds: 1_200_000))
        #expect(isCompleteLater)
    }

    @Test func aRestartLooksThemUpOnceMore() throws {
        var desk = try Desk()
        desk.lastBanTimes = ["sshd": 600]
        try desk.ban("sshd", "192.0.2.1")
        while let due = desk.reporter.deadline(now: desk.now) { desk.look(at: due) }
        #expect(desk.sent().count == 1)
        let saved = desk.reporter.savedState
        desk.reporter = Reporter(host: desk.reporter.host, stream: "test", position: 1, saved: saved, now: desk.now)
        #expect(desk.reporter.awaitedHolds.map(\.address.description) == ["192.0.2.1"])
        while let due = desk.reporter.deadline(now: desk.now) { desk.look(at: due) }
        #expect(desk.reporter.awaitedHolds.map(\.address.description) == ["192.0.2.1"])
        #expect(desk.sent() == [])
    }

    @Test func anUnbanOrANewBanEndsTheMemory() throws {
        var desk = try Desk()
        desk.lastBanTimes = ["sshd": 600]
        try desk.ban("sshd", "192.0.2.1")
        while let due = desk.reporter.deadline(now: desk.now) { desk.look(at: due) }
        _ = desk.sent()
        try desk.see(.unban, "sshd", "192.0.2.1")
        #expect(desk.sent() == ["2|web1|sshd|Unban|192.0.2.1|-|\(desk.milliseconds)|-|-|lifted"])
        #expect(desk.reporter.awaitedHolds.isEmpty)
        try desk.ban("sshd", "192.0.2.2")
        while let due = desk.reporter.deadline(now: desk.now) { desk.look(at: due) }
        desk.rows["sshd", "192.0.2.2"] = BanRow(timeOfBan: desk.seconds, banTime: 60)
        try desk.ban("sshd", "192.0.2.2")
        #expect(desk.reporter.awaitedHolds.isEmpty)
    }
}
