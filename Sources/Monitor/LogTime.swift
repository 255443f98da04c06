// Stage 1, log line -> event: makes a point in time of a line's stamp, which is mostly local time without a zone.

import Daemon
import Glibc
import Wire

/// Turns stamps into points in time, in this machine's time zone. One hour's result is kept, so a burst of lines costs no libc call.
///
/// When clocks are set back, an hour's stamps happen twice. Then the later of the two times is taken unless it is still in the
/// future: right for a log that is followed, up to an hour late for one that is read afterwards.
struct LogTime {
    private let zone: LocalZone
    private var stamps: LocalHour
    private var ends: LocalHour
    /// The year of `yearHour`, for stamps without one.
    private var year = 1970
    private var yearHour: Int64 = -1

    /// A stamp this far ahead of the arrival, in milliseconds, is no clock reading of this host: a line is written after its time
    /// was taken.
    private static let tolerance: Int64 = 1000
    /// 2000-01-01: fail2ban is from 2004.
    private static let earliest = Timestamp(milliseconds: 946_684_800_000)

    init(zone: LocalZone = .machine) {
        self.zone = zone
        stamps = LocalHour(zone: zone)
        ends = LocalHour(zone: zone)
    }

    /// When the line was written: its stamp's time, or `arrival` where it has none or one that can't be true.
    mutating func seen(_ stamp: LogStamp, arrival: Timestamp) -> Timestamp {
        let latest = arrival.advanced(byMilliseconds: LogTime.tolerance)
        let time: Timestamp
        switch stamp {
        case .none: return arrival
        case .exact(let exact): time = exact
        case .local(let local): time = stamps.timestamp(local, notAfter: latest)
        case .yearless(var local):
            local.year = localYear(arrival)
            let thisYear = stamps.timestamp(local, notAfter: latest)
            // A day of slack, so that a clock that runs ahead on New Year's Eve does not throw a line back by a year.
            if thisYear.milliseconds(since: arrival) > 86_400_000 {
                local.year -= 1
                time = stamps.timestamp(local, notAfter: latest)
            } else {
                time = thisYear
            }
        }
        return time > latest || time < LogTime.earliest ? arrival : time
    }

    /// The end that an `Increase Ban` line names; the later one where the time of day happens twice, so that no ban ends early.
    mutating func end(_ local: LocalTime) -> Timestamp { ends.timestamp(local, notAfter: .latest) }

    private mutating func localYear(_ now: Timestamp) -> Int {
        let hour = now.milliseconds / 3_600_000
        if hour != yearHour {
            year = zone.year(now)
            yearHour = hour
        }
        return year
    }
}

/// A time zone: what the C library knows of the machine's.
struct LocalZone: Sendable {
    /// When the hour of a local time began, in seconds since the epoch; `nil` when it did not exist with this setting of clocks.
    /// With neither setting (`nil`) the nearest guess.
    var beginOfHour: @Sendable (LocalTime, _ isSummer: Bool?) -> Int64?
    var year: @Sendable (Timestamp) -> Int

    /// By mktime(3) and localtime_r(3).
    static let machine = LocalZone(
        beginOfHour: { local, isSummer in
            var fields = tm()
            fields.tm_year = Int32(local.year - 1900)
            fields.tm_mon = Int32(local.month - 1)
            fields.tm_mday = Int32(local.day)
            fields.tm_hour = Int32(local.hour)
            fields.tm_isdst = isSummer.map { $0 ? 1 : 0 } ?? -1
            let seconds = mktime(&fields)
            // mktime moves what doesn't exist to what does, and shows it by the fields.
            if let isSummer {
                guard fields.tm_isdst == (isSummer ? 1 : 0), fields.tm_hour == Int32(local.hour) else { return nil }
            }
            return Int64(seconds)
        },
        year: { now in
            var seconds = time_t(now.milliseconds / 1000)
            var fields = tm()
            return localtime_r(&seconds, &fields) == nil ? 1970 : Int(fields.tm_year) + 1900
        })
}

/// One hour of local time and when it began, once or, when clocks were set back, twice.
private struct LocalHour {
    let zone: LocalZone
    private var hour = -1
    private var earlier: Int64 = 0
    private var later: Int64 = 0

    init(zone: LocalZone) { self.zone = zone }

    mutating func timestamp(_ local: LocalTime, notAfter limit: Timestamp) -> Timestamp {
        let wanted = ((local.year * 13 + local.month) * 32 + local.day) * 24 + local.hour
        if wanted != hour {
            let standard = zone.beginOfHour(local, false)
            let summer = zone.beginOfHour(local, true)
            let any = standard ?? summer ?? zone.beginOfHour(local, nil) ?? 0
            earlier = min(standard ?? any, summer ?? any)
            later = max(standard ?? any, summer ?? any)
            hour = wanted
        }
        let within = Int64(local.minute * 60_000 + local.second * 1000 + local.millisecond)
        let last = Timestamp(milliseconds: later * 1000 + within)
        return last <= limit ? last : Timestamp(milliseconds: earlier * 1000 + within)
    }
}
