// What each daemon does when it is told to start, stop, restart, reload, run and check itself, and what it leaves behind.

import Glibc
import TestSupport
import Testing

@Suite struct CommandTests {
    @Test(arguments: DaemonProgram.allCases)
    func aDaemonStartsReloadsRestartsAndStopsAndLeavesNoPidFile(program: DaemonProgram) async throws {
        try await LoneHost.with { host in
            #expect(try await host.run(program, "status") == Outcome(status: 3, output: "", error: "\(program.name): not running\n"))
            let check = try await host.run(program, "check")
            #expect(check.status == 0)
            #expect(check.output.hasSuffix("\(program.name): can start; read \(host.configuration)\n"))
            #expect(!exists(host.folder("run")) && !exists(host.folder("state")) && host.log.isEmpty, "check changed something")

            let started = try await host.run(program, "start")
            let first = try #require(host.pid(of: program))
            #expect(started.status == 0 && started.output == "\(program.name): started, process \(first)\n")
            #expect(
                try await host.run(program, "status").output
                    == "\(program.name): running, process \(first)\(program == .publisher ? ", active" : "")\n")

            let second = try await host.run(program, "start")
            #expect(
                second.status == 1
                    && second.error.hasSuffix(
                        "already runs as process \(first), which holds \(host.pidfile(program)); end that one first\n")
            )

            #expect(try await host.run(program, "reload").status == 0)
            try await eventually("the log says that it reloaded") { host.log.contains("\(program.name)[\(first)] notice: reloaded") }
            #expect(host.pid(of: program) == first)

            #expect(try await host.run(program, "restart").status == 0)
            let restarted = try #require(host.pid(of: program))
            #expect(restarted != first && !RunningProcess(first).isAlive)

