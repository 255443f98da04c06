// Stage 1, log line -> event: from a line's bytes to the reporter.

import Daemon
import Wire

/// Reads lines for the reporter, and leaves out what is never reported.
struct LogIntake {
    var reporter: Reporter
    var jails: ReportedJails
    private var time = LogTime()

    init(reporter: Reporter, jails: ReportedJails) {
        self.reporter = reporter
        self.jails = jails
    }

    /// - Returns: whether more lines are wanted.
    mutating func take(_ line: Span<UInt8>, position: UInt64, arrival: Timestamp) -> Bool {
        guard let sighting = sighting(line, position, arrival) else {
            reporter.pass(to: position)
            return true
        }
        reporter.take(sighting)
        return reporter.wantsLines
    }

    private mutating func sighting(_ line: Span<UInt8>, _ position: UInt64, _ arrival: Timestamp) -> Sighting? {
        // Most lines of a log are not of a ban; why they aren't is of interest to `check` only.
        guard let read = try? LogLineParser.parse(line), jails.contains(read.jail) else { return nil }
        return Sighting(read, position: position, arrival: arrival, &time)
    }
}
