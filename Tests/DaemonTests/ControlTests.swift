// Promises of start, stop, restart, reload, status, run and check, kept by a real process.

import ArgumentParser
import Glibc
import TestSupport
import Testing

@testable import Daemon

@Suite struct StartTests {
    @Test func aStartedDaemonRunsUntilItIsStoppedAndLeavesNoPidFile() async throws {
        let sample = try Sample()
        let started = try await sample.run("start")
        let pid = try #require(sample.pid)
        #expect(started == .init(status: 0, output: "sample-daemon: started, process \(pid)\n", error: ""))
        #expect(textOfFile(sample.pidfile) == "\(pid)\n")
        #expect(try await sample.run("status") == .init(status: 0, output: "sample-daemon: running, process \(pid)\n", error: ""))
        #expect(try await sample.run("stop") == .init(status: 0, output: "sample-daemon: stopped, was process \(pid)\n", error: ""))
        #expect(!exists(sample.pidfile))
        #expect(try await sample.run("status") == .init(status: 3, output: "", error: "sample-daemon: not running\n"))
        #expect(try await sample.run("stop") == .init(status: 0, output: "sample-daemon: was not running\n", error: ""))
    }

    @Test func aSecondStartSaysWhoRunsAlready() async throws {
        let sample = try Sample()
        let pid = try await sample.start()
        let second = try await sample.run("start")
        #expect(second.status == 1)
        #expect(
            second.error
                == "sample-daemon: already runs as process \(pid), which holds \(sample.pidfile); end that one first\n")
        #expect(sample.pid == pid)
        #expect(textOfFile(sample.pidfile) == "\(pid)\n")
    }

    @Test func ofTwoThatStartAtOnceOneRuns() async throws {
        let sample = try Sample()
        async let first = sample.run("start")
        async let second = sample.run("start")
        let results = try await [first, second]
        #expect(results.map(\.status).sorted() == [0, 1])
        #expect(sample.pid != nil)
    }

    @Test(arguments: ["", "999999\n", "1\n", "\(getpid())\n", "  12  \n"])
    func aPidFileWithoutItsLockIsNoObstacle(text: String) async throws {
        let sample = try Sample()
        try sample.folder.write("run/sample.pid", text)
        #expect(try await sample.run("status").status == 3)
        let pid = try await sample.start()
        #expect(textOfFile(sample.pidfile) == "\(pid)\n")
    }

    @Test func aFileThatIsNoPidFileIsLeftAlone() async throws {
        let sample = try Sample()
        try sample.folder.write("run/sample.pid", "root:x:0:0\n")
        let result = try await sample.run("start")
        #expect(result.status == 78)
        #expect(result.error.contains("is no pid file"))
        #expect(textOfFile(sample.pidfile) == "root:x:0:0\n")
    }

    @Test func aKilledDaemonIsNoLongerRunningAndCanBeStartedAgain() async throws {
        let sample = try Sample()
        let first = try await sample.start()
        kill(first, SIGKILL)
        try awaitEnd(of: first)
        #expect(exists(sample.pidfile))
        #expect(try await sample.run("status").status == 3)
        #expect(try await sample.run("reload").status == 3)
        let second = try await sample.start()
        #expect(second != first)
    }

    @Test func theReasonOfAFailedStartIsShownWithItsExitStatus() async throws {
        let sample = try Sample()
        let result = try await sample.run("start", environment: ["SAMPLE_RUN": "fail"])
        #expect(result == .init(status: 1, output: "", error: "sample-daemon: port 5678 is in use. Stop whoever has it\n"))
        #expect(!exists(sample.pidfile))
        #expect(sample.folder.read("log")?.contains("critical: ended: port 5678 is in use") ?? false)
    }

    @Test func aDaemonThatDiesBeforeItIsReadyIsAFailedStart() async throws {
        let sample = try Sample()
        let result = try await sample.run("start", environment: ["SAMPLE_RUN": "crash"])
        #expect(result == .init(status: 1, output: "", error: "sample-daemon: was ended by signal 9 before it was ready\n"))
    }

    @Test func whatCheckFindsKeepsItFromStarting() async throws {
        let sample = try Sample()
        let result = try await sample.run("start", environment: ["SAMPLE_CHECK": "problem"])
        #expect(result == .init(status: 77, output: "", error: "sample-daemon: no key in the key folder. Make one\n"))
        let warned = try await sample.run("start", environment: ["SAMPLE_CHECK": "warning"])
        #expect(warned.status == 0)
        #expect(warned.error == "sample-daemon: warning: the log is missing\n")
        #expect(sample.folder.read("log")?.contains("warning: the log is missing") ?? false)
    }

    @Test func aStartThatTakesTooLongSaysSoAndGoesOn() async throws {
        let sample = try Sample()
        let result = try await sample.run("start", "--timeout", "1s", environment: ["SAMPLE_RUN": "late"])
        let pid = try #require(sample.pid)
        #expect(result.status == 1)
        #expect(result.error.hasPrefix("sample-daemon: is not ready after 1s and goes on starting as process \(pid). "))
    }

    @Test func aWrongConfigurationIsSaidBeforeAnythingStarts() async throws {
        let sample = try Sample("qorum = 1")
        for command in ["start", "run", "check", "status", "stop", "restart", "reload"] {
            let result = try await sample.run(command)
            #expect(result.status == 78)
            #expect(result.error.hasPrefix("sample-daemon: \(sample.configuration):7: [monitor] qorum: no such key"))
        }
        #expect(!exists(sample.pidfile))
    }

    @Test func aDaemonWithoutItsSectionDoesNotRunOnThisHost() async throws {
        let sample = try Sample()
        try sample.folder.write("sample.conf", "[general]\nhostname = host1\n[publisher]\n")
        for command in ["start", "run", "check", "restart"] {
            let result = try await sample.run(command)
            #expect(result.status == 78)
            #expect(
                result.error == "sample-daemon: \(sample.configuration) has no [monitor] section: sample-daemon does not run on this host. "
                    + "Add the section if it should\n")
        }
    }

    @Test(arguments: [["nonsense"], ["start", "--nonsense"], ["start", "--timeout", "soon"]])
    func aWrongCommandLineIsAUsageError(arguments: [String]) async throws {
        #expect(try await Sample().shell("$SAMPLE \(arguments.joined(separator: " "))").status == 64)
    }

    @Test func helpAndVersionAreThere() async throws {
        let sample = try Sample()
        #expect(try await sample.shell("$SAMPLE --version").output == "sample-daemon \(packageVersion)\n")
        let help = try await sample.shell("$SAMPLE --help").output
        for command in ["start", "stop", "restart", "reload", "status", "run", "check"] { #expect(help.contains("\n  \(command) ")) }
    }
}

