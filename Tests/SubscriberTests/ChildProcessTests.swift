// Children are started, read, fed and ended without blocking, and leave nothing behind.

import Daemon
import Glibc
import Logging
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Subscriber

/// Waits for a child's descriptor; the deadline is only for a test that fails.
func awaitReadable(_ descriptor: Int32) throws {
    var polled = PollSet()
    let index = polled.add(descriptor: descriptor)
    try polled.wait(until: .now + .seconds(20))
    try #require(polled.isReadable(index), "the child said nothing for 20 s")
}

@Suite struct ChildProcessTests {
    private func output(of child: borrowing ChildProcess) throws -> String {
        var bytes: [UInt8] = []
        while child.read(into: &bytes, limit: 4096) == .open { try awaitReadable(child.outputDescriptor) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func itsOutputAndItsErrorsArriveInOneStream() throws {
        var child = try ChildProcess(["sh", "-c", "echo out; echo err >&2; exit 3"], input: false)
        let printed = try output(of: child)
        #expect(printed == "out\nerr\n")
        try awaitReadable(child.endDescriptor)
        let (first, second) = (child.reap(), child.reap())
        #expect(first == .exited(3) && second == .exited(3))
    }

    @Test func itReadsWhatItIsToldAndEndsWithItsInput() throws {
        let child = try ChildProcess(["cat"], input: true)
        let isWritten = child.write(Array("hello\n".utf8))
        #expect(isWritten)
        try awaitReadable(child.outputDescriptor)
        var bytes: [UInt8] = []
        let reading = child.read(into: &bytes, limit: 4096)
        #expect(reading == .open)
        #expect(bytes == Array("hello\n".utf8))
    }

    @Test func argumentsAreNeverSeenByAShell() throws {
        let child = try ChildProcess(["/usr/bin/printf", "%s", "$(id) `id`; *"], input: false)
        let printed = try output(of: child)
        #expect(printed == "$(id) `id`; *")
    }

    @Test func itsEnvironmentIsMinimalItsFolderTheRootAndNothingIsInherited() throws {
        let child = try ChildProcess(["sh", "-c", "env | cut -d= -f1 | sort | tr '\\n' ' '; pwd; ls /proc/self/fd | wc -l"], input: false)
        let lines = try output(of: child).split(separator: "\n")
        #expect(
            Set(lines.first.map { $0.split(separator: " ") } ?? []).isSubset(of: [
                "HOME", "LC_ALL", "OLDPWD", "PATH", "PWD", "TERM", "_", "/",
            ]))
        // 0, 1, 2 and the folder that ls reads.
        #expect(lines.last == "4")
    }

    @Test func aProgramThatIsNotThereIsAnErrorWithItsName() throws {
        #expect(throws: SystemError("start /no/such/program", code: ENOENT)) { _ = try ChildProcess(["/no/such/program"], input: false) }
        #expect(throws: SystemError.self) { _ = try ChildProcess([], input: false) }
    }

    @Test func killingItEndsWhatItStartedToo() throws {
        var child = try ChildProcess(["sh", "-c", "sleep 1000 & sleep 1000"], input: false)
        child.kill()
        let printed = try output(of: child)
        #expect(printed == "", "the end of the output shows that nobody holds it any more")
        try awaitReadable(child.endDescriptor)
        let ending = child.reap()
        #expect(ending == .killed(signal: SIGKILL))
    }

    @Test func oneThatIsForgottenIsEnded() throws {
        func start() throws -> pid_t {
            let child = try ChildProcess(["sh", "-c", "echo $$; exec sleep 1000"], input: false)
            try awaitReadable(child.outputDescriptor)
            var bytes: [UInt8] = []
            _ = child.read(into: &bytes, limit: 100)
            return try #require(pid_t(String(decoding: bytes, as: UTF8.self).prefix { $0.isNumber }))
        }
        let pid = try start()
        #expect(kill(pid, 0) == -1 && errno == ESRCH)
    }
}

@Suite struct ExecEnforcerTests {
    /// Runs an enforcer until it has nothing to do.
    private func run(_ enforcer: ExecEnforcer, _ wanted: WantedSet) throws {
        enforcer.drain()
        while true {
            enforcer.advance(wanted: wanted, now: .now)
            if enforcer.isDrained { return }
            var polled = PollSet()
            enforcer.add(to: &polled)
            try polled.wait(until: enforcer.deadline)
        }
    }

