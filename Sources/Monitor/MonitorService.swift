// Stage 1, log line -> event -> report: the loop that carries lines, answers and time to the reporter, and its reports to the publisher.

import Daemon
import Logging
import Wire
import ZeroMQ

/// The monitor of a host. One thread makes it, runs it and owns everything in it.
///
/// It waits for the log, a signal, the publisher's answer or the reporter's deadline, and sleeps otherwise. It is ready when the log is
/// followed, or awaited if it is missing; the publisher is connected to with the first report and tried for ever.
struct MonitorService: ~Copyable {
    /// How long an end waits for the acknowledgement of what is in the log. systemd and `stop` wait longer.
    static let drainLimit = Duration.seconds(5)
    /// A publisher that is up answers within milliseconds; this is two tries.
    static let silenceLimit = Duration.seconds(6)

    /// Of the client, with its jitter.
    private static let longestPause = RetryTiming().longestPause * (1 + RetryTiming().jitter)

    private let logger: Logger
    private let witness: Witness
    private var tail: LogTail
    private var intake: LogIntake
    private var client: RequestClient
    private let checkpointFile: CheckpointFile
    private var checkpoints = CheckpointSchedule()
    private let host: Hostname
    private let stream: String
    /// Whether this start could not go on where the last one was, so that lines may be missing in between.
    let isNewStream: Bool
    /// The publisher's term that has the complete list of this host's holds. Kept in the checkpoint; `nil` again when lines are
    /// lost.
    var healedTerm: Term? { holds.schedule.healedTerm }
    private var troubles: Troubles
    private var polled = PollSet()
    /// Whether the log has lines that are not taken, without a new event.
    private var hasMore = true
    /// Since when the report under way should have an answer.
    private var unansweredSince: ContinuousClock.Instant?
    private var exchange = Exchange(now: .now)
    /// What the client was given last.
    private var underWay = Exchange.Request.state
    var holds: HoldsKeeper
    private var isDraining = false

    /// - Throws: when the keys can't be read, or inotify is not to be had. A missing log, database or publisher is no error.
    init(
        settings: MonitorSettings, general: GeneralSettings, machineIDPath: String = "/etc/machine-id", logger: Logger
    ) throws {
        let keys = try ConnectionKeys(KeyDirectory(general.keyDirectory), log: logger)
        let context = try Context()
        let checkpointFile = CheckpointFile(stateDirectory: general.stateDirectory, machineIDPath: machineIDPath)
        let beginning = Beginning(checkpointFile, general.hostname, settings.logPath, logger)
        let tail = try LogTail(path: settings.logPath, from: beginning.start, now: .now)
        self.checkpointFile = checkpointFile
        host = general.hostname
        (stream, isNewStream) = (beginning.stream, beginning.isNewStream)
        witness = Witness(path: general.fail2banDatabase)
        intake = LogIntake(reporter: beginning.reporter, jails: ReportedJails(settings))
        holds = HoldsKeeper(
            reporter: intake.reporter, client: general.fail2banClient, healedTerm: beginning.healedTerm, logger: logger, now: .now)
        client = RequestClient(in: context, endpoints: settings.replyServers.map(\.description), keys: keys.current)
        // A log that is missing now was told by the program's checks.
        troubles = Troubles(logger: logger, logProblem: tail.problem)
        self.logger = logger
        let servers = settings.replyServers.map(\.description).joined(separator: ", ")
        logger.notice("following \(settings.logPath) as \(general.hostname), reporting to \(servers)")
        self.tail = tail
        noteLosses()
        // From now on nothing may be missed, not even by a kill before the first line.
        if isNewStream { saveCheckpoint(.now) }
    }

    /// How often lines of the log were lost; see ``LogTail/gaps``.
    var gaps: Int { tail.gaps }

    /// Whether a list is being made.
    var isReadingHolds: Bool { holds.isMaking }

    /// Whether what the publisher did not take waits to be sent again.
    var isPausing: Bool { client.isPausing }

    /// Runs until a signal ends it; then what is in the log is reported, as far as the publisher answers in time.
    mutating func run(_ lifecycle: Lifecycle) throws {
        lifecycle.ready()
        while true {
            switch try turn(lifecycle.signals) {
            case .terminate:
                lifecycle.stopping()
                try drain(lifecycle.signals)
                return
            case .reload: try reload(lifecycle)
            case nil: break
            }
        }
    }