@Suite struct SubcommandTests {
    private struct OwnCheck: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "check")
    }

    private enum Extended: Service {
        static let programName = "extended"
        static let abstract = ""
        static let section = Configuration.Section.monitor
        static var subcommands: [any ParsableCommand.Type] { [OwnCheck.self] }
        static func run(_ configuration: Configuration, _ lifecycle: Lifecycle) {}
    }

    @Test func aServiceMayReplaceASubcommand() {
        let commands = DaemonCommand<Extended>.configuration.subcommands
        #expect(commands.map { $0.configuration.commandName } == ["start", "stop", "restart", "reload", "status", "run", "check"])
        #expect(commands.last == OwnCheck.self)
    }
}

@Suite struct DaemonTests {
    @Test func itHasItsOwnSessionAndNothingOfItsStarter() async throws {
        let sample = try Sample()
        let result = try await sample.shell("exec 9<\"$CONF\"; cd \"$FOLDER\"; exec \"$SAMPLE\" start -c sample.conf")
        #expect(result.status == 0)
        let pid = try #require(sample.pid)
        #expect(getsid(pid) == pid)
        #expect(target("/proc/\(pid)/cwd") == "/")
        let open = namesInFolder("/proc/\(pid)/fd").map { target("/proc/\(pid)/fd/\($0)") }
        #expect(open.filter { $0 == "/dev/null" }.count == 3)
        #expect(!open.contains(sample.configuration))
        #expect(!open.contains { $0.hasPrefix("pipe:") })
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func aSignalEndsItAndLeavesNoPidFile(signal: Int32) async throws {
        let sample = try Sample()
        let pid = try await sample.start()
        kill(pid, signal)
        try awaitEnd(of: pid)
        #expect(!exists(sample.pidfile))
    }

    @Test func aDaemonThatDoesNotEndInTimeIsNotKilled() async throws {
        let sample = try Sample()
        let pid = try await sample.start(["SAMPLE_RUN": "deaf"])
        let result = try await sample.run("stop", "--timeout", "1s")
        #expect(result.status == 1)
        #expect(result.error.hasPrefix("sample-daemon: has not ended 1s after SIGTERM, as process \(pid): "))
        #expect(sample.pid == pid)
    }

    @Test func restartReplacesTheProcess() async throws {
        let sample = try Sample()
        let first = try await sample.start()
        let result = try await sample.run("restart")
        let second = try #require(sample.pid)
        #expect(result == .init(status: 0, output: "sample-daemon: restarted, process \(second)\n", error: ""))
        #expect(second != first)
    }

    @Test func restartStartsWhatDidNotRun() async throws {
        let sample = try Sample()
        #expect(try await sample.run("restart").status == 0)
        #expect(sample.pid != nil)
    }

    @Test func reloadReadsTheConfigurationAndOpensTheLogAnew() async throws {
        let sample = try Sample()
        let manager = try NotifyListener(sample.folder("notify"))
        let pid = try await sample.start(["NOTIFY_SOCKET": sample.folder("notify")])
        #expect(manager.next() == "READY=1")
        rename(sample.folder("log"), sample.folder("log.1"))
        #expect(try await sample.run("reload").status == 0)
        #expect(manager.next().hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        #expect(manager.next() == "READY=1")
        #expect(sample.pid == pid)
        let log = try #require(sample.folder.read("log"))
        #expect(log.contains(#/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d sample-daemon\[\d+\] notice: reloaded /#))
        #expect(try await sample.run("stop").status == 0)
        #expect(manager.next() == "STOPPING=1")
    }

    @Test func aReloadThatFailsChangesNothing() async throws {
        let sample = try Sample()
        let manager = try NotifyListener(sample.folder("notify"))
        let pid = try await sample.start(["NOTIFY_SOCKET": sample.folder("notify")])
        #expect(manager.next() == "READY=1")
        let good = try #require(sample.folder.read("sample.conf"))
        try sample.folder.write("sample.conf", good + "\nnonsense\n")
        kill(pid, SIGHUP)
        #expect(manager.next().hasPrefix("RELOADING=1"))
        #expect(manager.next() == "READY=1")
        #expect(sample.folder.read("log")?.contains("error: not reloaded, the daemon goes on as it was: ") ?? false)
        try sample.folder.write("sample.conf", good)
        #expect(try await sample.run("status").status == 0)
    }

    @Test func aRotatedLogIsOpenedAnewWhateverTheConfigurationHasBecome() async throws {
        let sample = try Sample()
        let manager = try NotifyListener(sample.folder("notify"))
        let pid = try await sample.start(["NOTIFY_SOCKET": sample.folder("notify")])
        #expect(manager.next() == "READY=1")
        try sample.folder.write("sample.conf", "nonsense\n")
        rename(sample.folder("log"), sample.folder("log.1"))
        kill(pid, SIGHUP)
        #expect(manager.next().hasPrefix("RELOADING=1"))
        #expect(manager.next() == "READY=1")
        #expect(sample.folder.read("log")?.contains("not reloaded") ?? false)
    }

    @Test func checkChangesNothingAndSaysWhatItRead() async throws {
        let sample = try Sample("auth = true")
        let result = try await sample.run("check")
        #expect(result.status == 0)
        #expect(result.output.contains("warning: \(sample.configuration):7: [monitor] auth: has no effect"))
        #expect(result.output.hasSuffix("sample-daemon: can start; read \(sample.configuration)\n"))
        #expect(namesInFolder(sample.folder.path) == ["sample.conf"])
        let problem = try await sample.run("check", environment: ["SAMPLE_CHECK": "problem"])
        #expect(problem.status == 77)
        #expect(problem.output.contains("sample-daemon: problem: no key in the key folder. Make one\n"))
    }

    @Test func theJournalGetsPrioritiesAndNoTimes() async throws {
        let sample = try Sample()
        try sample.folder.write("sample.local", "[general]\nlogtarget = stderr\n")
        let result = try await sample.shell(
            "export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec \"$SAMPLE\" run -c \"$CONF\"",
            environment: ["SAMPLE_RUN": "fail"])
        let lines = result.error.split(separator: "\n")
        #expect(lines.first?.hasPrefix("<5>starting configuration=") ?? false)
        #expect(lines.last == "<3>sample-daemon: port 5678 is in use. Stop whoever has it")
    }

    @Test func aLogThatCannotBeOpenedIsNamedByItsKey() async throws {
        let sample = try Sample()
        try sample.folder.write("sample.local", "[general]\nlogtarget = /nowhere/log\n")
        let result = try await sample.run("start")
        #expect(result.status == 78)
        #expect(
            result.error
                == "sample-daemon: \(sample.folder("sample.local")):2: [general] logtarget: cannot open the log /nowhere/log: No such file or directory\n"
        )
        #expect(!exists(sample.pidfile))
    }

