// Hostile peers: whatever they send, the publisher stays up and small, and its journal holds only what was admitted.

import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

/// What the environment asks for; scripts/hostile sets it.
private enum HostileSettings {
    /// Random and mutated messages.
    static let messages = getenv("HOSTILE_MESSAGES").flatMap { Int(String(cString: $0)) } ?? 20_000
}

@Suite(.serialized) struct HostilePeerTests {
    /// Bytes that the publisher may have allocated more than before: the moles' 5,000 holds each at 1 KiB, what its bounded queues take,
    /// and what the allocator keeps. It does not depend on the number of messages.
    private static let mostGrowth = 64 << 20
    /// Bytes of the log: what peers cause is said at a bounded rate.
    private static let longestLog = 4 << 20

    @Test func thePublisherOutlivesWhateverPeersSendAndItsJournalHoldsOnlyWhatWasAdmitted() async throws {
        let keys = "auth = yes\nauthtoken = token\nmaxholds = 5000\n[general]\nloglevel = notice"
        try await LoopbackCluster.with(plain: true, publisherKeys: keys) { cluster in
            let publisher = RunningProcess(try cluster.pid(of: "publisher"))
            let honest = try await HonestHost("web2", in: cluster)
            let revoked = try await cluster.authorize("gone")
            try await LoopbackCluster.program("fail2ban-cluster", "revoke", "gone", "-c", cluster.configuration)
            var moles: [(Hostname, KeyPair)] = []
            for number in 1...8 { moles.append((try #require(Hostname("mole\(number)")), try await cluster.authorize("mole\(number)"))) }
            let hosts = moles
            let victim = try #require(try honest.bans(900_000..<900_001).first)

            let finished = Finished()
            let before = publisher.anonymousMemory
            let start = ContinuousClock.now
            async let waits = onThread { () throws -> [Duration] in
                var waits: [Duration] = []
                repeat {
                    waits += try honest.report(from: waits.count, until: .now + .milliseconds(500))
                } while !finished.isTrue
                return waits
            }
            var keeper = try await onThread {
                defer { finished.set() }
                return try Self.attack(cluster, hosts, revoked: revoked, victim: victim)
            }
            let reported = try await waits
            let took = ContinuousClock.now - start
            let growth = publisher.anonymousMemory - before

            try keeper.audit(
                cluster.directory + "/journal.sqlite", keyed: Set(hosts.map { "\($0.0)" } + ["web1", "web2"]),
                honest: try honest.bans(0..<reported.count))
            print(
                "\(HostileSettings.messages) messages in \(took): \(keeper.rows) rows, \(keeper.admitted) of them admitted;",
                "RssAnon \(before >> 10) KiB before, \((before + growth) >> 10) KiB after;",
                "an honest host's \(reported.count) reports waited \(reported.median)")
            #expect(keeper.problems.isEmpty)
            #expect(keeper.admitted > HostileSettings.messages / 100)
            #expect(growth < Self.mostGrowth || Sanitizer.takesMemory)
            #expect(try cluster.pid(of: "publisher") == publisher.pid)
            #expect(publisher.isAlive)
            #expect(cluster.log.utf8.count < Self.longestLog && !cluster.log.contains(Strangers.prize))
        }
    }

    @Test func bytesThatWereRecordedAreNotHeardAgain() async throws {
        try await LoopbackCluster.with { cluster in
            let keys = try await cluster.authorize("web2")
            let requests = cluster.endpoints[0]
            // The thread alone accepts; the number never changes.
            nonisolated(unsafe) let port = try TakenPort()
            let finished = Finished()
            // Whoever stands in between, and writes down all that a host says.
            async let recording = onThread { () throws -> [[UInt8]] in
                let (host, publisher) = (try port.accept(), try RawConnection(requests))
                var said: [[UInt8]] = []
                while !finished.isTrue {
                    let bytes = host.receive(within: 20)
                    if !bytes.isEmpty {
                        said.append(bytes)
                        publisher.send(bytes)
                    }
                    host.send(publisher.receive(within: 20))
                }
                return said
            }
            let socket = try Socket(.dealer, in: try Context())
            try socket.curveClient(own: keys, server: cluster.publisher)
            try socket.connect("tcp://127.0.0.1:\(port.number)")
            let prize = try #require(Address(Strangers.prize))
            _ = try socket.send([[]] + Order(.ban, now: .present, addresses: [prize]).message.frames)
            let answer = try socket.next(by: .now + .seconds(30))
            finished.set()
            let said = try await recording
            #expect(try Message(frames: Array(try #require(answer).frames.dropFirst())).verb == .acknowledged)
            try await LoopbackCluster.program("fail2ban-cluster", "unban", Strangers.prize, "-c", cluster.configuration)

            for isAtOnce in [true, false] {
                let again = try RawConnection(requests)
                if isAtOnce { again.send(said.flatMap(\.self)) }
                for bytes in said where !isAtOnce {
                    again.send(bytes)
                    _ = again.receive()
                }
                #expect(again.isClosed(by: .now + .seconds(60)))
            }
            let bans = try await LoopbackCluster.program("fail2ban-cluster", "bans", "-c", cluster.configuration)
            #expect(said.flatMap(\.self).count > 600 && !bans.contains(Strangers.prize))
        }
    }

    /// Sends the messages.
    /// - Returns: what of it may be in the journal.
    private static func attack(
        _ cluster: LoopbackCluster, _ hosts: [(Hostname, KeyPair)], revoked: KeyPair, victim: Event
    ) throws -> JournalKeeper {
        var nonsense = Nonsense()
        var keeper = JournalKeeper()
        let context = try Context()
        let first = try #require(hosts.first)
        let strangers = try Strangers(cluster, revoked: revoked, authorized: first.1)
        let old = try Socket(.dealer, in: context)
        try old.connect(cluster.endpoints[2])
        var term = Term(id: 7)
        let asking = try cluster.dealer(first.1, in: context)
        _ = try asking.send([[]] + Message(.query, ["what": "bans"]).frames)
        let answer = try #require(try asking.next(by: .now + .seconds(60))).frames
        if let theirs = try Message(frames: Array(answer.dropFirst())).header.term { term = theirs }

        let moles = try hosts.map { try Mole($0.0, $0.1, in: cluster, context) }
        var isPlainWaiting = false
        for number in 0..<HostileSettings.messages {
            if number % 4000 == 0 { try strangers.tryAll(&nonsense) }
            if nonsense.number(0...9) == 0 {
                let frame = nonsense.plainFrame()
                keeper.note(plain: frame)
                if isPlainWaiting { #expect(try #require(try old.next(by: .now + .seconds(60)), "no answer").frames.count == 2) }
                isPlainWaiting = try old.send([[], frame])
            } else {
                let mole = moles[number % moles.count]
                let frames = mole.next(number, &nonsense, term: term, victim: victim)
                let hasEnvelope = nonsense.number(0...19) > 0
                // An empty frame in front of a request that has none is one, too.
                keeper.note(hasEnvelope || frames.first != [] ? frames : Array(frames.dropFirst()), from: mole.name)
                try mole.send(frames, hasEnvelope: hasEnvelope)
            }
        }
        for mole in moles { try mole.readAnswer() }
        let answers = moles.reduce(into: [:]) { $0.merge($1.answers, uniquingKeysWith: +) }
        let forgeries = moles.reduce(0) { $0 + $1.forgeriesRefused }
        print("answers: \(answers.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
        #expect(forgeries > 0)
        // Nothing of the grammar was left out.
        for verb in ["ACK", "JSON", "OK", "SNAPSHOT", "NAK malformed", "NAK version", "NAK verb"] {
            #expect(answers[verb, default: 0] > 0, "\(verb)")
        }
        return keeper
    }
}
