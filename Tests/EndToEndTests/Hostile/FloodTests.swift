// Hostile peers: while one host floods the publisher, the others are heard as soon as before, or nearly.

import TestSupport
import Testing

@Suite(.serialized) struct FloodTests {
    /// How many times as long an honest host may wait for its acknowledgement as when nobody floods.
    private static let mostSlowdown = 5.0
    /// Bytes that the publisher may have allocated more than before: the flood's 700 holds, and queues that are bounded.
    private static let mostGrowth = 32 << 20

    @Test(arguments: Flood.allCases) func aFloodOfOneHostKeepsNoOtherWaiting(flood: Flood) async throws {
        try await LoopbackCluster.with { cluster in
            let publisher = RunningProcess(try cluster.pid(of: "publisher"))
            let honest = try await HonestHost("web2", in: cluster)
            let mole = try await FloodingHost("mole", in: cluster)
            // In turns, so that whatever else happens on this machine happens to both.
            var (quiet, flooded): ([Duration], [Duration]) = ([], [])
            var (sent, answered) = (0, 0)
            var before = 0
            var round = 0
            // Where others use the processors too, three rounds are few; a flood that really holds up others does so in all of them.
            while round < 3 || round < 9 && flooded.median / quiet.median >= Self.mostSlowdown {
                let count = quiet.count + flooded.count
                quiet += try await onThread { try honest.report(from: count, until: .now + .milliseconds(300)) }
                if round == 0 { before = publisher.anonymousMemory }
                let first = sent
                async let counts = onThread { try mole.run(flood, from: first) }
                try await eventually("the flood comes") { mole.isFlooding }
                let more = quiet.count + flooded.count
                flooded += try await onThread { try honest.report(from: more, until: .now + .milliseconds(500)) }
                mole.stop()
                let (moreSent, moreAnswered) = try await counts
                sent += moreSent
                answered += moreAnswered
                round += 1
            }
            let growth = publisher.anonymousMemory - before
            let slowdown = flooded.median / quiet.median
            let worst = flooded.sorted()[flooded.count * 95 / 100]
            print(
                "flood of \(flood): \(sent) requests, \(answered) answers; an honest host waits \(quiet.median) without, \(flooded.median) with it:",
                "\(slowdown) times; 5 % longer than \(worst), without \(quiet.sorted()[quiet.count * 95 / 100]); \(flooded.count) of \(quiet.count); \(growth >> 10) KiB more; \(round) rounds"
            )
            #expect(sent > 100)
            #expect(slowdown < Self.mostSlowdown || Sanitizer.takesTime)
            #expect(growth < Self.mostGrowth || Sanitizer.takesMemory)
        }
    }
}
