// Two publishers on one journal would give the same numbers twice.

import FoundationEssentials
import TestSupport
import Testing

@Suite struct SecondPublisherTests {
    @Test func aSecondPublisherDoesNotStartOnTheSameJournal() async throws {
        try await LoopbackCluster.with { cluster in
            let other = cluster.directory + "/other.conf"
            let text = try String(contentsOfFile: cluster.configuration, encoding: .utf8)
                .replacing("publisher.pid", with: "other.pid").replacing("cluster.log", with: "other.log")
            try text.write(toFile: other, atomically: true, encoding: .utf8)
            let output = try await LoopbackCluster.programOutput("fail2ban-publisher", ["start", "-c", other])
            if output.isSuccess { try await LoopbackCluster.program("fail2ban-publisher", "stop", "-c", other) }
            #expect(output.exitCode == 1)
            #expect(output.text.contains("\(cluster.directory)/journal.lock"), "\(output.text)")
        }
    }
}
