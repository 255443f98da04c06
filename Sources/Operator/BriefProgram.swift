// The operator's command: another program that is run to its end, for what it prints.

import Daemon
import ZeroMQ

/// A program that prints little and ends soon.
enum BriefProgram {
    private static let mostOutput = 1 << 20

    /// What it printed, and how it ended; `nil` when it had to be ended.
    static func run(_ words: [String], within limit: Duration) throws -> (text: String, ending: ChildProcess.Ending?) {
        var child = try ChildProcess(words, input: false)
        let deadline = ContinuousClock.now + limit
        var output: [UInt8] = []
        var polled = PollSet()
        while ContinuousClock.now < deadline, output.count < mostOutput {
            let reading = child.read(into: &output, limit: mostOutput - output.count)
            if reading == .closed, let ending = child.reap() {
                return (String(decoding: output, as: UTF8.self), ending)
            }
            polled.removeAll()
            polled.add(descriptor: reading == .closed ? child.endDescriptor : child.outputDescriptor)
            try polled.wait(until: deadline)
        }
        child.kill()
        return (String(decoding: output, as: UTF8.self), nil)
    }
}
