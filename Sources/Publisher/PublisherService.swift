// Stage 2, report -> admission -> journal -> broadcast: the loop that owns the publisher's sockets and carries values between the parts.

import Daemon
import Logging
import Wire
import ZeroMQ

/// The publisher of a cluster. One thread makes it, runs it and owns everything in it.
///
/// A turn of the loop takes all requests that wait, up to a limit, writes what they change in one transaction, and only then answers
/// and broadcasts. The more waits, the larger the transaction: the syncs of the disk are shared, and a single request waits for none.
/// While a large one is being written, the next requests are taken in (PublisherWriting.swift).
struct PublisherService: ~Copyable {
    let logger: Logger
    /// The clock of everything that travels or is journalled.
    var clock = SteadyClock()
    let term: Term
    let journal: Journal
    private let host: Hostname
    private let protection: ClusterProtection
    private let keys: KeyDirectory
    var gate: Gate
    private var authenticator: Authenticator
    var sockets: PublisherSockets
    var ledger: Ledger
    var turnstile = Turnstile()
    var plainReception: PlainReception
    var desk: AnswerDesk
    var broadcaster: Broadcaster
    var housekeeping: Housekeeping
    let journalThread: JournalThread
    /// The batch that is being written, if one is.
    var flight: Flight?
    /// What waits for the next batch.
    var answers = Answers()
    private var polled = PollSet()
    /// After a failed write: when the next one that nobody asked for is tried.
    var notBefore = ContinuousClock.now
    var storageTrouble = RateLimit(interval: .seconds(10))
    var busyHosts = RateLimit(interval: .seconds(10))
    var plainRefusals = RateLimit(interval: .seconds(10))
    /// Holds the journal for this process alone: two publishers would number their announcements alike. The last to go.
    private let lock: PidFile

    /// Opens the journal, takes in what it says, begins a term, and binds the endpoints.
    init(settings: PublisherSettings, general: GeneralSettings, logger: Logger) throws {
        let keys = KeyDirectory(general.keyDirectory)
        let gate = try Gate(keys: keys, plainAllow: settings.plainAllow, logger: logger)
        let key = try keys.publisherSecretKey()
        let maximumBanTime = settings.maxBanTime.milliseconds
        let lock = try PidFile(path: general.stateDirectory + "/journal.lock")
        let journal = try Journal(path: Journal.path(in: general.stateDirectory))
        let protection = try ClusterProtection(
            settings, hosts: gate.hosts, stateDirectory: general.stateDirectory, log: logger)
        var ledger = Ledger(
            admission: Admission(neverBan: protection.rules, maximumBanTime: maximumBanTime),
            table: BanTable(quorum: settings.quorum, maximumBanTime: maximumBanTime), maximumHolds: settings.maxHolds,
            maximumRate: settings.maxRate)
        let resumption = try Resumption(&ledger, from: journal, now: clock.now)
        let term = resumption.term
        let journalThread = try JournalThread { work in work.outcome(on: journal) }

        // A CURVE endpoint without an authenticator would admit everyone, so it is there before any of them.
        let context = try Context()
        let authenticator = try Authenticator(in: context)
        let sockets = try PublisherSockets(in: context, settings: settings, key: key)
        let places = sockets.endpoints.joined(separator: ", ")
        logger.notice("term \(term), \(ledger.table.bannedCount) banned addresses, listening on \(places)")
        if let warning = PlainEndpoints.warning(settings) { logger.warning("\(warning)") }
        let facts = PublisherFacts(of: general.hostname, term, at: sockets.endpoints, journal: journal.path, now: clock.now)
        self.logger = logger
        self.journal = journal
        self.lock = lock
        self.ledger = ledger
        self.term = term
        host = general.hostname
        self.protection = protection
        self.keys = keys
        self.gate = gate
        self.authenticator = authenticator
        self.sockets = sockets
        desk = AnswerDesk(terms: resumption.terms, facts: facts)
        desk.beginTurn()
        housekeeping = Housekeeping(tables: resumption.tables, retention: settings.retention, now: .now)
        plainReception = PlainReception(tokens: settings.auth ? settings.authTokens : [], unbansCount: settings.plainUnbans)
        broadcaster = Broadcaster(now: .now)
        self.journalThread = journalThread
    }

