// The way between the stages: a request that outlives lost answers, dead servers and refusals, on real sockets.

import Glibc
import Testing
import ZeroMQ

/// The context, the handler and a ROUTER with CURVE of a test, with one loop for all.
private struct Publisher: ~Copyable {
    let context: Context
    var pair: KeyPair
    var authenticator: Authenticator
    var socket: Socket?
    var endpoint = "tcp://127.0.0.1:0"
    var admits = true

    private init(_ pair: KeyPair, _ context: Context, _ authenticator: consuming Authenticator) {
        self.pair = pair
        self.context = context
        self.authenticator = authenticator
    }

    static func started() throws -> Publisher {
        let context = try Context()
        var publisher = Publisher(try KeyPair.generate(), context, try Authenticator(in: context))
        try publisher.start()
        return publisher
    }

    mutating func start() throws {
        let socket = try Socket(.router, in: context)
        try socket.curveServer(pair.secretKey)
        endpoint = try socket.bind(endpoint)
        self.socket = consume socket
    }

    /// Closes the socket and frees its port, which closing alone does a moment later.
    mutating func stop() throws {
        try socket?.unbind(endpoint)
        socket = nil
    }

    func client(_ endpoints: [String]? = nil, _ timing: RetryTiming = Publisher.timing) throws -> RequestClient {
        let keys = ClientKeys(own: try KeyPair.generate(), server: pair.publicKey)
        return RequestClient(in: context, endpoints: endpoints ?? [endpoint], timing: timing) { keys }
    }

    /// Turns the loop until the client has its answer; what arrives at the server meanwhile is given to `answer`.
    mutating func run(
        _ client: inout RequestClient, _ answer: (inout Publisher, Delivery) throws -> Void
    ) throws -> Delivery {
        let end = ContinuousClock.now + patience
        var polled = PollSet()
        while ContinuousClock.now < end {
            polled.removeAll()
            authenticator.add(to: &polled)
            client.add(to: &polled)
            switch socket {
            case .some(let socket): polled.add(socket)
            case .none: break
            }
            try polled.wait(until: min(end, client.deadline ?? end))
            let admits = admits
            try authenticator.answerWaiting { _ in admits ? .admit(userID: "web1") : .refuse }
            while let request = try socket?.receive() { try answer(&self, request) }
            if let delivery = try client.advance(now: .now) { return delivery }
        }
        throw TookTooLong()
    }

    func reply(to request: Delivery, _ frames: [[UInt8]]) throws { _ = try socket?.send([request.frames[0], []] + frames) }

    /// The promises are those of the schedule, only sooner.
    static let timing = RetryTiming(
        answerTimeout: .milliseconds(200), firstPause: .milliseconds(5), longestPause: .milliseconds(20), jitter: 0)
}

@Suite struct RequestClientTests {
    @Test func aRequestIsAnsweredAndTheSameConnectionServesTheNext() throws {
        var publisher = try Publisher.started()
        var client = try publisher.client()
        #expect(client.deadline == nil)
        var senders: Set<[UInt8]> = []
        for number in 1...3 as ClosedRange<UInt8> {
            try client.send(now: .now) { [bytes("F2BC/1"), [number]] }
            #expect(client.isIdle == false)
            let answer = try publisher.run(&client) { publisher, request in
                senders.insert(request.frames[0])
                #expect(request.userID == "web1")
                #expect(Array(request.frames.dropFirst(2)) == [bytes("F2BC/1"), [number]])
                try publisher.reply(to: request, [bytes("ACK"), [number]])
            }
            #expect(answer.frames == [bytes("ACK"), [number]])
            #expect(client.deadline == nil)
        }
        #expect(senders.count == 1)
    }

