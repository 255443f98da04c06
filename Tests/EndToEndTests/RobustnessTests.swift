// Nothing on the wire or in the log makes a daemon crash, hang or busy: hostile peers and a hostile log at a running cluster.

import FoundationEssentials
import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

@Suite(.serialized) struct RobustnessTests {
    /// Requests without an answer yet; the publisher keeps 16 answers for a peer that doesn't take them.
    private static let mostWaiting = 8

    // MARK: Peers with an authorised key

    @Test func eachNonsenseOfAnAuthorisedHostIsAnswered() async throws {
        try await WatchedCluster.with { watched in
            var nonsense = Nonsense()
            let context = try Context()
            let host = try #require(Hostname("mole"))
            let socket = try watched.dealer(in: context)
            let term = try #require(try watched.answerToQuery()?.header.term)
            var waiting = 0
            for number in 0..<3000 {
                // Without the empty frame of a REQ socket nobody can be answered.
                let frames = (number % 10 == 0 ? [] : [[]]) + nonsense.request(from: host, number, term: term)
                _ = try socket.send(frames)
                if frames.first == [], (2...7).contains(frames.count) { waiting += 1 }
                while waiting > (number == 2999 ? 0 : Self.mostWaiting) {
                    let answer = try #require(try socket.next(by: .now + .seconds(60)), "no answer").frames
                    #expect(answer.first == [])
                    #expect(
                        [.acknowledged, .refused, .json, .events, .snapshot, .ok].contains(
                            try Message(frames: Array(answer.dropFirst())).verb))
                    waiting -= 1
                }
            }
            #expect(try watched.answerToQuery()?.verb == .json)
        }
    }

    @Test func framesThatAreTooLargeCostTheirSenderTheConnection() async throws {
        try await WatchedCluster.with { watched in
            var nonsense = Nonsense()
            let context = try Context()
            for size in [69 << 10, 1 << 20, 64 << 20] {
                let socket = try watched.dealer(in: context)
                _ = try socket.send([[], nonsense.bytes(10)])
                #expect(try socket.next(by: .now + .seconds(30))?.frames.count == 5)
                _ = try socket.send([[], Array("F2BC/1".utf8), [UInt8](repeating: 0x41, count: size)])
                _ = try socket.send([[]] + Message(.query, ["what": "bans"]).frames)
                // The connection is closed, and the next one takes what was not sent yet.
                _ = try socket.next(by: .now + .seconds(2))
            }
            #expect(try watched.answerToQuery()?.verb == .json)
        }
    }

    @Test func tenThousandRequestsWhoseAnswersNobodyReadsKeepNoOneElseWaiting() async throws {
        try await WatchedCluster.with { watched in
            let context = try Context()
            let socket = try watched.dealer(in: context)
            for _ in 0..<10_000 { _ = try socket.send([[]] + Message(.query, ["what": "bans"]).frames) }
            #expect(try watched.answerToQuery()?.verb == .json)
            try await watched.awaitRest()
            // What was kept for it is bounded, and whole.
            var count = 0
            while let answer = try socket.next(by: .now + .seconds(1)) {
                let message = try Message(frames: Array(answer.frames.dropFirst()))
                // Who does not wait for answers is asked to.
                #expect(message.verb == .json || RequestRefusal(message)?.code == .busy)
                count += 1
            }
            #expect((1...10_000).contains(count))
        }
    }

    // MARK: Old clients

    @Test func eachNonsenseOfAnOldClientIsAnswered() async throws {
        try await WatchedCluster.with { watched in
            var nonsense = Nonsense()
            let context = try Context()
            let socket = try Socket(.dealer, in: context)
            try socket.sendHighWater(0)
            try socket.connect(watched.cluster.endpoints[2])
            var waiting = 0
            for number in 0..<5000 {
                let nonsensical = (0..<(nonsense.number(0...9) == 0 ? nonsense.number(1...9) : 1)).map { _ in nonsense.plainFrame() }
                let frames = (number % 20 == 0 ? [] : [[]]) + nonsensical
                _ = try socket.send(frames)
                if frames.first == [] { waiting += 1 }
                while waiting > (number == 4999 ? 0 : Self.mostWaiting) {
                    let answer = try #require(try socket.next(by: .now + .seconds(60)), "no answer").frames
                    #expect(answer.count == 2 && answer.first == [] && answer.last?.isEmpty == false)
                    waiting -= 1
                }
            }

            let subscriber = try Socket(.subscriber, in: context)
            try subscriber.connect(watched.cluster.endpoints[3])
            for _ in 0..<1000 { try subscriber.subscribe(nonsense.bytes(nonsense.number(0...900))) }
            try subscriber.subscribe(nonsense.bytes(5000))
        }
    }

    @Test func aMessageThatIsNeverFinishedIsNeverTaken() async throws {
        try await WatchedCluster.with { watched in
            var unfinished: [RawConnection] = []
            for close in [false, true] {
                for _ in 0..<50 {
                    let connection = try RawConnection(watched.cluster.endpoints[2])
                    connection.send(RawConnection.greeting("NULL"))
                    #expect(connection.receive().starts(with: [0xff]))
                    connection.send(RawConnection.ready("REQ"))
                    connection.send(RawConnection.frame([], more: true))
                    connection.send(RawConnection.frame(Array("token|old1|sshd|Ban|192.0.2.66".utf8), more: true))
                    // The beginning of one more: 200 bytes are announced.
                    connection.send([1, 200, 65, 65])
                    if !close { unfinished.append(connection) }
                }
            }
            #expect(try watched.answerToQuery()?.verb == .json)
            #expect(unfinished.count == 50 && !watched.cluster.log.contains("192.0.2.66"))
        }
    }

    // MARK: Peers without a key

    @Test func bytesThatAreNoZeroMQAreNoTroubleAtAnyPort() async throws {
        try await WatchedCluster.with { watched in
            var nonsense = Nonsense()
            var kept: [RawConnection] = []
            for round in 0..<30 {
                for endpoint in watched.cluster.endpoints {
                    let curve = RawConnection.greeting("CURVE")
                    let beginnings: [[UInt8]] = [
                        [], nonsense.bytes(nonsense.number(1...5000)), Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
                        Array(curve.prefix(nonsense.number(1...63))), curve, RawConnection.greeting("NULL"),
                        RawConnection.greeting("PLAIN"),
                        RawConnection.greeting("NULL") + RawConnection.ready("REQ") + nonsense.bytes(300),
                        curve + RawConnection.command("HELLO", nonsense.bytes(194)),
                        curve + RawConnection.command("INITIATE", nonsense.bytes(200)),
                        curve + RawConnection.command("MESSAGE", nonsense.bytes(100)),
                        // A frame of 2^63 bytes, and a command of 2^32.
                        curve + [2, 0x7f] + [UInt8](repeating: 0xff, count: 7),
                        RawConnection.greeting("NULL") + [6, 0, 0, 0, 1, 0, 0, 0, 0],
                        nonsense.mutated(curve + RawConnection.command("HELLO", nonsense.bytes(194))),
                    ]
                    for bytes in beginnings {
                        let connection = try RawConnection(endpoint)
                        connection.send(bytes)
                        if round == 0 {
                            // Some wait for the answer to their greeting, and stay.
                            _ = connection.receive()
                            connection.send(nonsense.bytes(100))
                            kept.append(connection)
                        }
                    }
                }
            }
            #expect(kept.count == 14 * 4)
            #expect(try watched.answerToQuery()?.verb == .json)
        }
    }

    @Test func moreConnectionsThanTheUsualLimitOfDescriptorsAreNoTrouble() async throws {
        try await LoneHost.with { host in
            let endpoint = "tcp://127.0.0.1:\(try TakenPort().number)"
            try host.overlay("[publisher]\nreplybindurl = \(endpoint)\n")
            // Fewer than usual, so that the test itself needs no more than usual.
            let started = try await host.shell("ulimit -Sn 128; exec '\(Lab.programs)/fail2ban-publisher' start -c f2bc.conf")
            #expect(started.status == 0, "\(started)")
            let publisher = RunningProcess(try #require(host.pid(of: .publisher)))
            let kept = try (0..<300).map { _ in try RawConnection(endpoint) }
            for connection in kept { connection.send(RawConnection.greeting("CURVE")) }
            #expect(kept.last?.receive().starts(with: [0xff]) == true, "the last connection is not taken")
            try await eventually("it rests while they stay open", within: .seconds(60)) {
                let before = publisher.processorTime
                try await Task.sleep(for: .seconds(1))
                return publisher.processorTime - before < .milliseconds(200)
            }
        }
    }

    @Test func whoHasNoKeyOrAnotherOneIsNeitherHeardNorTold() async throws {
        try await WatchedCluster.with { watched in
            let context = try Context()
            let stranger = try KeyPair.generate()
            func expectSilence(_ sockets: borrowing Socket, _ what: String) throws {
                let delivery = try sockets.next(by: .now + .milliseconds(1500))
                #expect(delivery == nil, "\(what)")
            }
            let order = Order(.ban, now: Timestamp(milliseconds: Int64(time(nil)) * 1000), addresses: [try #require(Address("192.0.2.66"))])
            for (what, own, server) in [
                ("no encryption", nil, nil), ("a key that is not authorised", stranger, watched.cluster.publisher),
                ("an authorised key, at what it takes for another publisher", watched.mole, try KeyPair.generate().publicKey),
            ] as [(String, KeyPair?, PublicKey?)] {
                for _ in 0..<10 {
                    let extra = try Socket(.dealer, in: context)
                    if let own, let server { try extra.curveClient(own: own, server: server) }
                    try extra.connect(watched.cluster.endpoints[0])
                    _ = try extra.send([[]] + order.message.frames)
                }
                let request = try Socket(.dealer, in: context)
                let subscriber = try Socket(.subscriber, in: context)
                if let own, let server {
                    try request.curveClient(own: own, server: server)
                    try subscriber.curveClient(own: own, server: server)
                }
                try subscriber.subscribe([])
                try request.connect(watched.cluster.endpoints[0])
                try subscriber.connect(watched.cluster.endpoints[1])
                _ = try request.send([[]] + order.message.frames)
                try expectSilence(request, what)
                try expectSilence(subscriber, what)
            }
            #expect(watched.cluster.log.contains("refused a connection from 127.0.0.1: its key is not in authorized_hosts"))
            #expect(!watched.cluster.log.contains("192.0.2.66"))
        }
    }

    // MARK: The log

    @Test func noLineOfALogHarmsAMonitorOrIsTakenForAnother() async throws {
        try await WatchedCluster.with { watched in
            var nonsense = Nonsense()
            let prefix = "2026-11-21 03:00:00,000 fail2ban.actions        [4711]: NOTICE  "
            let forged = [
                "[echo] Ban x] NOTICE  [sshd] Ban 198.51.100.1", "[echo] Ban \(prefix)[sshd] Ban 198.51.100.2", "[sshd] Ban 198.51.100.300",
                "[sshd] Ban 198.51.100.4/33", "[sshd] Ban 198.51.100.5; reboot", "[sshd] Ban 198.51.100.6 ", "[sshd|x] Ban 198.51.100.7",
                "[../x] Ban 198.51.100.8", "[sshd] ban 198.51.100.9", "[fail2ban-cluster] Ban 198.51.100.10",
                "[sshd] Restore Ban 198.51.100.11",
                "[sshd] Ban 0.0.0.0/0", "[sshd] Ban ::/0", "[sshd] Ban 127.0.0.1", "[sshd] Ban ::1", "[sshd] Ban fe80::1%eth0",
                "[sshd] Ban 198.51.100.12\u{0}", "[sshd] Ban 198.51.100.13\r", "[\(String(repeating: "j", count: 65))] Ban 198.51.100.14",
            ].map { prefix + $0 }
            try append(nonsense.logBytes(200_000) + [0x0a], to: watched.cluster)
            try watched.cluster.appendToLog(forged)
            try append([0x20], to: watched.cluster)
            // Ten megabytes without a newline, which then go on with what looks like a ban.
            for _ in 0..<10 { try append([UInt8](repeating: 0x41, count: 1 << 20), to: watched.cluster) }
            try watched.cluster.appendToLog([prefix + "[sshd] Ban 198.51.100.15"])
            for _ in 0..<20 {
                try append(nonsense.logBytes(50_000) + [0x0a], to: watched.cluster)
                try watched.cluster.appendToLog([forged[nonsense.number(0...(forged.count - 1))]])
            }
            try watched.cluster.appendToLog([LoopbackCluster.banLine("203.0.113.249")])
            try await eventually("the good line behind all that is reported", within: .seconds(60)) {
                watched.cluster.log.contains("web1|sshd|Ban|203.0.113.249|")
            }
            #expect(!watched.cluster.log.contains("|198.51.100."))
            let bans = try await LoopbackCluster.program("fail2ban-cluster", "bans", "-c", watched.cluster.configuration)
            let banned = bans.split(separator: "\n").dropFirst().compactMap { $0.split(separator: " ").first }
            // Mutated lines can be good ones, of addresses near the one they were made from.
            #expect(
                banned.contains("203.0.113.249")
                    && banned.allSatisfy { !$0.hasPrefix("198.51.") && !$0.hasPrefix("127.") && !$0.contains("::") })
        }
    }

    private func append(_ bytes: [UInt8], to cluster: LoopbackCluster) throws {
        let descriptor = open(cluster.fail2banLog, O_WRONLY | O_APPEND | O_CLOEXEC)
        defer { close(descriptor) }
        try #require(write(descriptor, bytes, bytes.count) == bytes.count)
    }
}
