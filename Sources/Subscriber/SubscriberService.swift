// Stage 3, broadcast -> wanted set -> enforcement: the one loop that carries broadcasts to the wanted set, and its changes to the
// enforcers.

import Daemon
import Logging
import Wire
import ZeroMQ

/// The subscriber. It owns its ZeroMQ socket and stays on the thread that made it.
struct SubscriberService: ~Copyable {
    /// What the loop is told from outside, and whom it tells.
    struct Links {
        /// Called once, when broadcasts arrive or are being tried for.
        var ready: () -> Void
        /// Everything up to here has been applied: called when the host is up to date again, and at the end.
        var follow: (CatchUp.Position) -> Void
        /// The configuration is to be read again; hands over what it says.
        var reload: ((SubscriberSettings) throws -> Void) -> Void
    }

    /// How long a start and an end may take.
    struct Limits {
        /// How long a start waits for the first broadcast before it says that it goes on trying. 3 s: beats come each second.
        var ready: Duration = .seconds(3)
        /// How long an end waits for enforcers to finish. 5 s: a call of fail2ban-client takes 0.3 s.
        var drain: Duration = .seconds(5)
    }

    /// Frames and announcements taken in one turn; what is left waits in libzmq, so that enforcers and signals get their turn.
    static let mostFramesPerTurn = 256
    static let mostEventsPerTurn = 10_000
    /// When the publisher first hears how this host is doing: when it has what is banned, as a rule.
    static let firstState: Duration = .seconds(5)
    /// When it hears of it after something was announced, so that an operator soon sees what is applied where; also between two states
    /// while enforcers are at work. 3 s: of 1,000 hosts in an endless attack, the publisher gets 333 states a second, 1 KB each.
    static let soonState: Duration = .seconds(3)
    /// Bans that end in one turn.
    static let mostEndsPerTurn = 10_000

    private var source: BroadcastSource
    private var client: RequestClient
    private var troubles = RateLimit(burst: 2, interval: .seconds(60))
    /// When the publisher is to hear again how this host is doing.
    private var stateDue: ContinuousClock.Instant
    /// Whether what is under way is a STATE; a question takes its place at any time.
    private var isStateUnderWay = false
    private let protection: Protection
    private let enforcers: [any Enforcer]
    private let settings: SubscriberSettings
    private let limits: Limits
    private let log: Logger
    private var intake: BroadcastIntake
    private var silence: SilenceWatch
    private var readyDeadline: ContinuousClock.Instant?
    private var drainDeadline: ContinuousClock.Instant?
    private var polled = PollSet()
    private var random = SystemRandomNumberGenerator()
    /// Whether the place is to be remembered as soon as it is certain.
    private var isPlaceOwed = false
    private var malformed = RateLimit(burst: 5, interval: .seconds(10))
    private var notices: IntakeNotices
    private var latency: LatencyMeter

    init(
        source: consuming BroadcastSource, client: consuming RequestClient, former: CatchUp.Position? = nil, protection: Protection,
        enforcers: [any Enforcer], settings: SubscriberSettings, log: Logger,
        limits: Limits = Limits(), now: ContinuousClock.Instant = .now
    ) {
        self.source = source
        self.client = client
        self.protection = protection
        self.enforcers = enforcers
        self.settings = settings
        self.limits = limits
        self.log = log
        notices = IntakeNotices(log: log)
        intake = BroadcastIntake(origin: now, former: former)
        silence = SilenceWatch(now: now)
        silence.hasSeveralKeys = self.source.hasSeveralKeys
        latency = LatencyMeter(now: now)
        readyDeadline = now + limits.ready
        stateDue = now + SubscriberService.firstState
    }

    /// Runs until it was told to end and has drained. Bans stay in place.
    mutating func run(signals: borrowing SignalDescriptor, _ links: Links) throws {
        log.info("enforcing by \(enforcers.map(\.name).joined(separator: ", "))")
        // The enforcers get ready while the connection is made.
        for enforcer in enforcers { enforcer.advance(wanted: intake.wanted, now: .now) }
        try handle(intake.begin(now: .now), links, .now)
        while true {
            try wait(signals)
            let now = ContinuousClock.now
            try takeSignals(signals, links, now)
            if protection.advance(now: now) { pass(intake.review { protection.refusal(for: $0) }) }
            if drainDeadline == nil {
                try receive(links, now)
                try receiveAnswer(links, now)
                try sendState(now)
            }
            pass(intake.expire(now: now, limit: SubscriberService.mostEndsPerTurn))
            if isPlaceOwed { follow(links, now) }
            for enforcer in enforcers {
                enforcer.advance(wanted: intake.wanted, now: now)
                for address in enforcer.takeApplied() { latency.applied(address, now: now) }
            }
            if let drainDeadline, now >= drainDeadline || enforcers.allSatisfy({ $0.isDrained }) {
                follow(links, now)
                return
            }
        }
    }