    @Test func aLostAnswerIsAskedForAgainOnANewConnectionAndTheLateOneNeverArrives() throws {
        var publisher = try Publisher.started()
        var client = try publisher.client()
        try client.send(now: .now) { [bytes("one")] }
        var requests: [Delivery] = []
        let answer = try publisher.run(&client) { publisher, request in
            requests.append(request)
            guard requests.count == 3 else { return }
            for (number, request) in requests.enumerated() { try publisher.reply(to: request, [bytes("to try \(number + 1)")]) }
        }
        #expect(answer.frames == [bytes("to try 3")])
        #expect(Set(requests.map { $0.frames[0] }).count == 3)
        try client.send(now: .now) { [bytes("two")] }
        let next = try publisher.run(&client) { publisher, request in try publisher.reply(to: request, [bytes("to two")]) }
        #expect(next.frames == [bytes("to two")])
    }

    @Test func aServerThatComesBackAnswersTheRequestThatWaited() throws {
        var publisher = try Publisher.started()
        var client = try publisher.client()
        try client.send(now: .now) { [bytes("before")] }
        _ = try publisher.run(&client) { publisher, request in try publisher.reply(to: request, [bytes("ACK")]) }
        try publisher.stop()
        try client.send(now: .now) { [bytes("during")] }
        // Two tries run into nothing.
        for _ in 0..<4 {
            let deadline = client.deadline
            #expect(try client.advance(now: try #require(deadline)) == nil)
        }
        try publisher.start()
        let answer = try publisher.run(&client) { publisher, request in
            try publisher.reply(to: request, [bytes("ACK")] + request.frames.dropFirst(2))
        }
        #expect(answer.frames == [bytes("ACK"), bytes("during")])
    }

    @Test func theNextEndpointIsAskedWhenTheFirstDoesNotAnswer() throws {
        var publisher = try Publisher.started()
        // Port 1 of loopback: nobody listens.
        var client = try publisher.client(["tcp://127.0.0.1:1", publisher.endpoint])
        try client.send(now: .now) { [bytes("hello")] }
        let answer = try publisher.run(&client) { publisher, request in try publisher.reply(to: request, [bytes("ACK")]) }
        #expect(answer.frames == [bytes("ACK")])
    }

    @Test func aBusyServerIsAskedAgainLaterOnTheSameConnection() throws {
        var publisher = try Publisher.started()
        var client = try publisher.client()
        try client.send(now: .now) { [bytes("hello")] }
        var senders: [[UInt8]] = []
        for round in 1...3 {
            let answer = try publisher.run(&client) { publisher, request in
                senders.append(request.frames[0])
                try publisher.reply(to: request, [bytes(round < 3 ? "NAK" : "ACK")])
            }
            if round < 3 {
                #expect(answer.frames == [bytes("NAK")])
                client.retryLater(now: .now)
                #expect(client.isIdle == false)
            }
        }
        #expect(client.isIdle == true)
        #expect(senders.count == 3 && Set(senders).count == 1)
    }

    @Test func aHostThatIsNotAuthorisedKeepsTryingAndGetsInAsSoonAsItIs() throws {
        var publisher = try Publisher.started()
        publisher.admits = false
        var client = try publisher.client()
        try client.send(now: .now) { [bytes("hello")] }
        let start = ContinuousClock.now
        while ContinuousClock.now < start + .seconds(1), let deadline = client.deadline {
            var polled = PollSet()
            publisher.authenticator.add(to: &polled)
            client.add(to: &polled)
            try polled.wait(until: deadline)
            try publisher.authenticator.answerWaiting { _ in .refuse }
            #expect(try client.advance(now: .now) == nil)
        }
        publisher.admits = true
        let answer = try publisher.run(&client) { publisher, request in try publisher.reply(to: request, [bytes("ACK")]) }
        #expect(answer.frames == [bytes("ACK")])
    }

