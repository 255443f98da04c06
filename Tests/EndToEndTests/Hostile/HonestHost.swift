// Hostile peers: the host beside them that does what it should, and how long it waits for its acknowledgements.

import Glibc
import Synchronization
import TestSupport
import Testing
import Wire
import ZeroMQ

/// A monitor, played by the test: it reports bans one by one, each after the acknowledgement of the one before.
final class HonestHost: Sendable {
    let name: Hostname
    private let cluster: LoopbackCluster
    private let keys: KeyPair
    private let stream = "honest-\(UInt64.random(in: .min ... .max))"

    init(_ name: String, in cluster: LoopbackCluster) async throws {
        self.name = try #require(Hostname(name))
        self.cluster = cluster
        keys = try await cluster.authorize(name)
    }

    /// The bans that were reported by `count` reports, in order.
    func bans(_ range: Range<Int>, until end: BanEnd = .unknown) throws -> [Event] {
        let jail = try #require(Jail("honest"))
        return range.compactMap { number in
            Address("2001:db8:\(String(number >> 16, radix: 16)):\(String(number & 0xffff, radix: 16))::1").map {
                Event(host: name, jail: jail, action: .ban, address: $0, end: end, cause: .detected)
            }
        }
    }

    /// Reports bans on a connection of its own, 5 ms after each answer, until the deadline and at least one.
    ///
    /// - Parameter first: the number of the first ban: as many as were reported before.
    /// - Returns: how long each waited for its acknowledgement.
    func report(from first: Int, until deadline: ContinuousClock.Instant) throws -> [Duration] {
        let socket = try cluster.dealer(keys, in: try Context())
        var waits: [Duration] = []
        // The first one also waits for the connection.
        _ = try ask(Message(.query, ["what": "bans", "after": "ffff::"]), socket)
        repeat {
            let number = first + waits.count
            // They end soon, so that the longest run stays below `maxholds`.
            let end = BanEnd.at(Timestamp.present.advanced(byMilliseconds: 20_000))
            let entries = try bans(number..<(number + 1), until: end).map { Report.Entry(position: UInt64(number + 1), $0) }
            let start = ContinuousClock.now
            let answer = try Acknowledgement(ask(Report(stream: stream, now: .present, entries: entries).message, socket))
            waits.append(ContinuousClock.now - start)
            #expect(answer.refused.isEmpty && answer.position == UInt64(number + 1))
            var none = PollSet()
            try none.wait(until: .now + .milliseconds(5))
        } while ContinuousClock.now < deadline
        return waits
    }

    private func ask(_ message: Message, _ socket: borrowing Socket) throws -> Message {
        _ = try socket.send([[]] + message.frames)
        let answer = try #require(try socket.next(by: .now + .seconds(60)), "no answer to an honest host")
        let message = try Message(frames: Array(answer.frames.dropFirst()))
        try #require(RequestRefusal(message) == nil, "an honest host is refused: \(RequestRefusal(message)?.reason ?? "")")
        return message
    }
}

/// Told from one thread to another, once.
final class Finished: Sendable {
    private let value = Atomic(false)

    var isTrue: Bool { value.load(ordering: .relaxed) }

    func set() { value.store(true, ordering: .relaxed) }
}

extension [Duration] {
    /// The one in the middle.
    var median: Duration { isEmpty ? .zero : sorted()[count / 2] }
}

extension Timestamp {
    /// What the system's clock shows.
    static var present: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