    private mutating func wait(_ signals: borrowing SignalDescriptor) throws(ZeroMQError) {
        polled.removeAll()
        polled.add(descriptor: signals.descriptor)
        protection.add(to: &polled)
        var deadlines = [protection.deadline, readyDeadline, drainDeadline, intake.wanted.nextExpiry]
        if drainDeadline == nil {
            source.add(to: &polled)
            client.add(to: &polled)
            deadlines += [silence.deadline, client.deadline, client.isIdle ? stateDue : nil]
        }
        for enforcer in enforcers {
            enforcer.add(to: &polled)
            deadlines.append(enforcer.deadline)
        }
        try polled.wait(until: deadlines.lazy.compactMap { $0 }.min())
    }

    private mutating func takeSignals(
        _ signals: borrowing SignalDescriptor, _ links: Links, _ now: ContinuousClock.Instant
    ) throws(ZeroMQError) {
        while let signal = signals.next() {
            switch signal {
            case .terminate:
                guard drainDeadline == nil else { continue }
                log.notice("ending; \(intake.wanted.count) bans stay in place")
                drainDeadline = now + limits.drain
                readyDeadline = nil
                for enforcer in enforcers { enforcer.drain() }
            case .reload: try reload(links, now)
            }
        }
    }

    private mutating func reload(_ links: Links, _ now: ContinuousClock.Instant) throws(ZeroMQError) {
        var isReviewDue = false
        links.reload { [protection, settings, log] next in
            isReviewDue = try protection.reload(next, now: now)
            if !next.needsNoRestart(after: settings) {
                log.warning(
                    "only ignoreip, protectlogins, minprefix4 and minprefix6 of [subscriber] change by a reload; restart for the rest")
            }
        }
        if isReviewDue { pass(intake.review { protection.refusal(for: $0) }) }
        try source.renewKeys()
        silence.hasSeveralKeys = source.hasSeveralKeys
        try client.renewKeys(now: now)
    }

    private mutating func receive(_ links: Links, _ now: ContinuousClock.Instant) throws(ZeroMQError) {
        var events = 0
        for _ in 0..<SubscriberService.mostFramesPerTurn where events < SubscriberService.mostEventsPerTurn {
            guard let frame = try source.receive() else { break }
            if silence.heard(now: now) { log.notice("broadcasts arrive again") }
            events += try take(frame, links, now)
        }
        if case .renew(let isFirst) = silence.advance(now: now, using: &random) {
            if isFirst {
                log.warning("no broadcast for \(silence.limit.components.seconds) s from \(endpoints); trying new connections")
            }
            try source.renew()
            silence.hasSeveralKeys = source.hasSeveralKeys
        }
        if let deadline = readyDeadline, now >= deadline {
            log.warning(
                "nothing yet from the publisher at \(endpoints); retrying. Remedy: see that the publisher runs, and authorises this host's key"
            )
            readyDeadline = nil
            links.ready()
        }
    }

    private var endpoints: String { settings.publishers.map(\.description).joined(separator: ", ") }

    /// - Returns: How many announcements were in it.
    private mutating func take(_ frame: [UInt8], _ links: Links, _ now: ContinuousClock.Instant) throws(ZeroMQError) -> Int {
        let result: BroadcastIntake.Result
        do throws(BroadcastError) {
            result = try intake.take(frame: frame, now: now) { [protection] in protection.refusal(for: $0) }
        } catch {
            if let note = malformed.heldBackNote(at: now) {
                log.error("skipped a malformed broadcast of \(frame.count) bytes: \(error)\(note)")
            }
            return 1
        }
        measure(result, now)
        try handle(result, links, now)
        return result.fresh
    }

