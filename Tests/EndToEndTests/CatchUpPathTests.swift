// What a host missed reaches it all the same: late starts, stops, cuts and a killed publisher, on real hosts.

import TestSupport
import Testing

@Suite(.needsLab, .serialized) struct CatchUpPathTests {
    private func everyHost(of lab: Lab, enforces addresses: Set<String>) async throws -> Bool {
        for host in lab.hosts {
            guard try await host.banned() == addresses, try await host.refused() == addresses else { return false }
        }
        return true
    }

    @Test func aHostThatStartsLateEnforcesWhatIsBannedAlready() async throws {
        try await Lab.with { lab in
            try await lab.host(1).start()
            try await lab.host(2).start()
            try await lab.host(2).loginFailure(from: "203.0.113.1", "2001:db8:bad::1")
            try await eventually("both bans on web1") { try await lab.host(1).banned() == ["203.0.113.1", "2001:db8:bad::1"] }
            try await lab.host(3).start()
            try await eventually("both bans on web3") { try await everyHost(of: lab, enforces: ["203.0.113.1", "2001:db8:bad::1"]) }
        }
    }

    @Test func whatHappensWhileASubscriberIsDownIsRightSoonAfterItIsBack() async throws {
        try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.1", "203.0.113.2")
            try await eventually("two bans everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.1", "203.0.113.2"]) }
            // A new host follows for certain when two lists of its fail2ban agree; before, it keeps for ten minutes what is lifted
            // meanwhile.
            try await eventually("web3 remembers its place") { !lab.host(3).file("state/subscriber.term").isEmpty }
            try await lab.host(3).stop()
            #expect(try await lab.host(3).banned() == ["203.0.113.1", "203.0.113.2"], "bans stay in place")
            try await lab.host(2).loginFailure(from: "203.0.113.3")
            try await lab.host(2).client("set", "sshd", "unbanip", "203.0.113.2")
            try await eventually("the change on web1") { try await lab.host(1).banned() == ["203.0.113.1", "203.0.113.3"] }
            try await lab.host(3).start()
            try await eventually("the change on web3") { try await everyHost(of: lab, enforces: ["203.0.113.1", "203.0.113.3"]) }
        }
    }

    @Test func aHostThatWasCutOffGetsWhatItMissed() async throws {
        try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.1")
            try await eventually("the ban everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.1"]) }
            _ = try await lab.host(3).execute("ip", "link", "set", "eth0", "down")
            try await lab.host(2).loginFailure(from: "203.0.113.2")
            try await lab.host(2).client("set", "sshd", "unbanip", "203.0.113.1")
            // web3's own bans during the cut reach the others after it.
            try await lab.host(3).loginFailure(from: "203.0.113.3")
            try await eventually("the change on web1") { try await lab.host(1).banned() == ["203.0.113.2"] }
            #expect(try await lab.host(3).banned() == ["203.0.113.1"])
            _ = try await lab.host(3).execute("ip", "link", "set", "eth0", "up")
            _ = try await lab.host(3).execute("ip", "address", "replace", "2001:db8::3/64", "dev", "eth0", "nodad")
            try await eventually("the same everywhere", within: .seconds(60)) {
                try await everyHost(of: lab, enforces: ["203.0.113.2", "203.0.113.3"])
            }
        }
    }

    @Test func aKilledPublisherKnowsEverythingAgainAndSoDoesEveryHost() async throws {
        try await Lab.with { lab in
            try await lab.startDaemons()
            try await lab.host(2).loginFailure(from: "203.0.113.1", "203.0.113.2")
            try await eventually("two bans everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.1", "203.0.113.2"]) }
            try await lab.host(1).killPublisher()
            try await lab.host(3).loginFailure(from: "203.0.113.3")
            try await lab.host(2).client("set", "sshd", "unbanip", "203.0.113.1")
            let started = try await lab.host(1).execute("fail2ban-publisher", "start", "-c", lab.host(1).configuration)
            #expect(started.isSuccess, "\(started.text)")
            try await eventually("all of it everywhere", within: .seconds(60)) {
                try await everyHost(of: lab, enforces: ["203.0.113.2", "203.0.113.3"])
            }
        }
    }

    @Test func withoutAPublisherAHostGoesOnEnforcingAndLetsBansEndAtTheirTime() async throws {
        try await Lab.with(hosts: 2, bantime: "25s") { lab in
            try await lab.startDaemons()
            try await lab.host(1).loginFailure(from: "203.0.113.1")
            try await eventually("the ban everywhere") { try await everyHost(of: lab, enforces: ["203.0.113.1"]) }
            let banned = ContinuousClock.now
            try await lab.host(1).killPublisher()
            #expect(try await everyHost(of: lab, enforces: ["203.0.113.1"]))
            try await eventually("the end of the ban", within: .seconds(60)) { try await everyHost(of: lab, enforces: []) }
            #expect(ContinuousClock.now - banned > .seconds(15), "it did not end early")
        }
    }
}