    @Test func theCommandIsToldEachBanAndUnbanInOrder() throws {
        let folder = try TemporaryFolder()
        var wanted = WantedSet(origin: start)
        let script = "echo \"$@\" >> \(folder.path)/told"
        let command = ExecCommand(["/bin/sh", "-c", script, "hook", "<action>", "<address>", "<host>", "<seconds>"])
        let enforcer = ExecEnforcer(command: command, prefix: "", log: quiet)
        for event in [try ban("192.0.2.1", for: nil), try unban("198.51.100.1"), try ban("2001:db8::1", for: nil, host: "web2")] {
            guard case .changed(let change) = wanted.apply(event, publisherNow: publisherStart, now: .now, refusal: nobodyRefused) else {
                continue
            }
            enforcer.take(change)
        }
        try run(enforcer, wanted)
        #expect(
            folder.read("told") == "Ban 192.0.2.1 web1 0\nUnban 198.51.100.1 web1 0\nBan 2001:db8::1 web2 0\n")
    }

    @Test func aCommandThatFailsOrCannotBeStartedDoesNotStopTheNext() throws {
        let folder = try TemporaryFolder()
        let wanted = WantedSet(origin: start)
        let failing = ExecEnforcer(
            command: ExecCommand(["/bin/sh", "-c", "echo $1 >> \(folder.path)/told; yes | head -c 200000; exit 1", "x", "<address>"]),
            prefix: "",
            log: quiet)
        failing.take(.init(.banned, try address("192.0.2.1")))
        failing.take(.init(.banned, try address("192.0.2.2")))
        try run(failing, wanted)
        #expect(folder.read("told") == "192.0.2.1\n192.0.2.2\n")

        let missing = ExecEnforcer(command: ExecCommand(["/no/such/program"]), prefix: "", log: quiet)
        for index in 0..<100 { missing.take(.init(.banned, try numbered(index))) }
        for _ in 0..<10 { missing.advance(wanted: wanted, now: .now) }
        missing.drain()
        #expect(missing.isDrained)
    }

    @Test func aCommandThatHangsIsKilledAfterItsTime() throws {
        let wanted = WantedSet(origin: start)
        let enforcer = ExecEnforcer(command: ExecCommand(["/bin/sh", "-c", "sleep 1000", "<end>"]), prefix: "", log: quiet)
        enforcer.take(.init(.banned, try address("192.0.2.1")))
        let now = ContinuousClock.now
        enforcer.advance(wanted: wanted, now: now)
        enforcer.drain()
        enforcer.advance(wanted: wanted, now: now + ExecEnforcer.timeout - .milliseconds(1))
        #expect(!enforcer.isDrained)
        enforcer.advance(wanted: wanted, now: now + ExecEnforcer.timeout)
        #expect(enforcer.isDrained)
    }
}

@Suite struct ClientChannelTests {
    /// A program that speaks as `fail2ban-client -i` does.
    private func channel(_ script: String) throws -> ClientChannel { try ClientChannel(["sh", "-c", script, "client"]) }

    private func next(_ channel: inout ClientChannel) throws -> ClientChannel.Arrival {
        while true {
            let arrival = channel.receive()
            guard arrival == .nothing else { return arrival }
            try awaitReadable(channel.descriptor)
        }
    }

    private static let client = """
        printf 'Fail2Ban v1.0.2 reads log file\\nand bans\\n\\nfail2ban> '
        while read line; do echo "ERROR $line" >&2; printf 'you said fail2ban> %s\\nfail2ban> ' "$line"; done
        """

    @Test func commandsAreAnsweredOneByOne() throws {
        var channel = try channel(ClientChannelTests.client)
        channel.send("version")
        #expect(try next(&channel) == .answer(Array("ERROR version\nyou said fail2ban> version\n".utf8)))
        channel.send("get x banip")
        #expect(try next(&channel) == .answer(Array("ERROR get x banip\nyou said fail2ban> get x banip\n".utf8)))
    }

    @Test func aClientThatEndsSaysItsLastWords() throws {
        var channel = try channel("echo Readline not available >&2; exit 255")
        channel.send("version")
        #expect(try next(&channel) == .ended("Readline not available"))
        var silent = try self.channel("exit 0")
        #expect(try next(&silent) == .ended("it ended without a word"))
    }
}