    /// Takes over what can change while it runs: the choice of jails, the log's target and level, and the keys.
    private mutating func reload(_ lifecycle: Lifecycle) throws(ZeroMQError) {
        lifecycle.reload { configuration in
            guard let settings = configuration.monitor else { return }
            choose(ReportedJails(settings))
        }
        try client.renewKeys(now: .now)
    }

    /// Which jails are reported from now on. What they ban already, the log won't tell.
    mutating func choose(_ jails: ReportedJails) {
        guard jails != intake.jails else { return }
        intake.jails = jails
        holds.jailsChanged(now: .now)
    }

    /// Sends what is in the log now, for a limited time. A second signal ends it at once.
    private mutating func drain(_ signals: borrowing SignalDescriptor) throws {
        let end = ContinuousClock.now + MonitorService.drainLimit
        isDraining = true
        while hasMore || !intake.reporter.isIdle, ContinuousClock.now < end {
            if try turn(signals, until: end) == .terminate { break }
        }
        saveCheckpoint(.now)
        if !intake.reporter.isIdle { logger.warning("ended before the publisher acknowledged what was reported last") }
    }

    // MARK: - One turn

    /// Waits, and does what there is to do.
    ///
    /// - Parameter limit: wait no longer than until then.
    /// - Returns: a signal that came.
    mutating func turn(
        _ signals: borrowing SignalDescriptor, until limit: ContinuousClock.Instant? = nil
    ) throws -> SignalDescriptor.Signal? {
        polled.removeAll()
        let signal = polled.add(descriptor: signals.descriptor)
        let log = polled.add(descriptor: tail.descriptor)
        client.add(to: &polled)
        holds.add(to: &polled)
        try polled.wait(until: deadline(limit))
        let now = ContinuousClock.now
        if polled.isReadable(log) {
            try tail.look(now: now)
            troubles.log(tail)
            hasMore = true
        }
        try readLines(now)
        noteLosses()
        askWitness(now)
        holds.advance(&intake, witness, gaps: tail.gaps, isLogRead: !hasMore, now: now)
        try exchangeRequests(now)
        if holds.wantsLog { hasMore = true }
        if checkpoints.isDue(position: tail.position, isIdle: intake.reporter.isIdle, now: now) { saveCheckpoint(now) }
        troubles.log(intake.reporter.takeNotices(), now)
        return polled.isReadable(signal) ? signals.next() : nil
    }

    private func deadline(_ limit: ContinuousClock.Instant?) -> ContinuousClock.Instant? {
        let now = ContinuousClock.now
        let reading = hasMore && intake.reporter.wantsLines ? now : nil
        let holding = isDraining ? nil : holds.deadline(intake.reporter, isLogRead: !hasMore, now: now)
        let state = client.isIdle && !isDraining ? exchange.deadline : nil
        return [limit, reading, client.deadline, intake.reporter.deadline(now: now), holding, state].compactMap(\.self).min()
    }

    private mutating func readLines(_ now: ContinuousClock.Instant) throws(LogTailError) {
        guard hasMore, intake.reporter.wantsLines else { return }
        hasMore = try MonitorService.readLines(&tail, &intake, now) != .upToDate
    }

    private static func readLines(
        _ tail: inout LogTail, _ intake: inout LogIntake, _ now: ContinuousClock.Instant
    ) throws(LogTailError) -> LogTail.Progress {
        // Lines that are read together arrived together; the difference is less than a turn.
        let arrival = Timestamp.now
        return try tail.readLines(now: now) { line, position in intake.take(line, position: position, arrival: arrival) }
    }

    private mutating func askWitness(_ now: ContinuousClock.Instant) {
        guard let question = intake.reporter.question(now: now) else { return }
        let answer = witness.answer(question)
        if case .unavailable(let problem) = answer { troubles.log(problem, now) }
        intake.reporter.take(answer, to: question, now: now)
    }

    /// Takes the publisher's answer, and sends what is next.
    private mutating func exchangeRequests(_ now: ContinuousClock.Instant) throws(ZeroMQError) {
        if let answer = try client.advance(now: now) {
            unansweredSince = nil
            troubles.logAnswered()
            take(answer, now)
        }
        // A publisher that takes reports and nothing else must get them: what else has to be tried again stands back.
        let standsBack = client.isPausing && underWay != .report && intake.reporter.hasReport
        if client.isIdle || standsBack, let frames = nextRequest(now) {
            unansweredSince = now
            if underWay == .report, checkpoints.mustPrecedeReport(files: tail.fileCount, changes: tail.changes) { saveCheckpoint(now) }
            try client.send(now: now, frames)
        }
        if let since = unansweredSince, now - since >= MonitorService.silenceLimit { troubles.logUnanswered(now) }
    }

