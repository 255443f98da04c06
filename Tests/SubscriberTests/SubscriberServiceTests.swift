// The whole loop on a thread of its own, with a publisher's sockets played by the test.

import Daemon
import Glibc
import Logging
import Testing
import Wire
import ZeroMQ

@testable import Subscriber

/// What the loop's thread tells the test.
private final class Record: Sendable {
    struct State {
        var lines: [String] = []
        var readyCalls = 0
        var thread: pthread_t?
        var hasEnded = false
        var failure: String?
    }

    let state = Guarded(State())
    let news: WakeUp

    init() throws { news = try WakeUp() }

    func change(_ body: (inout State) -> Void) {
        state.withLock { body(&$0) }
        news.signal()
    }
}

/// A publisher as far as a subscriber can see it.
private struct Publisher: ~Copyable {
    let keys: KeyPair
    let hostKeys: KeyPair
    let endpoint: String
    let requestEndpoint: String
    private let context: Context
    private var authenticator: Authenticator
    private let socket: Socket
    private let requests: Socket

    init() throws {
        let (keys, hostKeys, context) = (try KeyPair.generate(), try KeyPair.generate(), try Context())
        let authenticator = try Authenticator(in: context)
        let socket = try Socket(.extendedPublisher, in: context)
        try socket.sendHighWater(100_000)
        try socket.curveServer(keys.secretKey)
        let requests = try Socket(.router, in: context)
        try requests.curveServer(keys.secretKey)
        let (endpoint, requestEndpoint) = (try socket.bind("tcp://127.0.0.1:0"), try requests.bind("tcp://127.0.0.1:0"))
        self.endpoint = endpoint
        self.requestEndpoint = requestEndpoint
        self.requests = requests
        self.keys = keys
        self.hostKeys = hostKeys
        self.context = context
        self.authenticator = authenticator
        self.socket = socket
    }

    /// Admits this host's key and nobody else, until it has subscribed and knows that nothing is banned.
    mutating func awaitSubscriber() throws {
        var isSubscribed = false
        var isUpToDate = false
        while !isSubscribed || !isUpToDate {
            var polled = PollSet()
            authenticator.add(to: &polled)
            polled.add(socket)
            polled.add(requests)
            try polled.wait(until: .now + .seconds(20))
            let admitted = hostKeys.publicKey
            try authenticator.answerWaiting { $0.mechanism == .curve(admitted) ? .admit(userID: "web9") : .refuse }
            if try socket.receive() != nil { isSubscribed = true }
            while let question = try requests.receive() {
                let request = try SyncRequest(Message(frames: Array(question.frames[2...])))
                let content: SyncAnswer.Content =
                    request.wantsAll
                    ? .snapshot([], number: 0, next: nil, isKnownPlace: false) : .announcements([], isLast: true)
                let answer = SyncAnswer(term: Term(id: 1), now: publisherStart, content).message(first: 1)
                _ = try requests.send(Array(question.frames[..<2]) + answer.frames)
                isUpToDate = !request.wantsAll
            }
        }
    }

    func send(_ frame: [UInt8]) throws { _ = try socket.send([frame]) }
}

@Suite struct SubscriberServiceTests {
    private let record: Record

    init() throws { record = try Record() }

    /// Waits for the loop's thread to tell something; the limit is only for a test that fails.
    private func waitFor(_ condition: (Record.State) -> Bool) throws {
        let limit = ContinuousClock.now + .seconds(30)
        while !record.state.withLock({ condition($0) }) {
            try #require(ContinuousClock.now < limit, "the loop did not get there in 30 s")
            var polled = PollSet()
            polled.add(descriptor: record.news.descriptor)
            try polled.wait(until: limit)
            record.news.clear()
        }
    }

