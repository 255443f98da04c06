// Stage 3, enforcement: how long bans take from the log line that found them to this host's firewall.

import Daemon
import Glibc
import Wire

/// Times in buckets that each are an eighth of an octave wide, so that a percentile is exact to 9 %, in 2 KiB however many there are.
struct LatencyHistogram: Sendable, Equatable {
    private static let perOctave = 8.0
    /// Up to 2^31 ms.
    private static let buckets = 256

    private var counts = [UInt32](repeating: 0, count: LatencyHistogram.buckets)
    private(set) var count = 0

    /// - Parameter milliseconds: what is below 1 counts as 1.
    mutating func add(milliseconds: Int64) {
        let octaves = log2(Double(max(milliseconds, 1)))
        let bucket = min(Int(octaves * LatencyHistogram.perOctave), LatencyHistogram.buckets - 1)
        counts[bucket] &+= 1
        count += 1
    }

    mutating func add(_ other: LatencyHistogram) {
        for bucket in counts.indices { counts[bucket] &+= other.counts[bucket] }
        count += other.count
    }

    /// The time that the fraction of all took at most, in milliseconds: its bucket's upper end; `nil` when there is none.
    func percentile(_ fraction: Double) -> Int64? {
        guard count > 0 else { return nil }
        let rank = max(Int((Double(count) * fraction).rounded(.up)), 1)
        var sum = 0
        for bucket in counts.indices {
            sum += Int(counts[bucket])
            if sum >= rank { return Int64(exp2(Double(bucket + 1) / LatencyHistogram.perOctave).rounded(.up)) }
        }
        return nil
    }
}

/// Measures from a detected ban's log line to its being applied here, over the last hour or two.
///
/// The time up to the broadcast is the publisher's to tell, on its own clock; from its arrival on a monotonic clock measures. What lies
/// between, the broadcast's way through the network, is in neither.
struct LatencyMeter: Sendable {
    /// Announced bans that are not applied yet; of more, some are not measured.
    static let mostOpen = 10_000
    /// One that takes longer is not waited for.
    static let longest: Duration = .seconds(600)
    /// What is older than two of these is forgotten.
    static let period: Duration = .seconds(3600)

    private struct Open {
        /// Milliseconds that had passed when it arrived.
        var before: Int64
        var arrived: ContinuousClock.Instant
    }

    private var open: [Address: Open] = [:]
    private var current = LatencyHistogram()
    private var previous = LatencyHistogram()
    private var periodEnd: ContinuousClock.Instant

    init(now: ContinuousClock.Instant) { periodEnd = now + LatencyMeter.period }

    /// A broadcast announced it just now. Only what a host detected is measured: operators' orders and restored bans have no log line.
    mutating func announced(_ event: Event, publisherNow: Timestamp, now: ContinuousClock.Instant) {
        guard event.action == .ban, event.cause == .detected, let seen = event.seen else {
            open[event.address] = nil
            return
        }
        if open.count >= LatencyMeter.mostOpen { open = open.filter { $0.value.arrived + LatencyMeter.longest > now } }
        guard open.count < LatencyMeter.mostOpen else { return }
        open[event.address] = Open(before: max(publisherNow.milliseconds(since: seen), 0), arrived: now)
    }

    /// An enforcer has applied it.
    mutating func applied(_ address: Address, now: ContinuousClock.Instant) {
        guard let ban = open.removeValue(forKey: address) else { return }
        let took = ban.arrived.duration(to: now)
        guard took < LatencyMeter.longest else { return }
        if now >= periodEnd {
            previous = now < periodEnd + LatencyMeter.period ? current : LatencyHistogram()
            current = LatencyHistogram()
            periodEnd = now + LatencyMeter.period
        }
        current.add(milliseconds: ban.before + took.milliseconds)
    }

    /// Of both periods.
    var recent: LatencyHistogram {
        var all = previous
        all.add(current)
        return all
    }
}