            let stopped = try await host.run(program, "stop")
            #expect(stopped == Outcome(status: 0, output: "\(program.name): stopped, was process \(restarted)\n", error: ""))
            #expect(!exists(host.pidfile(program)) && !RunningProcess(restarted).isAlive)
            #expect(try await host.run(program, "stop").output == "\(program.name): was not running\n")
            #expect(try await host.run(program, "reload").status == 3)
        }
    }

    @Test(arguments: DaemonProgram.allCases)
    func inTheForegroundItSpeaksToItsTerminalAndEndsInOrderBySIGTERM(program: DaemonProgram) async throws {
        try await LoneHost.with { host in
            try host.overlay("[general]\nlogtarget = stderr\n")
            async let ended = host.run(program, "run")
            try await eventually("it runs") { try await host.run(program, "status").status == 0 }
            let pid = try #require(host.pid(of: program))
            kill(pid, SIGTERM)
            let outcome = try await ended
            #expect(outcome.status == 0 && outcome.output.isEmpty)
            #expect(outcome.error.contains(" \(program.name)[\(pid)] notice: starting configuration=\(host.configuration) version="))
            #expect(outcome.error.hasSuffix(" \(program.name)[\(pid)] notice: ended\n"))
            #expect(!exists(host.pidfile(program)))
        }
    }

    @Test(arguments: DaemonProgram.allCases)
    func afterAKillItStartsAgain(program: DaemonProgram) async throws {
        try await LoneHost.with { host in
            let first = try await host.start(program)
            kill(first, SIGKILL)
            try await eventually("its end is seen") { try await host.run(program, "status").status == 3 }
            #expect(exists(host.pidfile(program)), "who is killed removes nothing")
            let second = try await host.start(program)
            #expect(second != first)
            #expect(try await host.run(program, "stop").status == 0)
        }
    }

    @Test(arguments: DaemonProgram.allCases)
    func aPidFileOfAnotherProcessIsNoObstacleAndThatProcessIsLeftAlone(program: DaemonProgram) async throws {
        try await LoneHost.with { host in
            let sleeper = try await host.shell("sleep 600 > sleep.out 2>&1 & echo $!")
            let other = RunningProcess(try #require(pid_t(sleeper.output.dropLast())))
            defer { kill(other.pid, SIGKILL) }
            for text in ["\(other.pid)\n", "999999999\n", "", "1\n"] {
                try host.folder.write("run/\(program.rawValue).pid", text)
                #expect(try await host.run(program, "status").status == 3)
                #expect(try await host.run(program, "reload").status == 3)
                #expect(try await host.run(program, "stop") == Outcome(status: 0, output: "\(program.name): was not running\n", error: ""))
            }
            try host.folder.write("run/\(program.rawValue).pid", "\(other.pid)\n")
            #expect(try await host.start(program) != other.pid)
            #expect(try await host.run(program, "restart").status == 0)
            #expect(try await host.run(program, "stop").status == 0)
            #expect(other.isAlive && other.arguments.hasPrefix("sleep"))
        }
    }

    @Test(arguments: DaemonProgram.allCases)
    func aReloadWithAWrongConfigurationChangesNothing(program: DaemonProgram) async throws {
        try await LoneHost.with { host in
            let pid = try await host.start(program)
            for (text, words) in [
                ("[general]\nloglevel = loud\n", "f2bc.local:2: [general] loglevel: `loud` is not allowed"),
                ("\u{1}\u{2}", "f2bc.local:1: the line has control characters"),
            ] {
                try host.overlay(text)
                let refused = try await host.run(program, "reload")
                #expect(refused.status == 78 && refused.error.contains(words))
                kill(pid, SIGHUP)
                try await eventually("the log says why it did not reload") {
                    host.log.contains("error: not reloaded, the daemon goes on as it was: ") && host.log.contains(words)
                }
            }
            _ = try await host.shell("rm f2bc.local; cp f2bc.conf kept; \(LoneHost.removal(of: program))")
            kill(pid, SIGHUP)
            try await eventually("the log says what is missing") { host.log.contains("has no [\(program.rawValue)] any more") }
            #expect(RunningProcess(pid).isAlive)
            _ = try await host.shell("cp kept f2bc.conf")
        }
    }

    @Test func whatCannotStartAgainIsNotStopped() async throws {
        try await LoneHost.with { host in
            let pid = try await host.start(.publisher)
            _ = try await host.shell("chmod 644 keys/publisher.key")
            let outcome = try await host.run(.publisher, "restart")
            #expect(outcome.status == 78 && outcome.error.contains("run: chmod 600 \(host.folder("keys/publisher.key"))"))
            #expect(host.pid(of: .publisher) == pid && RunningProcess(pid).isAlive)
        }
    }

    @Test func aSecondPublisherOfTheSameJournalDoesNotStart() async throws {
        try await LoneHost.with { host in
            let pid = try await host.start(.publisher)
            // As an operator who copied the configuration, and changed what collided.
            _ = try await host.shell(
                "sed -e 's|run/publisher.pid|run/second.pid|' -e 's|/requests|/r2|' -e 's|/broadcasts|/b2|' f2bc.conf > second.conf")
            let second = try await host.shell("exec '\(Lab.programs)/fail2ban-publisher' start -c second.conf")
            #expect(second.status == 1)
            #expect(
                second.error.contains(
                    "already runs as process \(pid), which holds \(host.folder("state/journal.lock")); end that one first"))
            #expect(RunningProcess(pid).isAlive && !exists(host.folder("run/second.pid")))
        }
    }

    @Test func aKilledPublisherHasAllThatItAcknowledged() async throws {
        try await LoneHost.with { host in
            let pid = try await host.start(.publisher)
            try await LoopbackCluster.program("fail2ban-cluster", "ban", "198.51.100.7", "2001:db8:bad::/64", "-c", host.configuration)
            kill(pid, SIGKILL)
            try await eventually("its end is seen") { try await host.run(.publisher, "status").status == 3 }
            try await host.start(.publisher)
            let bans = try await LoopbackCluster.program("fail2ban-cluster", "bans", "-c", host.configuration)
            #expect(bans.contains("198.51.100.7") && bans.contains("2001:db8:bad::/64"))
        }
    }

    @Test func aStoppedMonitorHasReportedWhatWasInItsLog() async throws {
        try await LoopbackCluster.with { cluster in
            try cluster.appendToLog((1...200).map { LoopbackCluster.banLine("198.51.100.\($0)") })
            try await LoopbackCluster.program("fail2ban-monitor", "stop", "-c", cluster.configuration)
            let bans = try await LoopbackCluster.program("fail2ban-cluster", "bans", "-c", cluster.configuration)
            #expect(bans.split(separator: "\n").filter { $0.contains("198.51.100.") }.count == 200)
        }
    }

    @Test(arguments: DaemonProgram.allCases)
    func helpAndVersionAreThereAndAWrongCommandLineIsToldApart(program: DaemonProgram) async throws {
        let path = "\(Lab.programs)/\(program.name)"
        let version = try await execute([path, "--version"])
        #expect(version.status == 0 && version.output.wholeMatch(of: #/fail2ban-[a-z]+ \d+\.\d+\.\d+\n/#) != nil)
        let help = try await execute([path, "--help"])
        #expect(help.status == 0 && help.output.contains("Exit status: 0 done, 1 failed, 3 not running, 64 wrong command line, 77"))
        for command in ["start", "stop", "restart", "reload", "status", "run", "check"] {
            #expect(help.output.contains("\n  \(command) "))
            let help = try await execute([path, command, "--help"])
            #expect(help.status == 0 && help.output.contains("-c, --config <file>"))
            for wrong in [["-c"], ["--nonsense"], ["surplus"]] {
                let outcome = try await execute([path, command] + wrong)
                #expect(outcome.status == 64 && outcome.error.contains("Usage: \(program.name) \(command)"), "\(outcome)")
            }
        }
        #expect(try await execute([path, "nonsense"]).status == 64)
    }
}
