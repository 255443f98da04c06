// A disk that is really full under the publisher's journal: what was acknowledged stays, the rest is refused, and it recovers by itself.

import Glibc
import TestSupport
import Testing

@Suite struct FullDiskTests {
    @Test(.needsMount) func aFullDiskStopsAcknowledgementsAloneAndTheyGoOnWhenThereIsSpaceAgain() async throws {
        try await LoneHost.withSmallDisk("2m") { host in try await fill(host) }
    }

    /// Bans 250 addresses by one order.
    private func ban(_ batch: Int, on host: LoneHost) async throws -> Outcome {
        try await host.shell(
            "seq -f '10.\(batch / 200).\(batch % 200).%g' 0 249 | '\(Lab.programs)/fail2ban-cluster' ban - --for 1d -c f2bc.conf")
    }

    private func bans(on host: LoneHost) async throws -> Int {
        try await host.shell("'\(Lab.programs)/fail2ban-cluster' bans -c f2bc.conf").output.split(separator: "\n")
            .filter { $0.hasPrefix("10.") }.count
    }

    private func fill(_ host: LoneHost) async throws {
        try await host.start(.publisher)
        var acknowledged = 0
        var refused: Outcome?
        for batch in 0..<400 where refused == nil {
            let outcome = try await ban(batch, on: host)
            if outcome.status == 0 { acknowledged += 1 } else { refused = outcome }
        }
        #expect(acknowledged > 0 && refused != nil)
        #expect(host.log.contains("database or disk is full") && host.log.contains("nothing is acknowledged meanwhile"))
        // Nothing of a refused order has happened, and questions are answered.
        #expect(try await bans(on: host) == acknowledged * 250)
        #expect(try await host.shell("mount -o remount,size=30m state").status == 0)
        #expect(try await ban(acknowledged, on: host).status == 0)
        let pid = try #require(host.pid(of: .publisher))
        kill(pid, SIGKILL)
        try await eventually("its end") { kill(pid, 0) != 0 }
        try await host.start(.publisher)
        #expect(try await bans(on: host) == (acknowledged + 1) * 250)
    }
}

extension LoneHost {
    /// A host whose state folder is a disk of its own, of this size; the publisher is stopped in the end.
    static func withSmallDisk(_ size: String, _ body: (LoneHost) async throws -> Void) async throws {
        try await LoneHost.with { host in
            let mounted = try await host.shell("mkdir state && mount -t tmpfs -o size=\(size) fail2ban-cluster-test state")
            try #require(mounted.status == 0, "\(mounted)")
            do {
                try await body(host)
            } catch {
                _ = try? await host.run(.publisher, "stop")
                _ = try? await host.shell("umount -l state")
                throw error
            }
            #expect(try await host.run(.publisher, "stop").status == 0)
            _ = try await host.shell("umount state")
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips a test, saying why, where no small disk can be made.
    static var needsMount: Self {
        .enabled("a small disk needs root and CAP_SYS_ADMIN") {
            let script = "d=$(mktemp -d) && mount -t tmpfs -o size=1m fail2ban-cluster-test $d && umount $d; s=$?; rmdir $d; exit $s"
            return try await execute(["sh", "-c", script]).status == 0
        }
    }
}
