// The ways of enforcing a ban beside fail2ban-client, of the shipped subscriber: a line in syslog, a command, or only words.

import FoundationEssentials
import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

@Suite(.serialized) struct OtherActionsTests {
    /// A host's event as its monitor reports it, without an end.
    private func line(_ action: String, _ address: String, jail: String = "sshd", host: String = "web2") -> String {
        "\(host)|\(jail)|\(action)|\(address)|-|-|-|-|\(action == "Ban" ? "detected" : "lifted")"
    }

    private static let said = "fail2ban-zmq-tools Subscriber: Got broadcast message:"

    // MARK: log

    /// In a mount namespace of its own, where /dev/log is a socket of the test. Only /dev is made private: in a chroot / is no mount point.
    private static let withOwnSyslog = """
        exec unshare --mount --propagation unchanged sh -ec '
            mount --make-private /dev; mount -t tmpfs none /dev
            mknod -m 666 /dev/null c 1 3; mknod -m 666 /dev/urandom c 1 9
            ln -s "${CONF%/*}/syslog" /dev/log
            exec "$PROGRAM" start -c "$CONF"'
        """

    @Test(.needsLab) func theLogWayWritesTheLinesOfFail2banZmqToolsAndItsFilterMatchesTheBans() async throws {
        try await LoopbackCluster.with { cluster in
            let web2 = try await cluster.authorize("web2")
            let syslog = try SyslogSocket(cluster.directory + "/syslog")
            try await cluster.withSubscriber("subscriberaction = log", launch: Self.withOwnSyslog) {
                let bans = ["198.51.100.7", "2001:db8:bad::7", "198.51.100.0/24"]
                #expect(try cluster.report(bans.map { line("Ban", $0) } + [line("Unban", bans[0])], with: web2).refused == [])
                // This host's own fail2ban has banned what this host found.
                try cluster.appendToLog([LoopbackCluster.banLine("198.51.100.8")])
                #expect(try cluster.report([line("Ban", "198.51.100.9", jail: "last")], with: web2).refused == [])
                var lines: [String] = []
                while lines.last?.hasSuffix("|198.51.100.9") != true, let line = try syslog.next(by: .now + .seconds(30)) {
                    lines.append(line)
                }
                let pid = try String(contentsOfFile: cluster.directory + "/subscriber.pid", encoding: .utf8).dropLast()
                // Facility AUTH is 4, severity informational 6: 4 * 8 + 6. A time as `Nov 21 03:04:05` follows.
                #expect(lines.allSatisfy { $0.prefixMatch(of: #/<38>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d /#) != nil }, "\(lines)")
                let texts = ["Ban|198.51.100.7", "Ban|2001:db8:bad::7", "Ban|198.51.100.0/24", "Unban|198.51.100.7"]
                let expected = texts.map { "fail2ban-subscriber[\(pid)]: \(Self.said) web2|sshd|\($0)" }
                #expect(lines.dropLast().map { String($0.dropFirst("<38>Nov 21 03:04:05 ".count)) } == expected)

                #expect(try await matches(of: lines, in: cluster) == ["198.51.100.7", "2001:db8:bad::7", "198.51.100.9"])
            }
        }
    }

    /// The addresses that the shipped filter takes from these datagrams, once a syslog daemon has written them to a file.
    private func matches(of datagrams: [String], in cluster: LoopbackCluster) async throws -> [String] {
        // It takes the priority off and puts the host's name in.
        let lines = datagrams.map { datagram in
            let text = datagram.dropFirst("<38>".count)
            return text.prefix(16) + "web1 " + text.dropFirst(16) + "\n"
        }
        try lines.joined().write(toFile: cluster.directory + "/auth.log", atomically: true, encoding: .utf8)
        let filter = "\(Lab.repository)/conf/fail2ban/filter.d/fail2bancluster.conf"
        let script = """
            cd '\(cluster.directory)'; mkdir filter.d; cp '\(filter)' /etc/fail2ban/filter.d/common.conf filter.d
            exec fail2ban-regex --usedns no --out ip auth.log "$PWD/filter.d/fail2bancluster.conf"
            """
        let outcome = try await execute(["timeout", "60", "sh", "-c", script])
        #expect(outcome.status == 0, "\(outcome)")
        return outcome.output.split(separator: "\n").map(String.init)
    }

    // MARK: exec