    /// Runs until a signal ends it. What was taken in until then is on disk, answered and broadcast; who was not yet heard asks again.
    mutating func run(_ lifecycle: Lifecycle) throws {
        // SQLite takes over its write-ahead log when it closes the file: beside another journal, put there later, it would destroy that.
        defer {
            journalThread.end()
            journal.close()
        }
        lifecycle.ready()
        while true {
            switch try turn(signals: lifecycle.signals) {
            case .terminate:
                logger.notice("stopping")
                try settle()
                try broadcast()
                do throws(JournalError) { try housekeeping.finish(&ledger, journal) } catch { logger.error("\(error)") }
                return
            case .reload: try reload(lifecycle)
            case nil: break
            }
        }
    }

    /// Takes over what can change while it runs: the keys, its own too, and what must never be banned.
    private mutating func reload(_ lifecycle: Lifecycle) throws(ZeroMQError) {
        try settle()
        var key: SecretKey?
        lifecycle.reload { configuration in
            guard let settings = configuration.publisher else { return }
            let read = try keys.publisherSecretKey()
            try protection.reload(settings)
            gate.reload(now: .now)
            key = read
        }
        if let key, try sockets.take(key) {
            logger.notice("this publisher has another key from now on: all connections are made anew")
            gate.forgetConnections()
        }
    }

    // MARK: A turn of the loop

    private mutating func turn(signals: borrowing SignalDescriptor) throws -> SignalDescriptor.Signal? {
        polled.removeAll()
        authenticator.add(to: &polled)
        if takesRequests { polled.add(sockets.requests) }
        // It is never readable, but a socket that nobody looks at learns of no subscription.
        polled.add(sockets.broadcasts)
        sockets.plain.add(to: &polled, requests: takesPlainRequests)
        sockets.addConnections(to: &polled)
        let signal = polled.add(descriptor: signals.descriptor)
        let written = polled.add(descriptor: journalThread.descriptor)
        protection.add(to: &polled)
        try polled.wait(until: deadline)

        if let step = clock.newStep() {
            logger.warning("the system's clock was set, and is \(step / 1000) s ahead of this publisher's; the next start takes it over")
        }
        gate.look(now: .now)
        try admitConnections()
        protect()
        if polled.isReadable(written) {
            try takeWritten()
            try broadcast()
        }
        try takeRequests()
        try takePlainRequests()
        if flight == nil {
            decideWhatIsDue()
            try depart()
        }
        for list in ledger.takeComparedLists() { logger.info("\(list)") }
        try broadcast()
        if gate.takeRevocation() {
            logger.notice("a key or a role was taken away: all connections are made anew")
            try settle()
            try sockets.renew()
            gate.forgetConnections()
        }
        return polled.isReadable(signal) ? signals.next() : nil
    }

    /// Takes over what is protected now; bans that it covers end.
    private mutating func protect() {
        if let hosts = gate.takeHosts() {
            protection.take(hosts)
            desk.take(hosts)
        }
        protection.note(gate.takeConnected())
        guard let rules = protection.news(now: .now) else { return }
        ledger.admission.neverBan = rules
        ledger.beginReview()
    }

    private mutating func admitConnections() throws(ZeroMQError) {
        // A copy, since the authenticator and the gate are both this value's.
        var gate = gate
        defer { self.gate = gate }
        try sockets.takeConnections { gate.note($0, domain: $1, socket: $2) }
        gate.settleConnections()
        try authenticator.answerWaiting { gate.verdict($0) }
    }

    /// What nobody asked for: ends of bans, and what lists and rules changed. In portions; the rest in the next turn.
    private mutating func decideWhatIsDue() {
        guard ContinuousClock.now >= notBefore else { return }
        ledger.expire(now: clock.now, limit: TurnLimits.ends)
        ledger.compareLists(now: clock.now, limit: TurnLimits.listed)
        ledger.review(as: host, now: clock.now, limit: TurnLimits.reviewed)
    }

    /// When the loop must wake up though nothing came in: the next frame or beat, and the next end of a ban.
    private var deadline: ContinuousClock.Instant {
        // Nothing is decided of itself until the batch on its way is there.
        guard flight == nil else { return broadcaster.deadline }
        let deadline = min(broadcaster.deadline, housekeeping.deadline(changed: ledger.table.changed.count))
        if ledger.hasListsToCompare || ledger.hasMoreToReview { return min(deadline, max(.now, notBefore)) }
        guard let due = ledger.nextDue else { return deadline }
        let wait = max(due.milliseconds(since: clock.now), 0)
        return min(deadline, max(ContinuousClock.now + .milliseconds(wait), notBefore))
    }

    private mutating func broadcast() throws(ZeroMQError) {
        while let frame = broadcaster.frame(
            term: term, next: ledger.committedLastNumber + 1, subscribers: gate.subscribers, clock: clock.now, now: .now)
        {
            _ = try sockets.broadcasts.send([frame])
        }
    }
}
