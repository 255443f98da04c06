// Clients of fail2ban-zmq-tools at the shipped publisher, as plain ZeroMQ frames.

import TestSupport
import Testing
import Wire
import ZeroMQ

@Suite struct OldClientTests {
    /// What such a client's REQ socket gets for one frame.
    private func answer(to frame: String, at endpoint: String, in context: Context) throws -> String? {
        let socket = try Socket(.request, in: context)
        try socket.connect(endpoint)
        _ = try socket.send([Array(frame.utf8)])
        return try socket.next(by: .now + .seconds(10)).map { String(decoding: $0.frames[0], as: UTF8.self) }
    }

    @Test func anOldMonitorIsEchoedAnOldSubscriberHearsItAndNonsenseIsNak() async throws {
        try await LoopbackCluster.with(plain: true, publisherKeys: "auth = true\nauthtoken = first,second") { cluster in
            let context = try Context()
            let subscriber = try cluster.subscriber(in: context)
            _ = try #require(try subscriber.next(by: .now + .seconds(10)))
            let requests = cluster.endpoints[2]

            #expect(try answer(to: "second|old1|sshd|Ban|192.0.2.77", at: requests, in: context) == "old1|sshd|Ban|192.0.2.77")
            var heard: [Event] = []
            while heard.isEmpty, let delivery = try subscriber.next(by: .now + .seconds(10)) {
                let frame = delivery.frames[0]
                heard = try Broadcast(frame: frame.span).events
            }
            #expect(heard.map { "\($0.host) \($0.jail) \($0.action.rawValue) \($0.address)" } == ["old1 sshd Ban 192.0.2.77"])

            for frame in [
                "third|old1|sshd|Ban|192.0.2.78", "old1|sshd|Ban|192.0.2.78", "first|old1|sshd|Ban", "first|web1|sshd|Ban|192.0.2.78",
                "first|old1|sshd|Ban|1.2.3", "first|old1|sshd|Flush|192.0.2.78", "first|old1|fail2ban-cluster|Ban|192.0.2.78",
                String(repeating: "x", count: 3000), "",
            ] {
                #expect(try answer(to: frame, at: requests, in: context) == "NAK", "\(frame.prefix(60))")
            }
            #expect(cluster.log.contains("NAK to the old client at 127.0.0.1: wrong token"))
            #expect(!cluster.log.contains("first|"), "a token is in the log")
        }
    }
}
