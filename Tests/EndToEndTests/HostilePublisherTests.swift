// A publisher that answers and broadcasts nonsense, as a broken or a conquered one may: no monitor and no subscriber is harmed by it.

import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

/// The sockets of a publisher with the host's own publisher key, moved by the test.
private struct HostilePublisher: ~Copyable {
    let context: Context
    private var authenticator: Authenticator
    let requests: Socket
    let broadcasts: Socket

    init(on host: LoneHost) throws {
        let text = try #require(host.folder.read("keys/publisher.key"))
        let key = try #require(SecretKey(z85: String(text.prefix { $0 != "\n" })))
        let context = try Context()
        let authenticator = try Authenticator(in: context)
        let requests = try Socket(.router, in: context)
        try requests.curveServer(key)
        try requests.bind("ipc://\(host.folder("requests"))")
        let broadcasts = try Socket(.extendedPublisher, in: context)
        try broadcasts.sendHighWater(0)
        try broadcasts.curveServer(key)
        try broadcasts.bind("ipc://\(host.folder("broadcasts"))")
        self.context = context
        self.authenticator = authenticator
        self.requests = requests
        self.broadcasts = broadcasts
    }

    /// Admits everyone until a message comes to one of the sockets.
    private mutating func next(_ choose: (borrowing HostilePublisher) throws -> Delivery?) throws -> Delivery {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            if let delivery = try choose(self) { return delivery }
            var polled = PollSet()
            authenticator.add(to: &polled)
            polled.add(requests)
            polled.add(broadcasts)
            try polled.wait(until: deadline)
            try authenticator.answerWaiting { _ in .admit(userID: "web1") }
        }
        return try #require(nil, "neither a request nor a subscription came")
    }

    /// The next request of this verb, and the frames that an answer begins with. What daemons tell besides is answered as it should be.
    private mutating func next(_ verb: Message.Verb) throws -> (message: Message, envelope: [[UInt8]]) {
        while true {
            let delivery = try next { try $0.requests.receive() }
            let (envelope, message) = (Array(delivery.frames.prefix(2)), try Message(frames: Array(delivery.frames.dropFirst(2))))
            let term = Term(id: 7)
            switch message.verb {
            case verb: return (message, envelope)
            case .state: _ = try requests.send(envelope + DaemonState.answer(term: term).frames)
            case .holds: _ = try requests.send(envelope + Acknowledgement(term: term, position: 0, refused: []).message.frames)
            default: Issue.record("\(message.verb) came, and \(verb) was awaited")
            }
        }
    }

    /// The monitor's next report, and the frames that an answer begins with.
    mutating func nextReport() throws -> (report: Report, envelope: [[UInt8]]) {
        let (message, envelope) = try next(.report)
        return (try Report(message), envelope)
    }

    /// Waits for a subscriber's next question and answers it.
    mutating func answerQuestion(_ answer: (SyncRequest) throws -> [[UInt8]]) throws {
        let (message, envelope) = try next(.sync)
        _ = try requests.send(envelope + (try answer(try SyncRequest(message))))
    }

    mutating func awaitSubscriber() throws { _ = try next { try $0.broadcasts.receive() } }
}

@Suite(.serialized) struct HostilePublisherTests {
    @Test func aMonitorAsksAgainUntilItsReportIsReallyAcknowledged() async throws {
        try await LoneHost.with { host in
            var nonsense = Nonsense()
            let monitor = RunningProcess(try await host.start(.monitor))
            var publisher = try HostilePublisher(on: host)
            let term = Term(id: 7)
            let answers: [[[UInt8]]] = [
                [nonsense.bytes(30)], (0..<20).map { _ in nonsense.bytes(100) },
                Message(.json, ["term": "\(term)"], body: nonsense.bytes(1000)).frames,
                Message(.acknowledged, ["position": "99999999999999999999999", "term": "\(term)"]).frames,
                Message(.refused, ["code": "nonsense", "reason": "none", "term": "\(term)"], body: nonsense.bytes(60_000)).frames,
                [Array("F2BC/1".utf8), Array("ACK".utf8), nonsense.bytes(5000), []],
            ]
            _ = try await host.shell("echo '\(LoopbackCluster.banLine("198.51.100.1"))' >> fail2ban.log")
            for answer in answers {
                let (report, envelope) = try publisher.nextReport()
                #expect(report.entries.count == 1)
                _ = try publisher.requests.send(envelope + answer)
            }
            let (report, envelope) = try publisher.nextReport()
            let position = try #require(report.position)
            _ = try publisher.requests.send(envelope + Acknowledgement(term: term, position: position, refused: []).message.frames)
            _ = try await host.shell("echo '\(LoopbackCluster.banLine("198.51.100.2"))' >> fail2ban.log")
            let (next, _) = try publisher.nextReport()
            #expect(try #require(next.position) > position)
            #expect(try next.entries.map { try $0.content.get().address.description } == ["198.51.100.2"])
            #expect(monitor.isAlive && host.pid(of: .monitor) == monitor.pid)
            // Nobody answers the last report: the end does not wait for ever.
            #expect(try await host.run(.monitor, "stop").status == 0)
            #expect(host.log.utf8.count < 1 << 20)
        }
    }

