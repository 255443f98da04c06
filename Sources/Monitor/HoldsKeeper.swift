// Stage 1, event -> report: makes the complete list of what this host holds, from the database or else from fail2ban itself, beside the
// loop.

import Daemon
import Logging
import Wire
import ZeroMQ

/// Carries what ``HoldsSchedule`` decides: it reads a portion of the database a turn, or asks fail2ban-client, and keeps the list until its
/// last page is acknowledged. One list at a time.
///
/// It also asks fail2ban-client about Unbans that no database proves.
struct HoldsKeeper: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    /// The database was locked between two portions: fail2ban has it for milliseconds.
    private static let lockPause = Duration.milliseconds(200)
    /// How often in a row, until the list is given up for now: 20 s and the waiting itself.
    private static let lockLimit = 100

    private let host: Hostname
    private let stream: String
    private let logger: Logger
    private(set) var schedule: HoldsSchedule
    private var client: ClientWitness
    private var reading: HoldsReading?
    private var readAgain: Instant?
    private var locks = 0
    /// When the list that fail2ban-client is asked for was begun.
    private var clientList: (madeAt: Timestamp, position: UInt64)?
    /// What fail2ban-client said of Unbans; it counts when the log has been read as far.
    private var verdict: ClientInquiry.Findings?
    private var list: HoldsList?
    /// Up to which position was reported while a list was made.
    private var reportedUpTo: UInt64 = 0
    /// What was reported since fail2ban-client was asked for the list.
    private var reported: [Event] = []
    private var random = SystemRandomNumberGenerator()
    private var gaps = 0
    var clock = SteadyClock()
    /// Whether a page waits for its answer.
    private var isPageUnderWay = false
    /// Whether the list under way was given up, and only the answer to its page is awaited.
    private var isGivenUp = false
    private var failures = RateLimit(interval: .seconds(600))
    private var warnings = RateLimit(interval: .seconds(3600))
    /// The last list that the publisher has: when it was made, and how many bans it had.
    private(set) var last: (madeAt: Timestamp, count: Int)?

    /// - Parameter healedTerm: the publisher's term that has this stream's list already.
    init(reporter: borrowing Reporter, client: [String], healedTerm: Term? = nil, logger: Logger, now: Instant) {
        host = reporter.host
        stream = reporter.stream
        self.logger = logger
        self.client = ClientWitness(program: client)
        schedule = HoldsSchedule(healedTerm: healedTerm, now: now, using: &random)
    }

    /// Whether a page is to be sent.
    var hasPage: Bool { list != nil && !isGivenUp }

    /// Whether what fail2ban has logged until now must be read before it can go on.
    var wantsLog: Bool { verdict != nil }

    func add(to polled: inout PollSet) { client.add(to: &polled) }

    /// - Parameter isLogRead: whether all that the log has was taken; until then no list is begun.
    func deadline(_ reporter: borrowing Reporter, isLogRead: Bool, now: Instant) -> Instant? {
        let isClientIdle = client.purpose == nil && verdict == nil
        return [
            reading == nil ? nil : readAgain ?? now,
            client.deadline,
            isMaking || list != nil || !isLogRead ? nil : schedule.deadline(isIdle: reporter.isIdle),
            isClientIdle ? reporter.holdingBack.deadline : nil,
        ].compactMap(\.self).min()
    }

    /// Whether a list is being made, which takes several turns.
    var isMaking: Bool { reading != nil || clientList != nil }

    // MARK: - One turn

    /// Does what there is to do now.
    ///
    /// - Parameters:
    ///   - gaps: how often lines of the log were lost.
    ///   - isLogRead: whether all that the log has was taken.
    mutating func advance(_ intake: inout LogIntake, _ witness: Witness, gaps: Int, isLogRead: Bool, now: Instant) {
        if let step = clock.newStep() {
            logger.notice("this host's clock was set, \(step) ms from where it was at the start: the publisher is told all bans again")
            outdate()
            schedule.clockSet(now: now)
        }
        if gaps > self.gaps {
            self.gaps = gaps
            schedule.require(now: now)
        }
        if intake.reporter.hasUnknownEnds {
            intake.reporter.hasUnknownEnds = false
            schedule.require(now: now)
        }
        if let findings = verdict, isLogRead {
            verdict = nil
            intake.reporter.take(findings, now: now)
        }
        // Behind that: what comes now must wait until the log has been read once more.
        takeFindings(&intake, now)
        read(&intake, witness, now)
        // What stands in the log and was reported by an earlier run is older than the list, too.
        if !isMaking, list == nil, isLogRead, schedule.isDue(now: now, isIdle: intake.reporter.isIdle) {
            schedule.began(now: now)
            reading = HoldsReading(madeAt: .now, position: intake.reporter.taken)
            readAgain = nil
            read(&intake, witness, now)
        }
        guard client.purpose == nil, verdict == nil else { return }
        let jails = intake.reporter.clientQuestion(now: now)
        guard !jails.isEmpty, intake.reporter.ask(jails, now: now) else { return }
        do throws(SystemError) {
            try client.begin(.proof(jails), now: now)
        } catch {
            intake.reporter.clientFailed(now: now)
            warn(.ended(error.description), now)
        }
    }

    /// The choice of jails is another one. A list that is being made begins anew.
    mutating func jailsChanged(now: Instant) {
        reading = reading.map { HoldsReading(madeAt: $0.madeAt, position: $0.position) }
        schedule.require(now: now)
    }

    private mutating func read(_ intake: inout LogIntake, _ witness: Witness, _ now: Instant) {
        guard var reading = reading.take() else { return }
        if let readAgain, readAgain > now {
            self.reading = reading
            return
        }
        readAgain = nil
        switch reading.advance(witness, intake.jails) {
        case .more:
            locks = 0
            self.reading = reading
        case .done:
            locks = 0
            let isComplete = intake.reporter.ends.isComplete(at: reading.madeAt)
            for hold in intake.reporter.awaitedHolds where intake.jails.contains(hold.jail) { reading.add(hold) }
            finish(reading.gathering, reading.madeAt, reading.position, isWhole: isComplete, now)
        case .unavailable(.locked) where locks < HoldsKeeper.lockLimit:
            locks += 1
            readAgain = now + HoldsKeeper.lockPause
            self.reading = reading
        case .unavailable(let problem):
            locks = 0
            guard problem.isLasting else { return give(up: "\(problem)", now) }
            askForList(reading.madeAt, reading.position, intake.jails, now)
        }
    }

    private mutating func askForList(_ madeAt: Timestamp, _ position: UInt64, _ jails: ReportedJails, _ now: Instant) {
        // A question about Unbans is over within seconds; the list is due again then.
        guard client.purpose == nil else {
            schedule.outdated(now: now)
            return
        }
        do throws(SystemError) {
            try client.begin(.list(jails), now: now)
            clientList = (madeAt, position)
            reported = []
        } catch {
            give(up: error.description, now)
        }
    }

    private mutating func takeFindings(_ intake: inout LogIntake, _ now: Instant) {
        guard let purpose = client.purpose, let result = client.advance(now: now) else { return }
        switch (purpose, result) {
        case (.proof, .success(let findings)):
            verdict = findings
        case (.proof, .failure(let failure)):
            intake.reporter.clientFailed(now: now)
            warn(failure, now)
        case (.list, .success(let findings)):
            guard let (madeAt, position) = clientList.take() else { return }
            intake.reporter.learn(findings, now: madeAt)
            var gathering = HoldsGathering()
            for (jail, found) in findings.jails where intake.jails.contains(jail) {
                for ban in found.bans {
                    gathering.add(Hold(jail: jail, address: ban.address, seen: min(ban.seen ?? madeAt, madeAt), end: ban.end))
                }
            }
            for event in reported { _ = gathering.note(event) }
            // fail2ban without its database may have forgotten bans that nobody lifted.
            finish(gathering, madeAt, position, isWhole: false, now)
        case (.list, .failure(let failure)):
            clientList = nil
            give(up: failure.words, now)
        }
    }

    private mutating func finish(
        _ gathering: HoldsGathering, _ madeAt: Timestamp, _ position: UInt64, isWhole: Bool, _ now: Instant
    ) {
        if gathering.leftOut > 0, let more = warnings.heldBackNote(at: now) {
            logger.warning(
                "this host holds \(HoldsList.limit + gathering.leftOut) bans; the publisher is told of the first \(HoldsList.limit) only\(more)"
            )
        }
        let id = String(UInt64.random(in: .min ... .max, using: &random), radix: 16)
        let list = HoldsList(
            id: id, host: host, stream: stream, position: max(position, reportedUpTo), madeAt: madeAt, isWhole: isWhole,
            gathering: gathering)
        logger.debug("telling the publisher all \(list.count) bans of this host")
        self.list = list
    }

    private mutating func give(up reason: String, _ now: Instant) {
        schedule.failed(now: now, using: &random)
        guard let more = failures.heldBackNote(at: now) else { return }
        logger.warning(
            "neither fail2ban's database nor fail2ban-client tells what this host bans (\(reason)); set fail2bandbpath or fail2banclient; tried again\(more)"
        )
    }

    private mutating func warn(_ failure: ClientFailure, _ now: Instant) {
        guard let more = failures.heldBackNote(at: now) else { return }
        logger.warning("Unbans wait, as fail2ban can't be asked about them: \(failure.words)\(more)")
    }

    // MARK: - The list on its way

    /// What is being reported now, perhaps before a list that was read before.
    mutating func note(_ report: Report) {
        guard isMaking || list != nil else { return }
        let events = report.entries.compactMap { try? $0.content.get() }
        if clientList != nil { reported += events }
        for event in events { reading?.note(event) }
        reportedUpTo = max(reportedUpTo, report.position ?? 0)
        list?.note(events, upTo: report.position)
    }

    /// The page to send.
    mutating func page(now: Timestamp) -> HoldsPage? {
        isPageUnderWay = list != nil
        return list?.current(now: now)
    }

    /// The publisher has the page.
    mutating func pageTaken(_ term: Term, now: Instant) {
        isPageUnderWay = false
        guard !isGivenUp else { return outdate() }
        schedule.pageTaken(term)
        guard let isLast = list?.acknowledge(), isLast, let list = list.take() else { return }
        schedule.completed(now: now, using: &random)
        last = (list.madeAt, list.count)
        logger.info("the publisher knows all \(list.count) bans of this host")
    }

    /// The publisher won't take this list.
    mutating func refused(_ refusal: RequestRefusal, now: Instant) {
        isPageUnderWay = false
        guard !isGivenUp else { return outdate() }
        list = nil
        schedule.failed(now: now, using: &random)
        guard let more = failures.heldBackNote(at: now) else { return }
        logger.warning("the publisher did not take the list of this host's bans, which is sent again later: \(refusal)\(more)")
    }

    /// The page under way gets no answer. It is sent again, unless its list was given up.
    mutating func pageDropped() {
        isPageUnderWay = false
        if isGivenUp { outdate() }
    }

    /// Gives up the list that is being made or on its way. A page that waits for its answer stays: its answer must not be taken for one to
    /// another list's.
    private mutating func outdate() {
        reading = nil
        clientList = nil
        isGivenUp = isPageUnderWay
        if !isPageUnderWay { list = nil }
    }

    /// Any answer tells the publisher's term.
    mutating func answered(_ term: Term, now: Instant) {
        guard schedule.answered(term, now: now, using: &random) else { return }
        outdate()
        schedule.outdated(now: now)
    }
}
