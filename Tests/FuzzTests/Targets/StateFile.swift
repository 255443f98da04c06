// Fuzzing: the files that the daemons leave for their next start, after a disk or somebody changed them.

import Wire

@testable import Monitor
@testable import Publisher
@testable import Subscriber

extension FuzzTarget {
    /// The monitor's checkpoint without its checksum, the subscriber's place, or the write-ahead log of the publisher's journal.
    static let stateFile = FuzzTarget(name: "state-file", longest: 8192) { input in
        try require(Checkpoint(text: input).map { Checkpoint(text: $0.text) == $0 } ?? true, "the checkpoint means something else")
        // With the checksum that belongs to it: a fuzzer does not find that.
        let body = input.last == UInt8(ascii: "\n") ? input : input + [UInt8(ascii: "\n")]
        try checkCheckpoint(body + Array("sum=\(String(fnv1a(body.span), radix: 16))\n".utf8))

        let file = try MemoryFile(input)
        if let place = FollowedPlace(path: file.path).read() { try require(place.last <= UInt64(Int64.max), "no number is so large") }
        let log = try WriteAheadLog(path: file.path)
        try require(log.whole + log.behindDamage <= input.count / 536, "more transactions than there is room for")
    }
}

/// A checkpoint is printed as one that says the same, and a monitor that goes on from it reports what the publisher takes.
private func checkCheckpoint(_ text: [UInt8]) throws(Finding) {
    guard let checkpoint = Checkpoint(text: text) else { return }
    try require(Checkpoint(text: checkpoint.text) == checkpoint, "the checkpoint means something else: \(checkpoint.text.text)")
    var reporter = Reporter(
        host: checkpoint.host, stream: checkpoint.stream, position: checkpoint.place.position, saved: checkpoint.reporter, now: .now)
    guard let report = reporter.nextReport(now: .whenFuzzing) else { return }
    try require((try? Report(report.message)) == report, "REPORT means something else")
    reporter.acknowledge()
}