    private func target(_ link: String) -> String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink(link, &path, path.count)
        return String(decoding: path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// What only root can do: run commands as the user nobody, and mount something for one process.
@Suite(.enabled(if: geteuid() == 0, "only root can become another user"))
struct OtherUserTests {
    /// Whether CAP_SYS_ADMIN, bit 21 of capabilities(7), is effective.
    private static let mayMount: Bool = {
        let line = textOfFile("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        return line.flatMap { UInt64($0.dropFirst("CapEff:\t".count), radix: 16) }.map { $0 & 1 << 21 != 0 } ?? false
    }()

    /// The program from where anyone may run it.
    private let asNobody = """
        cp "$SAMPLE" "$FOLDER/sample"; chmod 755 "$FOLDER/sample"
        nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$FOLDER/sample" "$@" -c "$CONF"; }

        """

    @Test func aPidFileThatMayNotBeMadeIsAPermissionError() async throws {
        let sample = try Sample()
        let result = try await sample.shell(asNobody + "nobody start")
        #expect(result.status == 77)
        #expect(result.error.hasPrefix("sample-daemon: cannot create the folder \(sample.folder("run")): Permission denied. "))
    }

    @Test func anyoneMayAskForTheStatusAndOnlyItsOwnerMayStopIt() async throws {
        let sample = try Sample()
        let pid = try await sample.start()
        #expect(try await sample.shell(asNobody + "nobody status").status == 0)
        for command in ["stop", "reload"] {
            let result = try await sample.shell(asNobody + "nobody \(command)")
            #expect(result.status == 77)
            #expect(result.error.hasPrefix("sample-daemon: may not be signalled by this user, as process \(pid). "))
        }
        let second = try await sample.shell(asNobody + "nobody start")
        #expect(second.status == 77)
        #expect(sample.pid == pid)
    }

    @Test func aConfigurationThatMayNotBeReadIsAPermissionError() async throws {
        let sample = try Sample()
        chmod(sample.configuration, 0o600)
        let result = try await sample.shell(asNobody + "nobody start")
        #expect(result.status == 77)
        #expect(result.error.hasPrefix("sample-daemon: cannot read \(sample.configuration): Permission denied; "))
    }

    /// In a mount namespace of its own, where /dev/log is a socket of the test. Only /dev is made private: in a chroot / is no mount point.
    @Test(.enabled(if: mayMount, "this root may not mount anything"), arguments: ["syslog", "stderr"])
    func aDaemonInTheBackgroundLogsToSyslog(target: String) async throws {
        let sample = try Sample()
        try sample.folder.write("sample.local", "[general]\nlogtarget = \(target)\n")
        let syslog = try NotifyListener(sample.folder("syslog"))
        let result = try await sample.shell(
            """
            exec unshare --mount --propagation unchanged sh -ec '
                mount --make-private /dev; mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; ln -s "$FOLDER/syslog" /dev/log
                exec "$SAMPLE" start -c "$CONF"'
            """)
        try #require(result.status == 0, "\(result)")
        #expect(result.error.contains("notice: starting") == (target == "stderr"))
        let pid = try #require(sample.pid)
        #expect(try await sample.run("stop").status == 0)
        // Facility DAEMON is 3, notice 5: 3 * 8 + 5.
        if target == "syslog" { #expect(syslog.next().contains(#/^<29>.* sample-daemon\[\d+\]: starting configuration=/#)) }
        let last = syslog.next()
        #expect(last.hasPrefix("<29>"))
        #expect(last.hasSuffix(" sample-daemon[\(pid)]: ended"))
    }

    @Test func itRunsAsAnotherUserWhereItMay() async throws {
        let sample = try Sample()
        let script = "chown 65534 \"$FOLDER\"; " + asNobody + "nobody start && nobody status && nobody stop"
        #expect(try await sample.shell(script).status == 0)
        #expect(!exists(sample.pidfile))
    }
}
