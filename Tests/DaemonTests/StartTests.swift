// Promises of start, stop and status, kept by a real process: one runs, and whoever started it learns what became of it.

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
}
