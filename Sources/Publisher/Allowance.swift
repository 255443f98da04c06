// Stage 2, report -> admission -> journal -> broadcast: how much one host may report, so that one that was taken over can't drown the
// others.

import Wire

/// `maxrate` for each host: events a second, counted as a bucket that fills evenly. A value; time is a parameter.
///
/// A host that is over its rate is asked to wait (`NAK busy`) and loses nothing, since its log is its queue. A report is taken while the
/// bucket isn't empty, and may overdraw it: the next one waits the longer.
struct Allowance {
    /// Events a second; 0 is no limit.
    private let rate: Int
    /// What each host has left, in thousandths of an event, and when that was so. Only of authorised hosts.
    private var buckets: [Hostname: (left: Int64, at: Timestamp)] = [:]

    init(rate: Int) { self.rate = rate }

    /// Takes `events` out of the host's bucket.
    /// - Returns: `false` when it has to wait; nothing was taken then.
    mutating func take(_ events: Int, of host: Hostname, now: Timestamp) -> Bool {
        guard rate > 0 else { return true }
        let full = Int64(rate) * 1000
        var left = full
        if let bucket = buckets[host] {
            // A year of filling fits; the clock is the publisher's own, which goes on evenly.
            let elapsed = min(max(now.milliseconds(since: bucket.at), 0), 365 * 24 * 3600 * 1000)
            left = min(bucket.left + elapsed * Int64(rate), full)
        }
        guard left > 0 else {
            buckets[host] = (left, now)
            return false
        }
        buckets[host] = (left - Int64(events) * 1000, now)
        return true
    }
}
