// Hostile peers: a host with an authorised key that sends as much as its connections take.

import Synchronization
import TestSupport
import Testing
import Wire
import ZeroMQ

/// What an authorised host may flood its publisher with.
enum Flood: String, CaseIterable, CustomTestStringConvertible {
    /// Reports of one ban each.
    case smallReports
    /// Reports of as many bans as fit, each of which moves an end.
    case largeReports
    /// Reports of as many lines as fit, all in another host's name: each is journalled as refused.
    case forgedReports
    /// Lists of what it holds, never finished.
    case lists
    /// Questions with the longest answers.
    case questions
    /// All bans, from the first page on, again and again.
    case snapshots

    var testDescription: String { rawValue }

    /// One request. Those of a kind differ only as far as they must so that the publisher takes each seriously.
    func request(_ number: Int, from host: Hostname) throws -> Message {
        let jail = try #require(Jail("flood"))
        let now = Timestamp.present
        func event(_ index: Int, of host: Hostname, _ cause: Event.Cause) -> Event? {
            Address(ipv4: 0xc612_0000 | UInt32(index & 0xffff), prefixLength: 32).map {
                Event(
                    host: host, jail: jail, action: .ban, address: $0, seen: now, end: .at(now.advanced(byMilliseconds: 3_600_000)),
                    cause: cause)
            }
        }
        func report(_ count: Int, of host: Hostname) -> Message {
            let entries = (0..<count).compactMap { index in
                event(index, of: host, .detected).map { Report.Entry(position: UInt64(number * count + index + 1), $0) }
            }
            return Report(stream: "flood-\(rawValue)", now: now, entries: entries).message
        }
        switch self {
        case .smallReports: return report(1, of: host)
        case .largeReports: return report(700, of: host)
        case .forgedReports: return report(700, of: try #require(Hostname("web1")))
        case .lists:
            return HoldsPage(
                stream: "flood", position: 1, now: now, madeAt: now, id: "list-\(number)", page: 1, isLast: false, isComplete: true,
                bans: (0..<700).compactMap { event($0, of: host, .held) }
            ).message
        case .questions: return Message(.query, ["what": "bans"])
        case .snapshots: return SyncRequest(term: nil, last: 0, wantsAll: true, after: nil).message
        }
    }
}

/// Sends without waiting for answers, which it reads as they come.
final class FloodingHost: Sendable {
    private let cluster: LoopbackCluster
    private let keys: KeyPair
    private let name: Hostname
    private let isOver = Atomic(false)
    private let hasAnswer = Atomic(false)

    init(_ name: String, in cluster: LoopbackCluster) async throws {
        self.name = try #require(Hostname(name))
        self.cluster = cluster
        keys = try await cluster.authorize(name)
    }

    /// Whether the first answer has come.
    var isFlooding: Bool { hasAnswer.load(ordering: .relaxed) }

    /// Ends ``run(_:from:)``.
    func stop() { isOver.store(true, ordering: .relaxed) }

    /// Floods until ``stop()``.
    ///
    /// - Parameter first: the number of its first request: as many as were sent before.
    /// - Returns: how many requests left, and how many were answered.
    func run(_ flood: Flood, from first: Int) throws -> (sent: Int, answered: Int) {
        isOver.store(false, ordering: .relaxed)
        hasAnswer.store(false, ordering: .relaxed)
        let socket = try cluster.dealer(keys, in: try Context())
        // More than the publisher takes of one peer, so that there is always something to read.
        try socket.sendHighWater(200)
        var count = (sent: 0, answered: 0)
        // Ready made, so that the flood is not held up by its maker.
        let bodies = try (0..<64).map { try flood.request(first + $0, from: name) }
        while !isOver.load(ordering: .relaxed) {
            var message = bodies[count.sent % bodies.count]
            // A stream or a list of its own makes what was sent before new.
            if message.header["stream"] != nil { message.header["stream"] = "flood-\(first + count.sent)" }
            if message.header["id"] != nil { message.header["id"] = "list-\(first + count.sent)" }
            if try socket.send([[]] + message.frames) {
                count.sent += 1
            } else {
                var polled = PollSet()
                polled.add(socket)
                polled.add(socket, .writable)
                try polled.wait(until: .now + .milliseconds(100))
            }
            while try socket.receive() != nil {
                count.answered += 1
                hasAnswer.store(true, ordering: .relaxed)
            }
        }
        return count
    }
}
