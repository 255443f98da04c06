// The way between the stages: what a socket promises, on real libzmq over loopback.

import Glibc
import Testing
import ZeroMQ

@Suite struct SocketTests {
    @Test func bindTellsThePortThatItTook() throws {
        let context = try Context()
        let socket = try Socket(.router, in: context)
        let endpoint = try socket.bind("tcp://127.0.0.1:0")
        #expect(endpoint.hasPrefix("tcp://127.0.0.1:"))
        #expect(!endpoint.hasSuffix(":0"))
    }

    @Test func aTakenPortIsAnErrorThatNamesItAndAsksForAnotherPublisher() throws {
        let context = try Context()
        let first = try Socket(.router, in: context)
        let endpoint = try first.bind("tcp://127.0.0.1:0")
        let second = try Socket(.router, in: context)
        let error = #expect(throws: ZeroMQError.self) { try second.bind(endpoint) }
        #expect(error?.code == EADDRINUSE)
        #expect(error?.description.contains("bind \(endpoint)") == true)
        #expect(error?.hint?.contains("another publisher") == true)
    }

    @Test(arguments: ["nonsense", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:port"])
    func anEndpointThatIsNoneIsAnErrorWithItsForm(_ endpoint: String) throws {
        let context = try Context()
        let socket = try Socket(.request, in: context)
        let error = #expect(throws: ZeroMQError.self) { try socket.connect(endpoint) }
        #expect(error?.what == "connect to \(endpoint)")
    }

    @Test func aRequestAndItsAnswerKeepTheirFrames() throws {
        let context = try Context()
        let server = try Socket(.router, in: context)
        let endpoint = try server.bind("tcp://127.0.0.1:0")
        let client = try Socket(.request, in: context)
        try client.connect(endpoint)
        let request: [[UInt8]] = [bytes("F2BC/1"), bytes("REPORT"), [], Array(repeating: 7, count: 65536)]
        try send(request, on: client)
        var delivery = try nextDelivery(on: server)
        #expect(delivery.frames.count == 6)
        #expect(Array(delivery.frames.dropFirst(2)) == request)
        #expect(delivery.peerAddress == "127.0.0.1")
        #expect(delivery.userID == nil)
        #expect(try server.send([delivery.frames[0], [], bytes("ACK")]))
        delivery = try nextDelivery(on: client)
        #expect(delivery.frames == [bytes("ACK")])
        #expect(try server.receive() == nil)
    }

    @Test func framesBeyondTheMaximumAreDroppedAndTheNextMessageIsWhole() throws {
        let context = try Context()
        let server = try Socket(.dealer, in: context)
        let endpoint = try server.bind("tcp://127.0.0.1:0")
        let client = try Socket(.dealer, in: context)
        try client.connect(endpoint)
        try send(Array(repeating: [1], count: 1000), on: client)
        try send([[2]], on: client)
        let truncated = try nextDelivery(on: server)
        #expect(truncated.frames.count == Socket.defaultMaximumFrames)
        #expect(truncated.isTruncated)
        let whole = try nextDelivery(on: server)
        #expect(whole.frames == [[2]])
        #expect(!whole.isTruncated)
    }

    @Test func aPortIsFreeAgainWhenUnbindReturns() throws {
        let context = try Context()
        var endpoint = "tcp://127.0.0.1:0"
        for _ in 0..<50 {
            let server = try Socket(.router, in: context)
            endpoint = try server.bind(endpoint)
            try server.unbind(endpoint)
        }
        let socket = try Socket(.router, in: context)
        let error = #expect(throws: ZeroMQError.self) { try socket.unbind(endpoint) }
        #expect(error?.code == ENOENT)
    }

    @Test func aFrameThatIsTooLargeDisconnectsItsSenderAndNoOneElse() throws {
        let context = try Context()
        let server = try Socket(.router, in: context)
        try server.maximumMessageSize(1000)
        let endpoint = try server.bind("tcp://127.0.0.1:0")
        let careless = try Socket(.dealer, in: context)
        // The connection counts only while it stands, so the end of it can be waited for.
        try careless.immediate()
        try careless.reconnectInterval(min: .seconds(60), max: .seconds(60))
        try careless.connect(endpoint)
        let careful = try Socket(.dealer, in: context)
        try careful.connect(endpoint)
        try send([Array(repeating: 1, count: 1000)], on: careless)
        #expect(try nextDelivery(on: server).frames.last?.count == 1000)
        try send([Array(repeating: 1, count: 1001)], on: careless)
        let deadline = ContinuousClock.now + patience
        while try careless.send([[3]]), ContinuousClock.now < deadline { sched_yield() }
        #expect(ContinuousClock.now < deadline)
        try send([[2]], on: careful)
        #expect(try nextDelivery(on: server).frames.last == [2])
    }

    @Test func atTheHighWaterMarkSendSaysNoAndNothingWasSent() throws {
        let context = try Context()
        let client = try Socket(.dealer, in: context)
        try client.sendHighWater(3)
        let server = try Socket(.dealer, in: context)
        let endpoint = try server.bind("tcp://127.0.0.1:0")
        try server.unbind(endpoint)
        try client.connect(endpoint)
        for number in 1...3 as ClosedRange<UInt8> { #expect(try client.send([[number], [number]])) }
        #expect(try !client.send([[4], [4]]))
        try server.bind(endpoint)
        for number in 1...3 as ClosedRange<UInt8> { #expect(try nextDelivery(on: server).frames == [[number], [number]]) }
        try send([[5], [5]], on: client)
        #expect(try nextDelivery(on: server).frames == [[5], [5]])
    }

    @Test func aClientIsBackByItselfAfterItsServerRestarted() throws {
        let context = try Context()
        let client = try Socket(.dealer, in: context)
        try client.reconnectInterval(min: .milliseconds(10), max: .milliseconds(40))
        var endpoint = "tcp://127.0.0.1:0"
        for round in 1...3 as ClosedRange<UInt8> {
            let server = try Socket(.dealer, in: context)
            let bound = try server.bind(endpoint)
            if round == 1 { try client.connect(bound) }
            endpoint = bound
            // What is sent before the end of the old connection was noticed is lost: a message alone promises nothing.
            var received: [[UInt8]] = []
            for _ in 0..<200 where received.isEmpty {
                try send([[round]], on: client)
                received = (try? nextDelivery(on: server, within: .milliseconds(100)).frames) ?? []
            }
            #expect(received == [[round]])
            try server.unbind(bound)
        }
    }

    @Test func aSubscriberGetsItsPrefixesOnlyAndThePublisherSeesHerCome() throws {
        let context = try Context()
        let publisher = try Socket(.extendedPublisher, in: context)
        let endpoint = try publisher.bind("tcp://127.0.0.1:0")
        let subscriber = try Socket(.subscriber, in: context)
        try subscriber.subscribe(bytes("web"))
        try subscriber.connect(endpoint)
        let subscription = try nextDelivery(on: publisher)
        #expect(subscription.frames == [[1] + bytes("web")])
        #expect(subscription.peerAddress == "127.0.0.1")
        #expect(try publisher.send([bytes("db1|sshd")]))
        #expect(try publisher.send([bytes("web1|sshd")]))
        #expect(try nextDelivery(on: subscriber).frames == [bytes("web1|sshd")])
    }

    @Test func anAnswerToAPeerThatIsGoneIsDroppedOrAnErrorAsTheOwnerWants() throws {
        let context = try Context()
        let server = try Socket(.router, in: context)
        #expect(try server.send([[1, 2, 3], [4]]))
        try server.routerMandatory()
        let error = #expect(throws: ZeroMQError.self) { try server.send([[1, 2, 3], [4]]) }
        #expect(error?.code == EHOSTUNREACH)
    }

    @Test func aSocketThatCouldNotBeMadeLeavesNothingBehind() throws {
        weak var kept: Context?
        do {
            let context = try Context()
            kept = context
            #expect(throws: ZeroMQError.self) { try Socket(.request, in: context, linger: -7).connect("") }
        }
        #expect(kept == nil)
    }
}