    @Test func aServerThatComesBackWithItsNextKeyAnswersTheClientThatKnowsBoth() throws {
        var publisher = try Publisher.started()
        let (old, new) = (publisher.pair, try KeyPair.generate())
        let keys = ClientKeys(own: try KeyPair.generate(), server: old.publicKey, nextServer: new.publicKey)
        var client = RequestClient(in: publisher.context, endpoints: [publisher.endpoint], timing: Publisher.timing) { keys }
        for pair in [old, new, old] {
            try publisher.stop()
            publisher.pair = pair
            try publisher.start()
            for text in ["first", "second"] {
                try client.send(now: .now) { [bytes(text)] }
                let answer = try publisher.run(&client) { publisher, request in
                    try publisher.reply(to: request, [bytes("ACK")] + request.frames.dropFirst(2))
                }
                #expect(answer.frames == [bytes("ACK"), bytes(text)])
            }
        }
    }

    @Test func aKeyThatIsReplacedWhileARequestFailsIsTakenUpByItsNextTry() throws {
        var publisher = try Publisher.started()
        let server = publisher.pair.publicKey
        var keys = ClientKeys(own: try KeyPair.generate(), server: try KeyPair.generate().publicKey)
        var client = RequestClient(in: publisher.context, endpoints: [publisher.endpoint], timing: Publisher.timing) { keys }
        try client.send(now: .now) { [bytes("hello")] }
        let deadline = client.deadline
        #expect(try client.advance(now: try #require(deadline)) == nil)
        keys = ClientKeys(own: try KeyPair.generate(), server: server)
        let answer = try publisher.run(&client) { publisher, request in try publisher.reply(to: request, [bytes("ACK")]) }
        #expect(answer.frames == [bytes("ACK")])
    }

    @Test func whatWaitsOnAConnectionWhoseKeyIsReplacedIsSentAgainAtOnceAndNothingElseIs() throws {
        var publisher = try Publisher.started()
        let server = publisher.pair.publicKey
        let (old, new) = (try KeyPair.generate(), try KeyPair.generate())
        var keys = ClientKeys(own: old, next: new, server: server)
        // No answer is ever late here: what is sent again is so because of the keys.
        let patient = RetryTiming(answerTimeout: .seconds(1000))
        var client = RequestClient(in: publisher.context, endpoints: [publisher.endpoint], timing: patient) { keys }
        try client.send(now: .now) { [bytes("hello")] }
        var senders: [[UInt8]] = []
        while senders.count < 1 {
            var polled = PollSet()
            publisher.authenticator.add(to: &polled)
            try polled.wait(until: .now + .milliseconds(20))
            try publisher.authenticator.answerWaiting { _ in .admit(userID: "web1") }
            if let request = try publisher.socket?.receive() { senders.append(request.frames[0]) }
        }
        try client.renewKeys(now: .now)
        keys = ClientKeys(own: new, server: server)
        try client.renewKeys(now: .now)
        let answer = try publisher.run(&client) { publisher, request in
            senders.append(request.frames[0])
            try publisher.reply(to: request, [bytes("ACK")])
        }
        #expect(answer.frames == [bytes("ACK")])
        #expect(Set(senders).count == 2 && senders.count == 2)
        try client.renewKeys(now: .now)
        #expect(client.isIdle == true)
    }

    @Test func aRequestGivenUpLeavesNothingUnderWayAndTheNextOneWorks() throws {
        var publisher = try Publisher.started()
        var client = try publisher.client()
        try client.send(now: .now) { [bytes("unwanted")] }
        client.cancel()
        #expect(client.deadline == nil)
        try client.send(now: .now) { [bytes("wanted")] }
        let answer = try publisher.run(&client) { publisher, request in
            try publisher.reply(to: request, [bytes("ACK")] + request.frames.dropFirst(2))
        }
        #expect(answer.frames == [bytes("ACK"), bytes("wanted")])
    }

    @Test func anEndpointThatIsNoneIsAnErrorOfTheFirstRequest() throws {
        let publisher = try Publisher.started()
        var client = try publisher.client(["publisher:5678"])
        let error = #expect(throws: ZeroMQError.self) { try client.send(now: .now) { [bytes("hello")] } }
        #expect(error?.code == EINVAL)
        #expect(error?.hint == "an endpoint reads tcp://ADDRESS:PORT")
    }
}