    /// A program that writes down its arguments, one call a line, and what else it was given.
    private static let hook = """
        #!/bin/sh
        case $2 in
        198.51.100.13) echo 'this one fails'; exit 3 ;;
        198.51.100.99) echo $$ > "${0%/*}/hanging"; sleep 300 ;;
        esac
        { env | sort; ls -l /proc/self/fd | grep -o '[0-9] ->.*'; pwd; } > "${0%/*}/surroundings"
        { printf '%s' "$#"; printf '<%s>' "$@"; echo; } >> "${0%/*}/calls"
        """

    private func writeHook(in cluster: LoopbackCluster) throws -> String {
        let path = cluster.directory + "/hook"
        try Self.hook.write(toFile: path, atomically: true, encoding: .utf8)
        try #require(chmod(path, 0o755) == 0)
        return path
    }

    private func calls(_ cluster: LoopbackCluster) -> [Substring] {
        ((try? String(contentsOfFile: cluster.directory + "/calls", encoding: .utf8)) ?? "").split(separator: "\n")
    }

    @Test func theExecWayRunsACommandWithItsArgumentsAndNothingThatTravelsIsRunByAShell() async throws {
        try await LoopbackCluster.with(plain: true) { cluster in
            let web2 = try await cluster.authorize("web2")
            let hook = try writeHook(in: cluster)
            let mark = cluster.directory + "/injected"
            let command = #"\#(hook) <action> <address> <host>/<jail> "two words" "$(touch \#(mark))" "; touch \#(mark) #" <seconds>s"#
            let keys = "subscriberaction = exec\nexeccommand = \(command)"
            try await cluster.withSubscriber(keys) {
                // What could be more than one word in a shell is none of an event's fields.
                let hostile = ["x;touch \(mark)", "$(touch \(mark))", "`touch \(mark)`", "x touch", "x'", "x\"", "--x=\(mark)", "-n"]
                let forged =
                    hostile.map { line("Ban", "198.51.100.1", jail: $0) } + hostile.map { line("Ban", "198.51.100.1", host: $0) }
                    + hostile.map { line("Ban", $0) } + hostile.map { line("Ban", "198.51.100.1\($0)") }
                #expect(try cluster.report(forged, with: web2).refused.count == forged.count)
                let old = try Socket(.request, in: try Context())
                try old.connect(cluster.endpoints[2])
                _ = try old.send([Array("$(touch \(mark))|sshd|Ban|198.51.100.1".utf8)])
                #expect(try old.next(by: .now + .seconds(30))?.frames == [Array("NAK".utf8)])

                let good = [line("Ban", "198.51.100.7"), line("Ban", "2001:db8:bad::/64", jail: "a.b_c-d"), line("Unban", "198.51.100.7")]
                for (number, line) in good.enumerated() {
                    #expect(try cluster.report([line], with: web2).refused == [])
                    // A ban that is lifted before it was told is not told at all.
                    try await eventually("call \(number + 1)") { calls(cluster).count == number + 1 }
                }
                let rest = "<two words><$(touch \(mark))><; touch \(mark) #>"
                let seconds = 7 * 86_400
                #expect(
                    calls(cluster) == [
                        "7<Ban><198.51.100.7><web2/sshd>\(rest)<\(seconds)s>",
                        "7<Ban><2001:db8:bad::/64><web2/a.b_c-d>\(rest)<\(seconds)s>",
                        "7<Unban><198.51.100.7><web2/sshd>\(rest)<0s>",
                    ])
                #expect(!exists(mark))
                let surroundings = try String(contentsOfFile: cluster.directory + "/surroundings", encoding: .utf8).split(separator: "\n")
                let variables = surroundings.filter { !$0.contains("->") && $0.contains("=") }.map { $0.prefix { $0 != "=" } }
                #expect(Set(variables).isSubset(of: ["HOME", "LC_ALL", "PATH", "TERM", "PWD", "_", "SHLVL", "OLDPWD"]))
                #expect(surroundings.last == "/" && surroundings.contains("0 -> /dev/null"))
                // Input, both outputs, and what ls itself opens.
                #expect(surroundings.filter { $0.contains("->") }.count <= 4)
            }
        }
    }

    @Test func aCommandThatFailsOrHangsIsSaidAndHoldsUpNeitherReceptionNorTheEnd() async throws {
        try await LoopbackCluster.with { cluster in
            let web2 = try await cluster.authorize("web2")
            let keys = "subscriberaction = dry-run, exec\nexeccommand = \(try writeHook(in: cluster))"
            var hanging: RunningProcess?
            try await cluster.withSubscriber(keys) {
                _ = try cluster.report([line("Ban", "198.51.100.13"), line("Ban", "198.51.100.14")], with: web2)
                try await eventually("the second call") { calls(cluster) == ["2<Ban><198.51.100.14>"] }
                #expect(cluster.log.contains("the command of exec failed for Ban 198.51.100.13: it exited with status 3: this one fails"))
                _ = try cluster.report([line("Ban", "198.51.100.99"), line("Ban", "198.51.100.15")], with: web2)
                try await eventually("the command hangs") { exists(cluster.directory + "/hanging") }
                _ = try cluster.report([line("Ban", "198.51.100.16")], with: web2)
                try await eventually("announcements are taken all the same") { cluster.log.contains("would ban 198.51.100.16 ") }
                let text = try String(contentsOfFile: cluster.directory + "/hanging", encoding: .utf8)
                hanging = RunningProcess(try #require(pid_t(text.dropLast())))
                #expect(hanging?.isAlive == true)
            }
            #expect(hanging?.isAlive == false)
        }
    }

    // MARK: dry-run

    @Test func theDryRunSaysWhatItWouldDoAndRunsNothing() async throws {
        try await LoopbackCluster.with { cluster in
            let web2 = try await cluster.authorize("web2")
            let hook = try writeHook(in: cluster)
            // The key fail2banclient is one of another section; the overlay may have both.
            let keys = "subscriberaction = dry-run\nexeccommand = \(hook)\n[general]\nfail2banclient = \(hook)"
            try await cluster.withSubscriber(keys) {
                for action in ["Ban", "Unban"] {
                    _ = try cluster.report([line(action, "198.51.100.7")], with: web2)
                    let words = action == "Ban" ? "would ban 198.51.100.7 " : "would unban 198.51.100.7: web2, jail sshd, lifted\n"
                    try await eventually(words) { cluster.log.contains(words) }
                }
                _ = try cluster.report([line("Ban", "198.51.100.8")], with: web2)
                try cluster.appendToLog([LoopbackCluster.banLine("2001:db8:bad::8")])
                try await eventually("the last is said") { cluster.log.contains("would ban 2001:db8:bad::8 ") }
                let said = cluster.log.split(separator: "\n").compactMap { $0.firstMatch(of: #/notice: (would .*)/#)?.1 }
                #expect(said.count == 4)
                #expect(
                    said.contains { $0.wholeMatch(of: #/would ban 198\.51\.100\.8 for 604[78]\d\d s: web2, jail sshd, detected/#) != nil },
                    "\(said)")
                #expect(
                    said.last?.wholeMatch(of: #/would ban 2001:db8:bad::8 for 604[78]\d\d s: web1, jail sshd, detected/#) != nil, "\(said)")
            }
            #expect(calls(cluster) == [])
        }
    }

    @Test func severalWaysAreTakenTogetherAndThePrefixFilterActsOnTheCommandOnly() async throws {
        try await LoopbackCluster.with { cluster in
            let web2 = try await cluster.authorize("web2")
            let keys = "subscriberaction = exec, dry-run\nzmqprefixfilter = web2|ssh\nexeccommand = \(try writeHook(in: cluster))"
            try await cluster.withSubscriber(keys) {
                _ = try cluster.report(
                    [line("Ban", "198.51.100.7", jail: "postfix"), line("Ban", "198.51.100.8"), line("Ban", "198.51.100.9", jail: "x")],
                    with: web2)
                try await eventually("all are said, one is told") {
                    calls(cluster).count == 1 && cluster.log.contains("would ban 198.51.100.9 ")
                }
                #expect(calls(cluster) == ["2<Ban><198.51.100.8>"])
                #expect(cluster.log.contains("would ban 198.51.100.7 ") && cluster.log.contains("would ban 198.51.100.8 "))
            }
        }
    }
}

/// A Unix socket that takes datagrams as a syslog daemon's does.
private final class SyslogSocket {
    private let descriptor: Int32

    init(_ path: String) throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        try #require(path.utf8.count < MemoryLayout.size(ofValue: address.sun_path))
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(code == 0)
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// The next datagram; `nil` when none has come by the deadline.
    func next(by deadline: ContinuousClock.Instant) throws -> String? {
        var polled = PollSet()
        let index = polled.add(descriptor: descriptor)
        try polled.wait(until: deadline)
        guard polled.isReadable(index) else { return nil }
        var buffer = [UInt8](repeating: 0, count: 8192)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}
