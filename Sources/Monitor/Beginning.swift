// Stage 1, log line -> event -> report: where a monitor begins that has just been started.

import Logging
import Wire

/// Where a monitor begins: where the last one was, or with a new stream.
struct Beginning {
    let stream: String
    let isNewStream: Bool
    let healedTerm: Term?
    let reporter: Reporter
    let start: LogTail.Start

    init(_ file: CheckpointFile, _ host: Hostname, _ logPath: String, _ logger: Logger) {
        do throws(NoCheckpoint) {
            let last = try file.read(host: host, logPath: logPath)
            (stream, isNewStream, healedTerm) = (last.stream, false, last.healedTerm)
            reporter = Reporter(host: host, stream: stream, position: last.place.position, saved: last.reporter, now: .now)
            start = .place(last.place)
            logger.notice("going on at position \(last.place.position) of stream \(stream)")
        } catch {
            // Positions go on from nothing, so they must not be taken for an earlier stream's.
            stream = String(UInt64.random(in: .min ... .max), radix: 16) + "-" + String(UInt64.random(in: .min ... .max), radix: 16)
            (isNewStream, healedTerm) = (true, nil)
            reporter = Reporter(host: host, stream: stream)
            start = .end
            logger.notice("beginning a new stream at the log's end: \(error)")
        }
    }
}
