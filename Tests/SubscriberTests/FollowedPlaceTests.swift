// A place that was followed is never ahead of what was applied, whenever the subscriber is killed.

import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct FollowedPlaceTests {
    private let folder: TemporaryFolder
    private let place: FollowedPlace

    init() throws {
        folder = try TemporaryFolder()
        place = FollowedPlace(path: folder("state/subscriber.term"))
    }

    // A kill between the bytes and the rename leaves the new file beside the old one, whole or torn.
    @Test(arguments: ["", "00000000000000", "0000000000000002 99", "0000000000000002 9999999999999999999999\n"])
    func aKillWhileThePlaceIsWrittenLeavesTheOneBefore(_ torn: String) throws {
        let before = CatchUp.Position(term: Term(id: 1), last: 42)
        try place.write(before)
        try folder.write("state/subscriber.term.new", torn)
        #expect(place.read() == before)
        let after = CatchUp.Position(term: Term(id: 2), last: 1)
        try place.write(after)
        #expect(place.read() == after)
    }

    @Test(arguments: ["", "\n", "x 1\n", "0000000000000001\n", "0000000000000001 -1\n", "0000000000000001 9223372036854775808\n"])
    func aDamagedFileIsNoPlace(_ text: String) throws {
        try folder.write("state/subscriber.term", text)
        #expect(place.read() == nil)
    }

    // The loop writes a place down when it is up to date, after the changes went to the enforcers; and what was applied is asked for
    // anew by each start. So a kill costs at most that a start asks for more than it lacks.
    @Test func whatIsUpToDateHasBeenApplied() throws {
        let term = Term(id: 1)
        var host = CatchUp()
        var applied: UInt64 = 0
        var places: [UInt64] = []
        func follow(_ steps: [CatchUp.Step]) {
            for step in steps {
                switch step {
                case .apply(let events, _): applied = max(applied, events.compactMap(\.number).max() ?? applied)
                case .adopt: applied = max(applied, 10)
                case .upToDate: places.append(applied)
                case .ask: break
                }
            }
            if host.isLive, let position = host.position { #expect(position.last <= applied, "a place ahead of what was applied") }
        }
        func broadcast(_ numbers: ClosedRange<UInt64>) throws -> Broadcast {
            let events = try numbers.map { try ban("192.0.2.\($0)", number: $0) }
            return Broadcast(term: term, first: numbers.lowerBound, now: publisherStart, events: events)
        }
        follow(host.begin())
        follow(host.take(SyncAnswer(term: term, now: publisherStart, .snapshot([], number: 10, next: nil, isKnownPlace: true))))
        follow(host.take(try broadcast(12...13)))
        follow(host.take(SyncAnswer(term: term, now: publisherStart, .announcements([try ban("192.0.2.11", number: 11)], isLast: true))))
        #expect(host.position?.last == 13)
        follow(host.take(try broadcast(20...21)))
        #expect(host.position?.last == 13, "a hole is not jumped over")
        #expect(places == [13])
    }
}
