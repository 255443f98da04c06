// Stage 1, event -> report: decides when the publisher is sent the complete list of what this host holds. No I/O, no clock.

import Wire

/// When a list is due: on a new stream, after a gap in the log, when the host's clock was set, when the publisher's term is another one,
/// and once an hour.
///
/// It is made when the reporter is idle, so that what the log says of the same bans has been sent before; it waits for that only a
/// little. None is begun before the publisher has answered something, since a list that waits gets old.
public struct HoldsSchedule: Sendable {
    public typealias Instant = ContinuousClock.Instant

    /// Between lists when nothing calls for one. The difference from hour to hour is ``jitter``.
    static let interval = Duration.seconds(3600)
    /// The part of the interval that is random, either way: the hosts of a cluster must not come all at once.
    static let jitter = 0.1
    /// How long a due list waits for the reporter to be idle.
    static let patience = Duration.seconds(5)
    /// A new term is met by all hosts within the same second or two; their lists are spread over this.
    static let spread = Duration.seconds(2)
    /// The pauses after a list that failed: doubling from the first to the last.
    static let firstPause = Duration.seconds(60)
    static let longestPause = Duration.seconds(3600)
    /// The term changed while a list was on its way: the next one is due at once, but not in a circle.
    static let shortPause = Duration.seconds(2)

    /// The term of the publisher that has this host's complete list; `nil` while none has.
    public private(set) var healedTerm: Term?
    /// The term of the last answer.
    private(set) var term: Term?

    private var due: Instant
    /// The term for which a list is due or under way.
    private var wantedFor: Term?
    private var isUnderWay = false
    /// Whether another one is called for since the one under way was begun.
    private var isOvertaken = false
    /// The term of the first page's answer.
    private var listTerm: Term?
    private var failures = 0
    private var began: Instant?

    /// - Parameters:
    ///   - healedTerm: what an earlier run of the same stream knew; `nil` begins with a list.
    public init(healedTerm: Term? = nil, now: Instant, using random: inout some RandomNumberGenerator) {
        self.healedTerm = healedTerm
        wantedFor = healedTerm
        due = healedTerm == nil ? now : now + HoldsSchedule.hour(&random)
    }

    /// Lines of the log are lost, or bans were reported whose end nobody knew: the log does not tell everything.
    public mutating func require(now: Instant) {
        healedTerm = nil
        isOvertaken = isUnderWay
        let earliest = began.map { $0 + HoldsSchedule.firstPause } ?? now
        due = min(due, max(now, earliest))
    }

    /// The host's clock was set. The publisher has put what it was told before on its own clock by one that may have been wrong, and
    /// fail2ban ends its bans by the one that is now; so each of them may have another end. A list that is being made has times of both.
    public mutating func clockSet(now: Instant) {
        if isUnderWay {
            isUnderWay = false
            due = now + HoldsSchedule.interval
        }
        require(now: now)
    }

    /// Any answer shows the publisher's term.
    /// - Returns: whether the list under way has to be given up, as it began in another term.
    @discardableResult
    public mutating func answered(_ term: Term, now: Instant, using random: inout some RandomNumberGenerator) -> Bool {
        self.term = term
        if isUnderWay {
            guard let listTerm else { return false }
            return term != listTerm
        }
        if term != healedTerm, term != wantedFor {
            wantedFor = term
            failures = 0
            due = min(due, now + HoldsSchedule.spread * Double.random(in: 0...1, using: &random))
        }
        return false
    }

    /// Whether to make a list now.
    public func isDue(now: Instant, isIdle: Bool) -> Bool {
        guard !isUnderWay, term != nil else { return false }
        return due <= now && (isIdle || due + HoldsSchedule.patience <= now)
    }

    /// When ``isDue(now:isIdle:)`` may change by time alone; `nil` when it can't.
    public func deadline(isIdle: Bool) -> Instant? {
        guard !isUnderWay, term != nil else { return nil }
        return isIdle ? due : due + HoldsSchedule.patience
    }

    /// A list is being made and sent.
    public mutating func began(now: Instant) {
        isUnderWay = true
        isOvertaken = false
        began = now
        listTerm = nil
    }

    /// A page was acknowledged in this term.
    public mutating func pageTaken(_ term: Term) { if listTerm == nil { listTerm = term } }

    /// The last page was acknowledged.
    public mutating func completed(now: Instant, using random: inout some RandomNumberGenerator) {
        isUnderWay = false
        wantedFor = listTerm
        failures = 0
        if isOvertaken {
            due = (began ?? now) + HoldsSchedule.firstPause
        } else {
            healedTerm = listTerm
            due = now + HoldsSchedule.hour(&random)
        }
    }

    /// The list could not be made, or was refused.
    public mutating func failed(now: Instant, using random: inout some RandomNumberGenerator) {
        isUnderWay = false
        failures += 1
        due = now + failurePause * Double.random(in: 0.75...1.25, using: &random)
    }

    /// The publisher began another term before it had all pages.
    public mutating func outdated(now: Instant) {
        isUnderWay = false
        wantedFor = term
        due = now + HoldsSchedule.shortPause
    }

    private var failurePause: Duration {
        failures == 0 ? .zero : min(HoldsSchedule.firstPause * (1 << min(failures - 1, 10)), HoldsSchedule.longestPause)
    }

    private static func hour(_ random: inout some RandomNumberGenerator) -> Duration {
        interval * Double.random(in: (1 - jitter)...(1 + jitter), using: &random)
    }
}
