// scripts/start and scripts/stop: the daemons that a host's configuration names, all of them and no other.

import Glibc
import TestSupport
import Testing

@Suite struct ScriptTests {
    /// Runs scripts/NAME for the host.
    private func script(_ name: String, on host: LoneHost, _ more: String = "") async throws -> Outcome {
        try await host.shell("exec '\(Lab.repository)/scripts/\(name)' -c '\(host.configuration)' --bin '\(Lab.programs)' \(more)")
    }

    private func running(on host: LoneHost) -> [DaemonProgram] {
        DaemonProgram.allCases.filter { program in host.pid(of: program).map { RunningProcess($0).isAlive } ?? false }
    }

    @Test func allThatTheConfigurationNamesAreStartedAndStopped() async throws {
        try await LoneHost.with { host in
            let started = try await script("start", on: host)
            #expect(started.status == 0 && started.error.isEmpty, "\(started)")
            #expect(started.output.split(separator: "\n").count == 3)
            #expect(running(on: host) == DaemonProgram.allCases)
            let stopped = try await script("stop", on: host)
            #expect(stopped.status == 0 && stopped.error.isEmpty, "\(stopped)")
            #expect(running(on: host) == [])
            #expect(namesInFolder(host.folder("run")) == [])
            #expect(try await script("stop", on: host).status == 0)
        }
    }

    @Test func onlyWhatTheConfigurationAndItsOverlaysNameIsStarted() async throws {
        try await LoneHost.with { host in
            _ = try await host.shell("\(LoneHost.removal(of: .publisher)); \(LoneHost.removal(of: .subscriber))")
            #expect(try await script("start", on: host).status == 0)
            #expect(running(on: host) == [.monitor])
            #expect(try await script("stop", on: host).status == 0)

            try host.folder.write("f2bc.d/10.conf", "  [publisher] # here too\npidfile = \(host.pidfile(.publisher))\n")
            _ = try await host.shell("sed -i 's/replybindurl.*//' f2bc.conf; \(LoneHost.removal(of: .monitor))")
            try host.overlay(
                "[publisher]\nreplybindurl = ipc://\(host.folder("requests"))\nbroadcasterbindurl = ipc://\(host.folder("broadcasts"))\n")
            #expect(try await script("start", on: host).status == 0)
            #expect(running(on: host) == [.publisher])
        }
    }

    @Test func oneThatDoesNotStartIsSaidAndTheOthersAreStartedAllTheSame() async throws {
        try await LoneHost.with { host in
            _ = try await host.shell("chmod 644 keys/publisher.key")
            let started = try await script("start", on: host)
            #expect(started.status == 78)
            #expect(started.error.contains("fail2ban-publisher: ") && started.error.contains("run: chmod 600"))
            #expect(started.error.contains("start: fail2ban-publisher start failed (exit code 78)\n"))
            #expect(running(on: host) == [.monitor, .subscriber])
            // A second time: what runs already has failed to start.
            _ = try await host.shell("chmod 600 keys/publisher.key")
            let again = try await script("start", on: host)
            #expect(again.status == 1 && again.error.contains("start: fail2ban-monitor start failed (exit code 1)"))
            #expect(running(on: host) == DaemonProgram.allCases)
        }
    }

    @Test func oneThatCannotBeStoppedIsSaidAndTheOthersAreStopped() async throws {
        try await LoneHost.with { host in
            #expect(try await script("start", on: host).status == 0)
            let pid = try #require(host.pid(of: .subscriber))
            // A stopped process takes no signal to end until it goes on.
            kill(pid, SIGSTOP)
            defer { kill(pid, SIGCONT) }
            let path = "\(host.folder.path)/bin"
            _ = try await host.shell(
                """
                mkdir bin; ln -s '\(Lab.programs)'/fail2ban-monitor '\(Lab.programs)'/fail2ban-publisher bin
                printf '#!/bin/sh\\nexec "\(Lab.programs)/fail2ban-subscriber" "$@" --timeout 1s\\n' > bin/fail2ban-subscriber
                chmod 755 bin/fail2ban-subscriber
                """)
            let stopped = try await host.shell("exec '\(Lab.repository)/scripts/stop' -c '\(host.configuration)' --bin '\(path)'")
            #expect(stopped.status == 1)
            #expect(stopped.error.contains("fail2ban-subscriber: has not ended 1s after SIGTERM, as process \(pid)"), "\(stopped)")
            #expect(stopped.error.contains("stop: fail2ban-subscriber stop failed (exit code 1)\n"))
            #expect(running(on: host) == [.subscriber])
        }
    }

    @Test func withoutAnythingToStartItIsAnErrorOfTheConfiguration() async throws {
        try await LoneHost.with(keys: false) { host in
            for name in ["start", "stop"] {
                _ = try await host.shell("echo '[general]' > f2bc.conf")
                let empty = try await script(name, on: host)
                #expect(empty.status == 78)
                #expect(empty.error == "\(name): \(host.configuration) has none of the sections [publisher], [subscriber], [monitor]\n")
                _ = try await host.shell("rm f2bc.conf")
                let missing = try await script(name, on: host)
                #expect(
                    missing.status == 78 && missing.error.contains("there is no configuration \(host.configuration): name it with -c FILE"))
                #expect(try await script(name, on: host, "--nonsense").status == 64)
                #expect(try await script(name, on: host, "-c").status == 64)
                let help = try await script(name, on: host, "--help")
                #expect(help.status == 0 && help.output.contains("the daemons that a host's configuration names"))
            }
        }
    }
}