    /// Runs a subscriber with a `log` enforcer that the record hears, and a fail2ban-client that takes a command and never answers.
    private func start(
        _ publisher: borrowing Publisher, ignoreip: [IgnoreRule] = [],
        limits: SubscriberService.Limits = .init(ready: .seconds(30), drain: .milliseconds(100))
    ) throws {
        let endpoint = try #require(Endpoint(connect: publisher.endpoint))
        let requestEndpoint = publisher.requestEndpoint
        let (own, server, record) = (publisher.hostKeys, publisher.keys.publicKey, record)
        let hostname = try #require(Hostname("web9"))
        try runThread {
            do {
                let signals = try SignalDescriptor()
                var settings = SubscriberSettings()
                settings.publishers = [endpoint]
                settings.ignoreip = ignoreip
                record.change { $0.thread = pthread_self() }
                let log = LogEnforcer(hostname: hostname, prefix: "") { line in record.change { $0.lines.append(line) } }
                let stuck = ClientEnforcer(
                    program: ["sh", "-c", "printf 'Fail2Ban\\n\\nfail2ban> '; read line; exec sleep 1000", "x"], jail: .cluster, log: quiet)
                let context = try Context()
                let keys = ClientKeys(own: own, server: server)
                let source = try BroadcastSource(in: context, endpoints: settings.publishers) { keys }
                let client = RequestClient(in: context, endpoints: [requestEndpoint]) { keys }
                var service = SubscriberService(
                    source: source, client: client, protection: try Protection(settings, now: .now, log: quiet), enforcers: [log, stuck],
                    settings: settings,
                    log: quiet, limits: limits)
                try service.run(
                    signals: signals,
                    SubscriberService.Links(ready: { record.change { $0.readyCalls += 1 } }, follow: { _ in }, reload: { _ in }))
                record.change { $0.hasEnded = true }
            } catch {
                record.change { $0.failure = "\(error)" }
            }
        }
    }

    /// Sends SIGTERM to the loop's thread alone, and waits for its end.
    private func end() throws {
        let thread = try #require(record.state.withLock { $0.thread })
        #expect(pthread_kill(thread, SIGTERM) == 0)
        try waitFor { $0.hasEnded || $0.failure != nil }
        #expect(record.state.withLock { $0.failure } == nil)
    }

    private func frame(_ first: UInt64, _ events: [Event]) -> [UInt8] {
        let numbered = events.enumerated().map { index, event in
            var event = event
            event.number = first + UInt64(index)
            return event
        }
        return Broadcast(term: Term(id: 1), first: first, now: publisherStart, events: numbered).frame
    }

    @Test func fiveThousandBansArriveInOrderWhileFail2banHangs() throws {
        var publisher = try Publisher()
        try start(publisher)
        try publisher.awaitSubscriber()
        for start in stride(from: 0, to: 5000, by: 100) {
            let events = try (start..<start + 100).map { index in
                var event = try ban("192.0.2.1")
                event.address = try numbered(index)
                return event
            }
            try publisher.send(frame(UInt64(start + 1), events))
        }
        try waitFor { $0.lines.count == 5000 }
        let expected = try (0..<5000).map { "fail2ban-zmq-tools Subscriber: Got broadcast message: web1|sshd|Ban|\(try numbered($0))" }
        #expect(record.state.withLock { $0.lines } == expected)
        #expect(record.state.withLock { $0.readyCalls } == 1)
        try end()
    }

    @Test func malformedFramesAndProtectedAddressesDoNotDisturbTheOthers() throws {
        var publisher = try Publisher()
        try start(publisher, ignoreip: [.address(try address("192.0.2.0/24"))])
        try publisher.awaitSubscriber()
        try publisher.send(frame(1, []))
        try waitFor { $0.readyCalls == 1 }
        try publisher.send(Array("F2BC/1|nonsense".utf8))
        try publisher.send(Array("F2BC/1|\(Term(id: 1))|1|1|5\nweb1|sshd|Ban|192.0.2.1".utf8))
        try publisher.send(frame(1, [try ban("192.0.2.1"), try ban("127.0.0.1"), try ban("198.51.100.1")]))
        try waitFor { !$0.lines.isEmpty }
        #expect(record.state.withLock { $0.lines.count } == 1)
        #expect(record.state.withLock { $0.lines.first?.hasSuffix("|198.51.100.1") } == true)
        try end()
    }

    @Test func aHostWhosePublisherIsAwayIsReadyAndGoesOnTrying() throws {
        var publisher = try Publisher()
        // Nobody answers the handshake until the subscriber has said that it is ready.
        try start(publisher, limits: .init(ready: .milliseconds(50), drain: .milliseconds(100)))
        try waitFor { $0.readyCalls == 1 }
        try publisher.awaitSubscriber()
        try publisher.send(frame(1, [try ban("198.51.100.1")]))
        try waitFor { $0.lines.count == 1 }
        #expect(record.state.withLock { $0.readyCalls } == 1)
        try end()
    }
}

/// Starts a thread that nobody waits for.
private func runThread(_ body: @escaping @Sendable () -> Void) throws {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let code = pthread_create(
        &thread, nil,
        { pointer in
            if let pointer { Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().body() }
            return nil
        }, Unmanaged.passRetained(Box(body)).toOpaque())
    try #require(code == 0)
    pthread_detach(thread)
}
