// Frames and their pace: the first event at once, a flood in full frames, a beat when nothing is sent.

import Testing
import Wire

@testable import Publisher

@Suite struct BroadcasterTests {
    let begin = ContinuousClock.now
    let term = Term(id: 7)

    func announcements(_ numbers: ClosedRange<UInt64>) throws -> [Event] {
        try numbers.map { number in
            var event = try ban("web1", "2001:db8:1111:2222:3333:4444:5555:\(String(number % 10_000))", until: 600)
            event.number = number
            event.admitted = at(0)
            return event
        }
    }

    /// All frames that leave at one moment.
    func frames(_ broadcaster: inout Broadcaster, subscribers: Int, next: UInt64, after: Duration) throws -> [Broadcast] {
        var frames: [Broadcast] = []
        while let frame = broadcaster.frame(term: term, next: next, subscribers: subscribers, clock: at(0), now: begin + after) {
            #expect(frame.count <= Broadcast.sizeLimit)
            frames.append(try Broadcast(frame: frame.span))
        }
        return frames
    }

    @Test func noNumberOfSubscribersHoldsAFrameBackForLongerThanATenthOfASecond() throws {
        var broadcaster = Broadcaster(now: begin + .seconds(1))
        broadcaster.add(try announcements(1...1))
        #expect(try frames(&broadcaster, subscribers: 1_000_000, next: 2, after: .zero).count == 1)
        broadcaster.add(try announcements(2...2))
        #expect(try frames(&broadcaster, subscribers: 1_000_000, next: 3, after: .milliseconds(100)).count == 1)
    }

    @Test func theFirstEventLeavesAtOnceAndTheNextOnesTogetherWhenThePaceAllows() throws {
        var broadcaster = Broadcaster(now: begin + .seconds(1))
        broadcaster.add(try announcements(1...1))
        #expect(try frames(&broadcaster, subscribers: 1000, next: 2, after: .zero).map(\.last) == [1])
        broadcaster.add(try announcements(2...5))
        broadcaster.add(try announcements(6...9))
        #expect(try frames(&broadcaster, subscribers: 1000, next: 10, after: .milliseconds(9)) == [])
        #expect(broadcaster.deadline == begin + .milliseconds(10))
        let sent = try frames(&broadcaster, subscribers: 1000, next: 10, after: .milliseconds(10))
        #expect(sent.map(\.first) == [2])
        #expect(sent.first?.events == (try announcements(2...9)))
    }

    @Test func aFloodFillsFramesAndNothingIsLostOrOutOfOrder() throws {
        var broadcaster = Broadcaster(now: begin + .seconds(100))
        let all = try announcements(1...5000)
        broadcaster.add(all)
        var received: [Event] = []
        var count = 0
        for step in 0..<100 {
            for frame in try frames(&broadcaster, subscribers: 10, next: 5001, after: .microseconds(100) * step) {
                #expect(frame.first == UInt64(received.count) + 1)
                received += frame.events
                count += 1
            }
        }
        #expect(received == all)
        #expect(count < 15)
    }

    @Test func whatIsTooMuchToWaitLeavesWhateverThePace() throws {
        var broadcaster = Broadcaster(now: begin + .seconds(100))
        let count = Broadcaster.mostWaiting + 5000
        broadcaster.add(try announcements(1...UInt64(count)))
        // The pace of so many subscribers lets one frame pass.
        let first = try frames(&broadcaster, subscribers: 1_000_000, next: UInt64(count) + 1, after: .zero)
        #expect(first.count > 1 && first.first?.first == 1)
        #expect(count - Int(first.last?.last ?? 0) <= Broadcaster.mostWaiting)
        #expect(broadcaster.deadline > begin)
        broadcaster.add(try announcements(UInt64(count + 1)...UInt64(count + 5000)))
        #expect(broadcaster.deadline <= begin)
    }

    @Test func aBeatLeavesWhenASecondPassedWithoutAFrameAndSaysWhatComesNext() throws {
        var broadcaster = Broadcaster(now: begin)
        let first = try frames(&broadcaster, subscribers: 3, next: 42, after: .zero)
        #expect(first.map(\.isBeat) == [true])
        #expect(first.map(\.last) == [41])
        #expect(broadcaster.deadline == begin + .seconds(1))
        broadcaster.add(try announcements(42...42))
        #expect(try frames(&broadcaster, subscribers: 3, next: 43, after: .milliseconds(500)).map(\.first) == [42])
        #expect(try frames(&broadcaster, subscribers: 3, next: 43, after: .milliseconds(1499)) == [])
        #expect(try frames(&broadcaster, subscribers: 3, next: 43, after: .milliseconds(1500)).map(\.isBeat) == [true])
    }
}
