// Promises of a daemon to users that are not its own, and of its log in the background: what only root can try.

import Glibc
import TestSupport
import Testing

@testable import Daemon

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
