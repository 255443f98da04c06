// A running cluster on loopback whose three daemons are looked at before and after something was done to it.

import FoundationEssentials
import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

/// Publisher, monitor and subscriber (`dry-run`) of a ``LoopbackCluster``, with the plain endpoints, and a key of a host that has every
/// role.
struct WatchedCluster: Sendable {
    let cluster: LoopbackCluster
    /// The key of the host `mole`.
    let mole: KeyPair
    private let processes: [RunningProcess]
    private let memory: [Int]

    /// Of processor time that an idle daemon may use. A loop that is busy uses all of it; ours use less than a hundredth.
    private static let mostLoad = 0.2
    /// Bytes that a daemon may have more in RAM than before: queues are bounded, and the allocator keeps some.
    private static let mostGrowth = 128 << 20
    /// Bytes of a log: what a peer or a line causes is said at a bounded rate.
    private static let longestLog = 4 << 20

    /// Makes the cluster, runs `body`, and sees that the daemons are unharmed.
    static func with(_ body: (WatchedCluster) async throws -> Void) async throws {
        try await LoopbackCluster.with(plain: true, publisherKeys: "auth = yes\nauthtoken = token") { cluster in
            let mole = try await cluster.authorize("mole")
            try await cluster.withSubscriber("subscriberaction = dry-run") {
                let watched = try WatchedCluster(cluster, mole)
                try await body(watched)
                try await watched.expectUnharmed()
            }
        }
    }

    private init(_ cluster: LoopbackCluster, _ mole: KeyPair) throws {
        self.cluster = cluster
        self.mole = mole
        processes = try Self.processes(of: cluster)
        memory = processes.map(\.residentMemory)
    }

    /// By their pid files, in the order of ``DaemonProgram/allCases``.
    private static func processes(of cluster: LoopbackCluster) throws -> [RunningProcess] {
        try DaemonProgram.allCases.map { program in
            let text = try String(contentsOfFile: "\(cluster.directory)/\(program.rawValue).pid", encoding: .utf8)
            return RunningProcess(try #require(pid_t(text.dropLast())))
        }
    }

    /// A socket with the mole's key at the publisher's endpoint for requests.
    func dealer(in context: Context) throws -> Socket { try cluster.dealer(mole, in: context) }

    /// The answer to a good request, from a new connection. It is taken after all that the publisher had received before.
    func answerToQuery() throws -> Message? {
        let socket = try dealer(in: try Context())
        let end = ContinuousClock.now + .seconds(60)
        while true {
            _ = try socket.send([[]] + Message(.query, ["what": "bans"]).frames)
            guard let frames = try socket.next(by: end)?.frames else { return nil }
            let answer = try Message(frames: Array(frames.dropFirst()))
            // Its host has sent too much: it asks again after a pause, as all clients do. Nothing else comes meanwhile.
            guard RequestRefusal(answer)?.code == .busy else { return answer }
            #expect(try socket.next(by: min(end, .now + .milliseconds(100))) == nil)
        }
    }

    /// Waits until no daemon has work to do any more.
    func awaitRest(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await eventually(
            "each daemon uses little processor time for two seconds", within: .seconds(120), sourceLocation: sourceLocation
        ) {
            let before = processes.map(\.processorTime)
            // Only time itself shows that nothing happens in it.
            try await Task.sleep(for: .seconds(2))
            return zip(processes, before).allSatisfy { $0.processorTime - $1 < .seconds(2) * Self.mostLoad }
        }
    }

    /// An honest ban still reaches subscribers, the processes are those of before, and they are small and idle.
    private func expectUnharmed() async throws {
        let context = try Context()
        let subscriber = try cluster.subscriber(in: context)
        _ = try #require(try subscriber.next(by: .now + .seconds(60)), "no beat")
        try cluster.appendToLog([LoopbackCluster.banLine("203.0.113.250", jail: "honest")])
        let deadline = ContinuousClock.now + .seconds(60)
        var isAnnounced = false
        while !isAnnounced, let delivery = try subscriber.next(by: deadline) {
            let frame = delivery.frames[0]
            isAnnounced = try Broadcast(frame: frame.span).events.contains { $0.jail.description == "honest" && $0.action == .ban }
        }
        #expect(isAnnounced, "an honest ban does not arrive")
        try await eventually("the subscriber enforces the honest ban", within: .seconds(60)) {
            cluster.log.contains("would ban 203.0.113.250 ")
        }
        try await awaitRest()
        #expect(try Self.processes(of: cluster) == processes)
        #expect(processes.map(\.isAlive) == [true, true, true])
        for (process, before) in zip(processes, memory) {
            #expect(process.residentMemory - before < Self.mostGrowth || Sanitizer.takesMemory, "\(process.arguments)")
        }
        #expect(cluster.log.utf8.count < Self.longestLog)
    }
}
