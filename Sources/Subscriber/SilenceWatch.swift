// Stage 3, reception: notices that no broadcast comes, and says when a new connection is due.

/// The publisher sends a beat each second. When none comes, the connection may be one that only looks alive, as after a cut cable, and
/// libzmq cannot tell; so another one is made, with growing, jittered pauses.
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
    /// The same two while a key is being replaced: four beats. Silence may mean that the other key is in use now, which only a new
    /// connection can show.
    static let limitWithSeveralKeys: Duration = .seconds(4)

    /// Whether each new connection is tried with other keys than the one before.
    var hasSeveralKeys = false
    private var pause = GrowingPause(first: SilenceWatch.limit, most: SilenceWatch.longestPause)
    private var pauseWithSeveralKeys = GrowingPause(
        first: SilenceWatch.limitWithSeveralKeys, most: SilenceWatch.limitWithSeveralKeys)
    private(set) var deadline: ContinuousClock.Instant

    /// Whether nothing came for too long.
    var isSilent: Bool { pause.failures > 0 }

    init(now: ContinuousClock.Instant) { deadline = now + SilenceWatch.limit }

    /// Takes note of a broadcast or a beat.
    ///
    /// - Returns: Whether it ends a silence.
    mutating func heard(now: ContinuousClock.Instant) -> Bool {
        defer { pause.reset() }
        deadline = now + limit
        return pause.failures > 0
    }

    /// How long a silence may be.
    var limit: Duration { hasSeveralKeys ? SilenceWatch.limitWithSeveralKeys : SilenceWatch.limit }

    mutating func advance(now: ContinuousClock.Instant, using random: inout some RandomNumberGenerator) -> Action {
        guard now >= deadline else { return .none }
        let isFirst = pause.failures == 0
        let next = pause.next(using: &random)
        deadline = now + (hasSeveralKeys ? pauseWithSeveralKeys.next(using: &random) : next)
        return .renew(isFirst: isFirst)
    }
}
