// Stage 1, log line -> event -> report: what the operator is told while it runs, each kind at a bounded rate and with its remedy.

import Daemon
import Glibc
import Logging
import Wire

/// The monitor's log of what goes wrong. A thing that stays wrong is said again, but not more than once a minute.
struct Troubles {
    private let logger: Logger
    private var logProblem: LogTailError?
    /// Whether the operator was told that there is no log.
    private var isLogMissed: Bool
    private var longLines = 0
    private var isUnanswered = false
    private var silence = RateLimit(interval: .seconds(60))
    private var refusedRequests = RateLimit(interval: .seconds(60))
    private var refusedEvents = RateLimit(burst: 10, interval: .seconds(10))
    private var nonsense = RateLimit(interval: .seconds(60))
    private var checkpoint = RateLimit(interval: .seconds(60))
    private var database = RateLimit(interval: .seconds(60))
    private var notices = RateLimit(burst: 5, interval: .seconds(60))

    /// - Parameter logProblem: what is known already.
    init(logger: Logger, logProblem: LogTailError?) {
        self.logger = logger
        self.logProblem = logProblem
        isLogMissed = logProblem != nil
    }

    /// The state of the log, when it changed.
    mutating func log(_ tail: borrowing LogTail) {
        if tail.problem != logProblem {
            if let problem = tail.problem {
                // A rotation renames the log before it makes the new one.
                isLogMissed = !tail.isFollowing || problem.code != ENOENT
                logger.log(level: isLogMissed ? .warning : .debug, "\(problem)")
            } else {
                logger.log(level: isLogMissed ? .notice : .debug, "\(tail.path) is there")
            }
            logProblem = tail.problem
        }
        if tail.longLines > longLines {
            logger.info("passed over \(tail.longLines - longLines) lines longer than \(LogTail.longestLine) bytes")
            longLines = tail.longLines
        }
    }

    /// What is missing between the log and the reports.
    func log(_ losses: [LogLoss]) {
        for loss in losses { logger.error("lines of fail2ban's log may be lost: \(loss)") }
    }

    mutating func logCheckpoint(_ error: SystemError, _ now: ContinuousClock.Instant) {
        guard let more = checkpoint.heldBackNote(at: now) else { return }
        logger.error("the checkpoint can't be kept, so a restart repeats or misses lines: \(error)\(more)")
    }

    mutating func log(_ problem: WitnessProblem, _ now: ContinuousClock.Instant) {
        if problem.isLasting {
            guard problem != .none, let more = database.heldBackNote(at: now) else { return }
            logger.warning("fail2ban is asked in place of its database, so Unbans come seconds later: \(problem)\(more)")
            return
        }
        guard let more = database.heldBackNote(at: now) else { return }
        logger.warning("fail2ban's database says nothing, so Unbans and exact ends wait: \(problem)\(more)")
    }

    mutating func log(_ counts: [Reporter.Notice: Int], _ now: ContinuousClock.Instant) {
        for (notice, count) in counts {
            guard let more = notices.heldBackNote(at: now) else { continue }
            switch notice {
            case .unknownJail(let jail):
                logger.warning(
                    "\(count) lines of jail [\(jail)] are not reported, since fail2ban's database has no such jail: forged, or fail2bandbpath is another fail2ban's\(more)"
                )
            case .undecidedDropped:
                logger.warning("\(count) Unbans could not be proven and are dropped; their bans end by their own time\(more)")
            case .endNotLookedUp:
                logger.warning("\(count) bans keep an estimated end: too many wait for their row in fail2ban's database\(more)")
            case .stopsNotLogged:
                logger.warning(
                    "\(count) Unbans are not reported: without its database an admin's are told from a stop's by the log, and fail2ban logs less than INFO; set loglevel = INFO in fail2ban.local\(more)"
                )
            }
        }
    }

    // MARK: - The publisher

    mutating func logUnanswered(_ now: ContinuousClock.Instant) {
        isUnanswered = true
        guard silence.admit(at: now) != nil else { return }
        logger.warning(
            "the publisher does not answer; reports wait in fail2ban's log. Is it up, does zmqreplyserver name it, is this host in its authorized_hosts?"
        )
    }

    mutating func logAnswered() {
        guard isUnanswered else { return }
        isUnanswered = false
        logger.notice("the publisher answers again")
    }

    /// A refusal of a whole report, which is sent again later.
    mutating func log(_ refusal: RequestRefusal, _ now: ContinuousClock.Instant) {
        let remedy: String
        switch refusal.code {
        case .busy:
            logger.debug("the publisher is busy")
            return
        case .standby: remedy = "the next server in zmqreplyserver is asked"
        case .storage: remedy = "the publisher cannot write its journal; see its log"
        case .role: remedy = "on the publisher: fail2ban-cluster authorize with --roles monitor"
        case .host: remedy = "hostname here must be the name that this host's key has in authorized_hosts"
        case .version, .verb: remedy = "the publisher is of another version; bring both to the same"
        case .malformed, .toolarge: remedy = "please report it; nothing is lost, since the log is read on when it is accepted"
        }
        guard let more = refusedRequests.heldBackNote(at: now) else { return }
        logger.error("the publisher refuses our reports (\(refusal)): \(remedy)\(more)")
    }

    /// Events that the publisher refused; they are in its history, and the log is read on.
    mutating func log(_ acknowledgement: Acknowledgement, _ now: ContinuousClock.Instant) {
        for refusal in acknowledgement.refused {
            guard let more = refusedEvents.heldBackNote(at: now) else { continue }
            let place = refusal.position.map { " at \($0)" } ?? ""
            logger.notice("the publisher did not take the event\(place): \(refusal.reason)\(more)")
        }
    }

    /// An answer that is none.
    mutating func log(_ error: MessageError, _ now: ContinuousClock.Instant) {
        guard let more = nonsense.heldBackNote(at: now) else { return }
        logger.error("the publisher's answer can't be read (\(error)); is zmqreplyserver its endpoint for requests?\(more)")
    }
}