    /// Takes the publisher's answer to what was asked, or asks again later.
    private mutating func receiveAnswer(_ links: Links, _ now: ContinuousClock.Instant) throws(ZeroMQError) {
        guard let delivery = try client.advance(now: now) else { return }
        if isStateUnderWay { return try take(stateAnswer: delivery, links, now) }
        let answer: SyncAnswer
        do throws(MessageError) {
            let message = try Message(frames: delivery.frames)
            if let refusal = RequestRefusal(message) {
                if let note = troubles.heldBackNote(at: now) { log.error("the publisher does not say what was missed: \(refusal)\(note)") }
                client.retryLater(now: now, onNextEndpoint: refusal.code == .standby)
                return
            }
            answer = try SyncAnswer(message)
        } catch {
            if let note = troubles.heldBackNote(at: now) { log.error("skipped a malformed answer: \(error)\(note)") }
            client.retryLater(now: now)
            return
        }
        try handle(intake.take(answer, now: now) { [protection] in protection.refusal(for: $0) }, links, now, isAnswer: true)
    }

    private mutating func handle(
        _ result: BroadcastIntake.Result, _ links: Links, _ now: ContinuousClock.Instant, isAnswer: Bool = false
    ) throws(ZeroMQError) {
        notices.report(result, at: intake.position, now)
        pass(result.changes)
        if let question = result.question {
            isStateUnderWay = false
            // An answer that was neither of use nor a page on the way is no reason to ask again at once: the next may be like it.
            if isAnswer, result.fresh == 0, result.adopted == nil, question.after == nil {
                client.sendLater(now: now) { question.message.frames }
            } else {
                try client.send(now: now) { question.message.frames }
            }
        }
        guard result.isUpToDate else { return }
        isPlaceOwed = true
        follow(links, now)
        if readyDeadline != nil {
            readyDeadline = nil
            links.ready()
        }
    }

    /// Begins to measure how long what a broadcast announced takes until it is applied here, and has the publisher told of it soon.
    private mutating func measure(_ result: BroadcastIntake.Result, _ now: ContinuousClock.Instant) {
        guard let publisherNow = result.publisherNow else { return }
        for change in result.changes where change.kind != .moved {
            if let announcement = change.announcement { latency.announced(announcement, publisherNow: publisherNow, now: now) }
        }
        stateDue = min(stateDue, now + SubscriberService.soonState * Double.random(in: 0.75...1.25, using: &random))
    }

    /// Tells the publisher how this host is doing, when nothing else is asked.
    private mutating func sendState(_ now: ContinuousClock.Instant) throws(ZeroMQError) {
        guard client.isIdle, now >= stateDue else { return }
        stateDue = now + (enforcers.allSatisfy { $0.waiting == 0 } ? DaemonState.interval : SubscriberService.soonState)
        isStateUnderWay = true
        let wanted = intake.wanted
        let json = SubscriberState(
            position: intake.position, wanted: wanted.count, refused: wanted.refused(limit: SubscriberState.mostRefused),
            refusedCount: wanted.refusedCount,
            enforcers: enforcers.map(SubscriberState.Enforcing.init), latency: latency.recent, isHearing: !silence.isSilent
        ).json
        try client.send(now: now) { DaemonState(.subscriber, now: .now, json: json).message.frames }
    }

    /// Its answer has the publisher's term, by which a host that hears no broadcast learns of a new one.
    private mutating func take(stateAnswer delivery: Delivery, _ links: Links, _ now: ContinuousClock.Instant) throws(ZeroMQError) {
        let term: Term
        do throws(MessageError) {
            let message = try Message(frames: delivery.frames)
            if let refusal = RequestRefusal(message) {
                // A publisher that takes no states is no harm; one that stands by is not the one to tell.
                if refusal.code == .standby { client.retryLater(now: now, onNextEndpoint: true) }
                return
            }
            term = try DaemonState.term(of: message)
        } catch {
            if let note = troubles.heldBackNote(at: now) { log.error("skipped a malformed answer: \(error)\(note)") }
            return
        }
        try handle(intake.noticed(term, now: now), links, now)
    }

    /// Has the place remembered, or owes it until it is certain.
    private mutating func follow(_ links: Links, _ now: ContinuousClock.Instant) {
        let isExplained = enforcers.allSatisfy { !$0.hasUnexplained }
        guard let position = intake.certainPosition(isExplained: isExplained, now: now) else { return }
        links.follow(position)
        isPlaceOwed = false
    }

    private func pass(_ changes: [WantedSet.Change]) {
        for change in changes { for enforcer in enforcers { enforcer.take(change) } }
    }
}
