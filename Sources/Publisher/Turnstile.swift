// Stage 2, report -> admission -> journal -> broadcast: how much of the loop's time one host may have, so that a flood keeps no other
// waiting.

import Wire

/// Lets each host's requests through, up to a share of each turn of the loop. Who sends more without waiting for answers is asked to wait
/// (`NAK busy`) seven times as long as its share took, before anything of its requests is parsed: it gets an eighth of the time at most.
///
/// A host that awaits each answer, as every daemon and command does, has a few requests under way and never reaches that. A value; time is
/// a parameter.
struct Turnstile {
    /// What one host may cost in a turn, in bytes: some milliseconds of work.
    static let share = 64 * 1024
    /// What a request costs besides its own bytes and those of its answer: sixteen small ones are a share.
    static let perRequest = 4 * 1024
    /// How many times as long as its share took a host waits that sends more.
    static let patience = 7
    /// Requests that are turned away in one turn; what else waits stays in libzmq's queues, from which connections are served in turns.
    static let mostRefusals = 8

    private var costs: [Hostname: Int] = [:]
    private var spent: [Hostname: Duration] = [:]
    /// Until when those that sent too much have to wait.
    private var closed: [Hostname: ContinuousClock.Instant] = [:]
    /// Who has had its share in this turn and sent more.
    private var turnedAway: Set<Hostname> = []
    private var refusals = 0

    /// What a turn's requests cost, until it is known what the journal took for them.
    struct Bill {
        fileprivate var costs: [Hostname: Int]
        /// Those that sent too much, and until when they have to wait already.
        fileprivate var closed: [Hostname: ContinuousClock.Instant]
    }

    /// That of this turn.
    var bill: Bill { Bill(costs: turnedAway.isEmpty ? [:] : costs, closed: closed.filter { turnedAway.contains($0.key) }) }

    /// A turn of the loop begins.
    mutating func beginTurn(now: ContinuousClock.Instant) {
        (costs, spent, turnedAway, refusals) = ([:], [:], [], 0)
        if !closed.isEmpty { closed = closed.filter { $0.value > now } }
    }

    /// Whether no more requests are taken in this turn.
    var isTurnOver: Bool { refusals >= Turnstile.mostRefusals }

    /// Whether a request of the host is looked at; if not, the answer is `NAK busy`.
    mutating func admits(_ host: Hostname, now: ContinuousClock.Instant) -> Bool {
        if !turnedAway.contains(host), costs[host, default: 0] >= Turnstile.share {
            closed[host] = now + spent[host, default: .zero] * Turnstile.patience
            turnedAway.insert(host)
        }
        // Its share is for the whole turn, however long that lasts.
        guard turnedAway.contains(host) || closed[host].map({ $0 > now }) ?? false else { return true }
        refusals += 1
        return false
    }

    /// A request of the host was served.
    ///
    /// - Parameters:
    ///   - bytes: of the request and its answer.
    ///   - took: how long it took, without the journal.
    mutating func count(_ host: Hostname, bytes: Int, took: Duration) {
        costs[host, default: 0] += Turnstile.perRequest + bytes
        spent[host, default: .zero] += took
    }

    /// The journal was written for all requests of a turn together; each host has its part in that.
    mutating func countJournal(took: Duration, of bill: Bill) {
        let total = bill.costs.values.reduce(0, +)
        for (host, end) in bill.closed {
            closed[host, default: end] += took * Turnstile.patience * (Double(bill.costs[host, default: 0]) / Double(max(total, 1)))
        }
    }
}