    /// Makes the frames of each try: the publisher reads the host's clock from them.
    private mutating func nextRequest(_ now: ContinuousClock.Instant) -> (() -> [[UInt8]])? {
        let hasReport = intake.reporter.hasReport
        if isDraining, !hasReport { return nil }
        guard let request = exchange.next(hasReport: hasReport, hasPage: holds.hasPage && !isDraining, now: now) else { return nil }
        // Another request in its place: an answer to the page would come to nobody.
        if !client.isIdle, underWay == .page { holds.pageDropped() }
        underWay = request
        switch request {
        case .report:
            guard var report = intake.reporter.nextReport(now: .now) else { return nil }
            holds.note(report)
            return {
                report.now = .now
                return report.message.frames
            }
        case .page:
            guard var page = holds.page(now: .now) else { return nil }
            return {
                page.now = .now
                return page.message.frames
            }
        case .state:
            let json = state.json
            return { DaemonState(.monitor, now: .now, json: json).message.frames }
        }
    }

    private var state: MonitorState {
        MonitorState(
            stream: intake.reporter.stream, position: intake.reporter.acknowledged, gaps: tail.gaps,
            undecided: intake.reporter.undecidedCount, waiting: intake.reporter.waitingCount,
            log: (tail.path, tail.problem.map { "\($0)" }), problem: intake.reporter.problem, last: holds.last)
    }

    private mutating func take(_ answer: Delivery, _ now: ContinuousClock.Instant) {
        let (meaning, term) = Exchange.meaning(of: answer.frames, to: underWay)
        if let term { holds.answered(term, now: now) }
        switch meaning {
        case .reported(let acknowledgement):
            troubles.log(acknowledgement, now)
            intake.reporter.acknowledge()
            checkpoints.acknowledged()
            // Read again, the log has all that was ever reported of it; else it is another one than the publisher knows.
            if !hasMore {
                tail.leap(behind: acknowledgement.position)
                intake.reporter.pass(to: tail.position)
            }
        case .pageTaken(let acknowledgement):
            troubles.log(acknowledgement, now)
            holds.pageTaken(acknowledgement.term, now: now)
        case .listRefused(let refusal): holds.refused(refusal, now: now)
        case .stateTaken: break
        case .stateRefused(let refusal): troubles.log(refusal, now)
        case .again(let refusal):
            troubles.log(refusal, now)
            // A page of a list that was given up is not worth another try.
            if underWay != .page || holds.hasPage {
                retryLater(now, onNextEndpoint: refusal.code == .standby)
            } else {
                holds.pageDropped()
            }
        case .nonsense(let error):
            troubles.log(error, now)
            if underWay != .state { retryLater(now) }
        }
    }

    private mutating func retryLater(_ now: ContinuousClock.Instant, onNextEndpoint: Bool = false) {
        client.retryLater(now: now, onNextEndpoint: onNextEndpoint)
        // The pause is no silence.
        unansweredSince = now + MonitorService.longestPause
    }

    // MARK: - The checkpoint

    /// Says what was lost. The list of holds heals it, also when it is not sent before the next start.
    private mutating func noteLosses() { troubles.log(tail.takeLosses()) }

    /// Writes what a restart goes on with. Complete between two turns and before a report is sent: then the witness was asked about each
    /// line that was taken.
    private mutating func saveCheckpoint(_ now: ContinuousClock.Instant) {
        let clock = ContinuousClock()
        var isWritten = true
        let took = clock.measure {
            let checkpoint = Checkpoint(
                machine: checkpointFile.machine, host: host, stream: stream, logPath: tail.path, place: tail.place, healedTerm: healedTerm,
                reporter: intake.reporter.savedState)
            do throws(SystemError) {
                try checkpointFile.write(checkpoint)
            } catch {
                isWritten = false
                troubles.logCheckpoint(error, now)
            }
        }
        checkpoints.wrote(position: tail.position, changes: tail.changes, took: took, isWritten: isWritten, now: clock.now)
    }
}
