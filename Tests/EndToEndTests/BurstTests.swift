// Many bans at once through the shipped monitor and publisher: all of them arrive, in order, each once.

import TestSupport
import Testing
import Wire
import ZeroMQ

@Suite struct BurstTests {
    @Test func fiveThousandBansAtOnceArriveInOrderAndOnceAtASubscriberAndAtAnOldClient() async throws {
        try await LoopbackCluster.with(plain: true) { cluster in
            let context = try Context()
            let subscriber = try cluster.subscriber(in: context)
            let old = try Socket(.subscriber, in: context)
            try old.receiveHighWater(0)
            try old.subscribe([])
            try old.connect(cluster.endpoints[3])
            let deadline = ContinuousClock.now + .seconds(30)

            // A subscription is there when something comes through it: a beat, and for the old client the first ban.
            _ = try #require(try subscriber.next(by: deadline))
            var isSubscribed = false
            for i in 0..<100 where !isSubscribed {
                try cluster.appendToLog([LoopbackCluster.banLine("198.51.100.\(i)", jail: "warm-up")])
                isSubscribed = try old.next(by: .now + .milliseconds(200)) != nil
            }
            #expect(isSubscribed)

            let addresses = (0..<5000).map { "2001:db8:\(String($0, radix: 16))::1" }
            try cluster.appendToLog(addresses.map { LoopbackCluster.banLine($0) })

            var announced: [String] = []
            var numbers: [UInt64] = []
            while announced.count < addresses.count, let delivery = try subscriber.next(by: deadline) {
                let frame = try #require(delivery.frames.first)
                for event in try Broadcast(frame: frame.span).events where event.jail.description == "sshd" {
                    announced.append("\(event.address)")
                    numbers.append(try #require(event.number))
                }
            }
            // Not compared with ==, whose message would be two lists of five thousand.
            #expect(announced.count == 5000)
            #expect(zip(announced, addresses).allSatisfy { $0 == Address($1)?.description })
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 + 1 == $1 })

            var plain: [String] = []
            while plain.count < addresses.count, let delivery = try old.next(by: deadline) {
                let line = String(decoding: delivery.frames[0], as: UTF8.self)
                if line.hasPrefix("web1|sshd|") { plain.append(line) }
            }
            #expect(plain.count == 5000)
            #expect(zip(plain, announced).allSatisfy { $0 == "web1|sshd|Ban|\($1)" })

            // Nothing comes twice: the next frame with something in it is the next ban.
            try cluster.appendToLog([LoopbackCluster.banLine("203.0.113.9", jail: "last")])
            var next: [String] = []
            while next.isEmpty, let delivery = try subscriber.next(by: deadline) {
                let frame = delivery.frames[0]
                next = try Broadcast(frame: frame.span).events.map { "\($0.jail) \($0.address)" }
            }
            #expect(next == ["last 203.0.113.9"])
        }
    }
}
