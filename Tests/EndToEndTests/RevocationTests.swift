// Keys that are taken away or given while the publisher runs: the one is cut off at once, the others lose nothing.

import FoundationEssentials
import TestSupport
import Testing
import Wire
import ZeroMQ

@Suite struct RevocationTests {
    private func subscriber(_ cluster: LoopbackCluster, _ keys: KeyPair, in context: Context) throws -> Socket {
        let socket = try Socket(.subscriber, in: context)
        try socket.curveClient(own: keys, server: cluster.publisher)
        try socket.subscribe([])
        try socket.connect(cluster.endpoints[1])
        return socket
    }

    /// Receives until an announcement of the jail comes.
    private func hears(_ jail: String, _ socket: borrowing Socket) throws -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while let delivery = try socket.next(by: deadline) {
            let frame = delivery.frames[0]
            if try Broadcast(frame: frame.span).events.contains(where: { $0.jail.description == jail }) { return true }
        }
        return false
    }

    @Test func aRevokedKeysOpenConnectionsHearNothingMoreAndTheOthersGoOn() async throws {
        try await LoopbackCluster.with { cluster in
            let mole = try await cluster.authorize("mole")
            let context = try Context()
            let honest = try cluster.subscriber(in: context)
            let other = try subscriber(cluster, mole, in: context)
            let asking = try cluster.dealer(mole, in: context)
            #expect(try honest.next(by: .now + .seconds(60)) != nil && other.next(by: .now + .seconds(60)) != nil)
            _ = try asking.send([[]] + Message(.query, ["what": "bans"]).frames)
            #expect(try asking.next(by: .now + .seconds(60)) != nil)

            try await LoopbackCluster.program("fail2ban-cluster", "revoke", "mole", "-c", cluster.configuration)
            try await eventually("the connections are made anew") { cluster.log.contains("all connections are made anew") }
            // This subscriber asks for nothing that it missed, so it must be back before something is announced.
            while try honest.receive() != nil {}
            #expect(try honest.next(by: .now + .seconds(60)) != nil)
            try cluster.appendToLog([LoopbackCluster.banLine("203.0.113.7", jail: "after")])
            #expect(try hears("after", honest))
            // What came before the cut may still wait.
            while let delivery = try other.receive() {
                let frame = delivery.frames[0]
                #expect(try Broadcast(frame: frame.span).events.isEmpty)
            }
            _ = try asking.send([[]] + Message(.query, ["what": "bans"]).frames)
            #expect(try asking.next(by: .now + .seconds(2)) == nil)
        }
    }

    @Test func whatAStolenKeyBannedIsWithdrawnAndTheRestStays() async throws {
        try await LoopbackCluster.with { cluster in
            let mole = try await cluster.authorize("mole")
            let bans = ["203.0.113.1", "203.0.113.2"].map { "mole|sshd|Ban|\($0)|-|-|-|-|detected" }
            #expect(try cluster.report(bans, with: mole).refused.isEmpty)
            try cluster.appendToLog([LoopbackCluster.banLine("203.0.113.2"), LoopbackCluster.banLine("203.0.113.3")])
            func banned() async throws -> [String] {
                try await LoopbackCluster.program("fail2ban-cluster", "bans", "-c", cluster.configuration).split(separator: "\n")
                    .compactMap { $0.split(separator: " ").first.map(String.init) }.filter { $0.hasPrefix("203") }
            }
            try await eventually("all bans") { try await banned() == ["203.0.113.1", "203.0.113.2", "203.0.113.3"] }
            let text = try await LoopbackCluster.program("fail2ban-cluster", "revoke", "mole", "--withdraw", "-c", cluster.configuration)
            #expect(text.hasSuffix("withdrawn: all that mole banned\n"))
            let left = try await banned()
            #expect(left == ["203.0.113.2", "203.0.113.3"])
        }
    }

    @Test func aKeyThatIsGivenBreaksNoConnection() async throws {
        try await LoopbackCluster.with { cluster in
            let context = try Context()
            let honest = try cluster.subscriber(in: context)
            #expect(try honest.next(by: .now + .seconds(60)) != nil)
            _ = try await cluster.authorize("newcomer")
            try await eventually("the publisher knows") { cluster.log.contains("authorized_hosts was changed") }
            try cluster.appendToLog([LoopbackCluster.banLine("203.0.113.7", jail: "after")])
            #expect(try hears("after", honest))
            #expect(!cluster.log.contains("all connections are made anew"))
        }
    }

    @Test func aMistakeInTheFileChangesNothing() async throws {
        try await LoopbackCluster.with { cluster in
            let path = cluster.directory + "/keys/authorized_hosts"
            let good = try String(contentsOfFile: path, encoding: .utf8)
            try (good + "nonsense\n").write(toFile: path, atomically: true, encoding: .utf8)
            try await eventually("the mistake is told") { cluster.log.contains("the keys stay as they were") }
            let context = try Context()
            let honest = try cluster.subscriber(in: context)
            #expect(try honest.next(by: .now + .seconds(60)) != nil)
        }
    }
}
