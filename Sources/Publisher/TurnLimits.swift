// Stage 2, report -> admission -> journal -> broadcast: how much of each kind of work one turn of the loop does, so that none stops the
// others.

/// What is left waits for the next turn, which comes at once.
enum TurnLimits {
    /// Messages taken of a socket; the rest waits in libzmq's queues, which are bounded for each peer.
    static let requests = 256
    /// The same of old clients: none of them may be asked to wait, since they take every `NAK` for the last word.
    static let plainRequests = 32
    /// Rows that one transaction has before no further request is taken in its turn: some 50 ms of work. A request adds at most 16,000.
    static let rows = 10_000
    /// Rows of a batch that is written by the loop itself: below that, waking up another thread and being woken up take longer.
    static let rowsInPlace = 200
    /// Addresses whose end is looked at, so that a million that fall due together don't stop the loop.
    static let ends = 2000
    /// Addresses that are looked at when something more is protected.
    static let reviewed = 10_000
    /// Holds of hosts' lists that are compared.
    static let listed = 2000
    /// Questions that take more than a page of bans does, a millisecond or two each; who asks more is to ask again (NAK busy).
    static let questions = 32
    /// Rows of the journal that are searched for whoever asks for the history: some 10 ms of work. Who asked in vain asks again.
    static let historyRows: Int64 = 40_000
    /// How long ends that are due wait after the journal could not be written, so that a full disk is not tried in a tight loop.
    static let pauseAfterTrouble: Duration = .seconds(1)
}
