// Stage 2, report -> admission -> journal -> broadcast: which announcements leave in which frame, and when.

import Wire

/// Packs announcements into frames and paces them. A value without clock or socket.
///
/// Encryption costs per frame and subscriber, so a frame follows the one before not sooner than `pacePerSubscriber` for each of
/// them: the first event leaves at once, and in a flood the frames grow instead of their number.
struct Broadcaster {
    static let pacePerSubscriber: Duration = .microseconds(10)
    /// Nor later than this, however many there are.
    static let longestPace: Duration = .milliseconds(100)
    /// Announcements that wait for the sake of the pace, at most; beyond, they leave at once. About 30 MB.
    static let mostWaiting = 100_000
    /// When nothing else was sent for so long, a beat makes a silent loss visible.
    static let beatInterval: Duration = .seconds(1)

    private var waiting: [Event] = []
    private var sent = 0
    private var notBefore: ContinuousClock.Instant?
    private var beatAt: ContinuousClock.Instant

    init(now: ContinuousClock.Instant) { beatAt = now }

    /// Takes what was committed, in the order of its numbers.
    mutating func add(_ announcements: [Event]) {
        if waiting.isEmpty { waiting = announcements } else { waiting.append(contentsOf: announcements) }
    }

    /// When ``frame(term:next:subscribers:clock:now:)`` has something to send.
    var deadline: ContinuousClock.Instant {
        guard !waiting.isEmpty else { return beatAt }
        let paced = min(notBefore ?? beatAt, beatAt)
        return isCrowded ? paced - Broadcaster.longestPace : paced
    }

    private var isCrowded: Bool { waiting.count - sent > Broadcaster.mostWaiting }

    /// The next frame, if its time has come: announcements as far as they fit, or a beat. Call again until it is `nil`.
    ///
    /// - Parameters:
    ///   - next: the number that the next announcement will have, for a beat.
    ///   - subscribers: how many receive the frame.
    ///   - clock: the time that goes into the frame.
    mutating func frame(term: Term, next: UInt64, subscribers: Int, clock: Timestamp, now: ContinuousClock.Instant) -> [UInt8]? {
        guard sent < waiting.count else {
            guard now >= beatAt else { return nil }
            beatAt = now + Broadcaster.beatInterval
            return Broadcast(term: term, first: next, now: clock, events: []).frame
        }
        if let notBefore, now < notBefore, !isCrowded { return nil }

        var lines: [UInt8] = []
        let start = sent
        let room = Broadcast.sizeLimit - Broadcaster.longestHeader
        while sent < waiting.count {
            let before = lines.count
            lines.append(UInt8(ascii: "\n"))
            waiting[sent].appendLine(to: &lines)
            if lines.count > room {
                lines.removeLast(lines.count - before)
                break
            }
            sent += 1
        }
        let first = waiting[start].number ?? next
        var frame = Broadcast.headerLine(term: term, first: first, last: first + UInt64(sent - start) - 1, now: clock)
        frame.append(contentsOf: lines)
        if sent == waiting.count {
            waiting.removeAll(keepingCapacity: waiting.capacity < 10_000)
            sent = 0
        }
        notBefore = now + min(Broadcaster.pacePerSubscriber * subscribers, Broadcaster.longestPace)
        beatAt = now + Broadcaster.beatInterval
        return frame
    }

    /// The bytes of the longest header line: two numbers of 19 digits, a term of 16, a time of 15, the version and four separators.
    private static let longestHeader = 6 + 16 + 19 + 19 + 15 + 4
}
