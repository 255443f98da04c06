// Promises of a running daemon, kept by a real process: signals, restart, reload, check beside it, and where it logs.

import Glibc
import TestSupport
import Testing

@testable import Daemon

@Suite struct RunningDaemonTests {
    /// A daemon that was killed leaves its pid file, which anyone may read, and so lock.
    @Test func whoMayReadAPidFileKeepsNoDaemonFromStarting() async throws {
        let sample = try Sample()
        let first = try await sample.start()
        kill(first, SIGKILL)
        try awaitEnd(of: first)
        #expect(sample.folder.read("run/sample.pid") == "\(first)\n")
        let result = try await sample.shell(
            """
            mkfifo "$FOLDER/end" "$FOLDER/locked"
            python3 -c '
            import fcntl, sys
            file = open(sys.argv[1])
            fcntl.lockf(file, fcntl.LOCK_SH)
            print("locked", flush=True)
            sys.stdin.read()' "$FOLDER/run/sample.pid" < "$FOLDER/end" > "$FOLDER/locked" &
            exec 3> "$FOLDER/end"
            read word < "$FOLDER/locked"
            "$SAMPLE" status -c "$CONF"
            echo "$word $?"
            "$SAMPLE" start -c "$CONF"
            status=$?
            exec 3>&-
            wait
            exit $status
            """)
        #expect(result.status == 0, "\(result)")
        #expect(result.output.contains("locked 3\n"))
        #expect(sample.pid != nil && sample.pid != first)
        #expect(try await sample.run("status").status == 0)
    }

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

    @Test func aManagerThatWantsToHearsThatTheLoopIsAlive() async throws {
        let sample = try Sample()
        let manager = try NotifyListener(sample.folder("notify"))
        _ = try await sample.start(["NOTIFY_SOCKET": sample.folder("notify"), "WATCHDOG_USEC": "20000"])
        #expect([manager.next(), manager.next(), manager.next()] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"])
    }

    @Test func aManagerThatWatchesAnotherProcessHearsNothingFromThisOne() async throws {
        let sample = try Sample()
        let manager = try NotifyListener(sample.folder("notify"))
        _ = try await sample.start(["NOTIFY_SOCKET": sample.folder("notify"), "WATCHDOG_USEC": "2", "WATCHDOG_PID": "1"])
        #expect(manager.next() == "READY=1")
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
