// What `promote` says and does where there is nothing to promote, or nothing that runs.

import TestSupport
import Testing
import ZeroMQ

@Suite struct PromoteTests {
    @Test func aPublisherThatIsNoStandbyIsNotPromoted() async throws {
        try await LoneHost.with { host in
            let outcome = try await host.run(.publisher, "promote")
            #expect(outcome.status == 1)
            #expect(outcome.error.contains("has no standby = yes in [publisher]: this publisher is no standby. Nothing was changed"))
            #expect(!exists(host.folder("state")))
        }
    }

    @Test func aStandbyThatDoesNotRunIsActiveFromItsNextStart() async throws {
        try await LoneHost.with { host in
            try host.overlay("[publisher]\nstandby = yes\n")
            let outcome = try await host.run(.publisher, "promote")
            #expect(
                outcome
                    == Outcome(
                        status: 0, output: "fail2ban-publisher: promoted; it does not run now, and is active from its next start\n",
                        error: ""))
            let pid = try await host.start(.publisher)
            #expect(try await host.run(.publisher, "status").output == "fail2ban-publisher: running, process \(pid), active\n")
        }
    }

    @Test func aStandbyOpensNoJournalAnswersNobodyAndIsActiveWhenPromoteReturns() async throws {
        try await LoneHost.with { host in
            try host.overlay("[publisher]\nstandby = yes\n")
            let pid = try await host.start(.publisher)
            #expect(try await host.run(.publisher, "status").output == "fail2ban-publisher: running, process \(pid), standby\n")
            #expect(!exists(host.folder("state/journal.sqlite")) && !exists(host.folder("broadcasts")))
            let bans = try await host.shell("'\(Lab.programs)/fail2ban-cluster' bans -c '\(host.configuration)'")
            #expect(bans.status != 0)

            let promoted = try await host.run(.publisher, "promote")
            #expect(promoted == Outcome(status: 0, output: "fail2ban-publisher: promoted; active as process \(pid)\n", error: ""))
            #expect(exists(host.folder("state/journal.sqlite")) && exists(host.folder("broadcasts")))
            let list = try await host.shell("'\(Lab.programs)/fail2ban-cluster' bans -c '\(host.configuration)'")
            #expect(list.status == 0, "\(list)")

            let again = try await host.run(.publisher, "promote")
            #expect(
                again == Outcome(status: 0, output: "fail2ban-publisher: had been promoted already; active as process \(pid)\n", error: ""))
        }
    }

    @Test func aPromotedOneStandsByAgainWithoutItsMarker() async throws {
        try await LoneHost.with { host in
            try host.overlay("[publisher]\nstandby = yes\n")
            try await host.start(.publisher)
            #expect(try await host.run(.publisher, "promote").status == 0)
            #expect(try await host.run(.publisher, "restart").status == 0)
            #expect(try await host.run(.publisher, "status").output.hasSuffix(", active\n"))
            _ = try await host.shell("rm state/promoted")
            #expect(try await host.run(.publisher, "restart").status == 0)
            #expect(try await host.run(.publisher, "status").output.hasSuffix(", standby\n"))
        }
    }
}
