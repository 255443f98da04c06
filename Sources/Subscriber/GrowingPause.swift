// Stage 3, enforcement: how long to wait before the next try of something that failed.

/// A pause that doubles from `first` to `most` and varies by a quarter, so that hosts that failed together do not come back together.
struct GrowingPause: Sendable {
    let first: Duration
    let most: Duration
    /// Failures in a row.
    private(set) var failures = 0

    init(first: Duration, most: Duration) {
        self.first = first
        self.most = most
    }

    /// Counts a failure.
    mutating func next(using random: inout some RandomNumberGenerator) -> Duration {
        // 2^20 times any first pause is beyond any longest one.
        let doubled = min(first * (1 << min(failures, 20)), most)
        failures += 1
        return doubled * Double.random(in: 0.75...1.25, using: &random)
    }

    mutating func reset() { failures = 0 }
}
