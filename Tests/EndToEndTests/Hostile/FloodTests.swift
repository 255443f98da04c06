// Hostile peers: while one host floods the publisher, the others are heard as soon as before, or nearly.

import TestSupport
import Testing

@Suite(.serialized) struct FloodTests {
    /// How many times as long an honest host may wait for its acknowledgement as when nobody floods.
    private static let mostSlowdown = 5.0

    @Test(arguments: Flood.allCases) func aFloodOfOneHostKeepsNoOtherWaiting(flood: Flood) async throws {
        try await LoopbackCluster.with { cluster in
            let publisher = RunningProcess(try cluster.pid(of: "publisher"))
            let honest = try await HonestHost("web2", in: cluster)
            let mole = try await FloodingHost("mole", in: cluster)
            // In turns, so that whatever else happens on this machine happens to both.
            var (quiet, flooded): ([Duration], [Duration]) = ([], [])
            var (sent, answered) = (0, 0)
            var before = 0
            for round in 0..<3 {
                let count = quiet.count + flooded.count
                quiet += try await onThread { try honest.report(from: count, until: .now + .milliseconds(700)) }
                if round == 0 { before = publisher.anonymousMemory }
                let first = sent
                async let counts = onThread { try mole.run(flood, from: first) }
                try await eventually("the flood comes") { mole.isFlooding }
                let more = quiet.count + flooded.count
                flooded += try await onThread { try honest.report(from: more, until: .now + .milliseconds(1000)) }
                mole.stop()
                let (moreSent, moreAnswered) = try await counts
                sent += moreSent
                answered += moreAnswered
            }
            let growth = (publisher.anonymousMemory - before) >> 10
            let slowdown = flooded.median / quiet.median
            let worst = flooded.sorted()[flooded.count * 95 / 100]
            print(
                "flood of \(flood): \(sent) requests, \(answered) answers; an honest host waits \(quiet.median) without, \(flooded.median) with it:",
                "\(slowdown) times; 5 % longer than \(worst), without \(quiet.sorted()[quiet.count * 95 / 100]); \(flooded.count) of \(quiet.count); \(growth) KiB more"
            )
            #expect(sent > 100)
            #expect(slowdown < Self.mostSlowdown)
        }
    }
}