    @Test func aSubscriberDoesNotAskWithoutEndWhatIsAnsweredWithNothing() async throws {
        try await LoneHost.with { host in
            try await host.start(.subscriber)
            var publisher = try HostilePublisher(on: host)
            let (term, now) = (Term(id: 7), Timestamp(milliseconds: 0))
            try publisher.answerQuestion { _ in
                SyncAnswer(term: term, now: now, .snapshot([], number: 0, next: nil, isKnownPlace: false)).message(first: 0).frames
            }
            // The pauses double from 0.1 s: four answers take more than a second, and would take a few milliseconds without them.
            let start = ContinuousClock.now
            for _ in 0..<5 {
                try publisher.answerQuestion { question in
                    SyncAnswer(term: term, now: now, .announcements([], isLast: false)).message(first: question.last + 1).frames
                }
            }
            #expect(ContinuousClock.now - start > .seconds(1))
        }
    }

    @Test func aSubscriberTakesTheGoodAnswerBehindTenThousandBroadcastsAndSomeAnswersOfNonsense() async throws {
        try await LoneHost.with { host in
            var nonsense = Nonsense()
            let subscriber = RunningProcess(try await host.start(.subscriber))
            var publisher = try HostilePublisher(on: host)
            try publisher.awaitSubscriber()
            for _ in 0..<10_000 { _ = try publisher.broadcasts.send([nonsense.broadcast()]) }
            for _ in 0..<100 { _ = try publisher.broadcasts.send((0..<5).map { _ in nonsense.broadcast() }) }
            let event = Event(
                host: try #require(Hostname("web2")), jail: try #require(Jail("honest")), action: .ban,
                address: try #require(Address("198.51.100.7")),
                number: 1, end: .at(Timestamp(milliseconds: 600_000)), cause: .detected)
            let (term, now) = (Term(id: 99), Timestamp(milliseconds: 0))
            let nonsensical: [[[UInt8]]] = [
                [nonsense.bytes(30)], Message(.snapshot, ["term": "\(term)"], body: nonsense.bytes(1000)).frames,
                Message(.events, ["term": "\(term)", "first": "0", "more": "yes", "now": "0"], body: nonsense.bytes(60_000)).frames,
            ]
            for answer in nonsensical { try publisher.answerQuestion { _ in answer } }
            try publisher.answerQuestion { question in
                #expect(question.wantsAll)
                return SyncAnswer(term: term, now: now, .snapshot([], number: 0, next: nil, isKnownPlace: false)).message(first: 0).frames
            }
            try publisher.answerQuestion { question in
                #expect(question == SyncRequest(term: term, last: 0))
                return SyncAnswer(term: term, now: now, .announcements([event], isLast: true)).message(first: 1).frames
            }
            try await eventually("the good ban is taken", within: .seconds(60)) { host.log.contains("would ban 198.51.100.7 for 59") }
            // Now that it is up to date each broadcast counts, and may make it ask.
            for _ in 0..<3000 { _ = try publisher.broadcasts.send([nonsense.broadcast()]) }
            try publisher.answerQuestion { _ in [nonsense.bytes(30)] }
            try await eventually("it rests", within: .seconds(60)) {
                let before = subscriber.processorTime
                try await Task.sleep(for: .seconds(1))
                return subscriber.processorTime - before < .milliseconds(200)
            }
            #expect(subscriber.isAlive && host.pid(of: .subscriber) == subscriber.pid)
            #expect(subscriber.residentMemory < 256 << 20 || Sanitizer.takesMemory)
            #expect(try await host.run(.subscriber, "stop").status == 0)
        }
    }
}
