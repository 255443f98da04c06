// Stage 3, reception: notices that no broadcast comes, and says when a new connection is due.

/// The publisher sends a beat each second. When none comes, the connection may be one that only looks alive, as after a cut cable, and libzmq
/// cannot tell; so another one is made, with growing, jittered pauses.
struct SilenceWatch: Sendable {
    enum Action: Hashable, Sendable {
        case none
        /// Make a new connection. `isFirst` when broadcasts came before.
        case renew(isFirst: Bool)
    }

    /// Ten beats.
    static let limit: Duration = .seconds(10)
    /// Between tries when a publisher is away for long; libzmq meanwhile tries each connection again by itself.
    static let longestPause: Duration = .seconds(60)

    private var pause = GrowingPause(first: SilenceWatch.limit, most: SilenceWatch.longestPause)
    private(set) var deadline: ContinuousClock.Instant

    init(now: ContinuousClock.Instant) { deadline = now + SilenceWatch.limit }

    /// Takes note of a broadcast or a beat.
    ///
    /// - Returns: Whether it ends a silence.
    mutating func heard(now: ContinuousClock.Instant) -> Bool {
        defer { pause.reset() }
        deadline = now + SilenceWatch.limit
        return pause.failures > 0
    }

    mutating func advance(now: ContinuousClock.Instant, using random: inout some RandomNumberGenerator) -> Action {
        guard now >= deadline else { return .none }
        let isFirst = pause.failures == 0
        deadline = now + pause.next(using: &random)
        return .renew(isFirst: isFirst)
    }
}
