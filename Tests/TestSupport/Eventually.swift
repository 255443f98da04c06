// The one way in which an end-to-end test waits for an outside program, which can't be awaited: it asks again until a deadline.

import Testing

/// Asks `condition` until it holds, and records an issue when it does not by the deadline.
///
/// Only for what other programs show (fail2ban-client, nft); within the project's own code, await the event instead.
/// - Parameters:
///   - limit: how long it may take. It is generous, because a test tells whether something happens, not how fast.
///   - expectation: what is awaited, for the message.
/// - Throws: what `condition` throws.
/// - Returns: how long it took.
@discardableResult
public func eventually(
    _ expectation: String, within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws -> Duration {
    let clock = ContinuousClock()
    let start = clock.now
    while try await !condition() {
        if clock.now - start > limit {
            Issue.record("not within \(limit): \(expectation)", sourceLocation: sourceLocation)
            break
        }
        // A fifth of the time that fail2ban-client itself takes to answer.
        try await Task.sleep(for: .milliseconds(10))
    }
    return clock.now - start
}
