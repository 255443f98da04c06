// What each daemon may do: it works with the rights that its unit would give it, and has no others; nothing goes through a shell.

import FoundationEssentials
import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

/// How a daemon is started, and what it may do then.
private struct Rights: Sendable {
    let program: DaemonProgram
    /// Arguments of setpriv(1).
    let arguments: String
    /// Its effective capabilities: capabilities(7).
    let capabilities: UInt64

    private static let readSearch: UInt64 = 1 << 2
    private static let traceProcesses: UInt64 = 1 << 19

    static let all = [
        // A user without any right; its files are its own.
        Rights(
            program: .publisher, arguments: "--reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all",
            capabilities: 0),
        // The same, but it may read what it could not: the log, the database and its key.
        Rights(
            program: .monitor,
            arguments: """
                --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search \
                --bounding-set=-all,+dac_read_search
                """, capabilities: readSearch),
        // root, to whom fail2ban's socket belongs, without root's powers; it looks which sessions of sshd are root's.
        Rights(
            program: .subscriber, arguments: "--bounding-set=-all,+dac_read_search,+sys_ptrace", capabilities: readSearch | traceProcesses),
    ]
}

@Suite(.needsLab) struct PrivilegeTests {
    private func status(_ process: RunningProcess, _ key: String) -> String {
        let text = textOfFile("/proc/\(process.pid)/status") ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(key):") }
        return line.map { $0.dropFirst(key.count + 1).split(whereSeparator: \.isWhitespace).joined(separator: " ") } ?? ""
    }

    /// The files that a process has open for writing.
    private func written(by process: RunningProcess) -> Set<String> {
        var paths: Set<String> = []
        for number in namesInFolder("/proc/\(process.pid)/fd") {
            let flags = (textOfFile("/proc/\(process.pid)/fdinfo/\(number)") ?? "").split(separator: "\n").first { $0.hasPrefix("flags:") }
            guard let text = flags?.split(separator: "\t").last, let value = Int32(text, radix: 8), value & O_ACCMODE != O_RDONLY,
                let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process.pid)/fd/\(number)"),
                path.hasPrefix("/"), !path.hasPrefix("/dev/")
            else { continue }
            paths.insert(path)
        }
        return paths
    }

    @Test func eachDaemonWorksWithTheRightsItNeedsAndHasNoOthers() async throws {
        try await Lab.with(hosts: 1) { lab in
            let web1 = lab.host(1)
            // What systemd would make for them. fail2ban's log, its database and the hosts' keys stay root's alone.
            let folders = ["publisher", "monitor"].map { "\(web1.folder)/\($0)" }
            let prepared = try await web1.execute(
                "sh", "-c",
                """
                cd '\(web1.folder)' && chmod 755 .. . && chmod 600 fail2ban.log fail2ban.sqlite3 && mkdir publisher monitor &&
                sed '/^\\[monitor\\]/,/^\\[publisher\\]/{/^\\[publisher\\]/!d}; s,^statedir.*,statedir = \(folders[0]),
                    s,^logtarget.*,logtarget = \(folders[0])/log,; s,^pidfile.*,pidfile = \(folders[0])/pid,' fail2ban-cluster.conf > publisher.conf &&
                sed '/^\\[subscriber\\]/,$d; s,^statedir.*,statedir = \(folders[1]),
                    s,^logtarget.*,logtarget = \(folders[1])/log,; s,^pidfile.*,pidfile = \(folders[1])/pid,' fail2ban-cluster.conf > monitor.conf &&
                sed '/^\\[monitor\\]/,/^\\[subscriber\\]/{/^\\[subscriber\\]/!d}; /^\\[publisher\\]/,$d' fail2ban-cluster.conf > subscriber.conf &&
                cp -R keys publisher/keys && sed -i 's,^keydir.*,keydir = \(folders[0])/keys,' publisher.conf &&
                chown -R 65534:65534 publisher monitor
                """)
            try #require(prepared.isSuccess, "\(prepared.text)")
            for rights in Rights.all {
                let started = try await web1.execute(
                    "sh", "-c",
                    """
                    exec 9< '\(Lab.programs)/\(rights.program.name)'
                    exec setpriv --no-new-privs \(rights.arguments) /proc/self/fd/9 start -c '\(web1.folder)/\(rights.program.rawValue).conf'
                    """)
                try #require(started.isSuccess, "\(started.text)")
            }
            try await web1.loginFailure(from: "203.0.113.9")
            try await eventually("the ban's whole path") { try await web1.refused() == ["203.0.113.9"] }

            for rights in Rights.all {
                let file = rights.program == .subscriber ? "subscriber.pid" : "\(rights.program.rawValue)/pid"
                let process = RunningProcess(try #require(pid_t(web1.file(file).filter(\.isNumber))))
                #expect(UInt64(status(process, "CapEff"), radix: 16) == rights.capabilities, "\(rights.program)")
                #expect(UInt64(status(process, "CapPrm"), radix: 16) == rights.capabilities, "\(rights.program)")
                #expect(UInt64(status(process, "CapBnd"), radix: 16) == rights.capabilities, "\(rights.program)")
                #expect(status(process, "NoNewPrivs") == "1")
                guard rights.program != .subscriber else { continue }
                #expect(status(process, "Uid") == "65534 65534 65534 65534")
                let elsewhere = written(by: process).filter { !$0.hasPrefix("\(web1.folder)/\(rights.program.rawValue)/") }
                #expect(elsewhere.isEmpty, "\(rights.program) writes \(elsewhere)")
            }
            try await expectNoShell(below: try #require(pid_t(web1.file("subscriber.pid").filter(\.isNumber))), on: web1)
            for program in ["subscriber", "monitor", "publisher"] {
                let stopped = try await web1.execute("fail2ban-\(program)", "stop", "-c", "\(web1.folder)/\(program).conf")
                #expect(stopped.isSuccess, "\(stopped.text)")
            }
        }
    }

    /// The subscriber's children are fail2ban-client and nothing in between.
    private func expectNoShell(below pid: pid_t, on host: LabHost) async throws {
        try await host.loginFailure(from: "203.0.113.10")
        try await eventually("the next ban") { try await host.refused() == ["203.0.113.9", "203.0.113.10"] }
        let children = (textOfFile("/proc/\(pid)/task/\(pid)/children") ?? "").split(separator: " ").compactMap { pid_t($0) }
        #expect(!children.isEmpty)
        for child in children {
            #expect(RunningProcess(child).arguments.contains("fail2ban-client -s"), "\(RunningProcess(child).arguments)")
        }
    }
}

@Suite struct ShellTests {
    @Test func noProgramCallsAShell() throws {
        let folder = Lab.repository + "/Sources"
        let calls = ["/bin/sh", "/bin/bash", "\"sh\"", "\"-c\", \"", "popen(", "Glibc.system(", " system(\"", "wordexp("]
        var files = 0
        for file in try FileManager.default.subpathsOfDirectory(atPath: folder) where file.hasSuffix(".swift") || file.hasSuffix(".h") {
            let text = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
            for call in calls { #expect(!text.contains(call), "\(file) has \(call)") }
            files += 1
        }
        #expect(files > 100)
    }

    @Test func eachUnitBoundsWhatItsDaemonMayUse() throws {
        for program in DaemonProgram.allCases {
            let unit = try String(contentsOfFile: "\(Lab.repository)/conf/systemd/\(program.name).service", encoding: .utf8)
            let lines = unit.split(separator: "\n")
            for key in ["MemoryMax", "LimitNOFILE", "NoNewPrivileges", "CapabilityBoundingSet", "RestrictAddressFamilies"] {
                #expect(lines.count { $0.hasPrefix("\(key)=") } == 1, "\(program): \(key)")
            }
        }
    }
}

@Suite struct PlainEndpointTests {
    @Test func plainEndpointsAreOffUnlessAsked() async throws {
        try await LoopbackCluster.with { cluster in
            #expect(cluster.endpoints.count == 2)
            #expect(!cluster.log.contains("without encryption"))
            let status = try await LoopbackCluster.program("fail2ban-publisher", "status", "-c", cluster.configuration)
            #expect(!status.contains("without encryption"))
            // Who speaks without encryption is not heard at the others.
            let socket = try Socket(.request, in: try Context())
            try socket.connect(cluster.endpoints[0])
            _ = try socket.send([Array("old1|sshd|Ban|192.0.2.77".utf8)])
            #expect(try socket.next(by: .now + .seconds(2)) == nil)
        }
    }

    @Test func plainEndpointsServeListedAddressesOnlyAndAreSaidLoudly() async throws {
        try await LoopbackCluster.with(plain: true) { cluster in
            func answer(from address: String) throws -> String? {
                let socket = try Socket(.request, in: try Context())
                try socket.connect(cluster.endpoints[2].replacing("tcp://", with: "tcp://\(address):0;"))
                _ = try socket.send([Array("old1|sshd|Ban|192.0.2.77".utf8)])
                return try socket.next(by: .now + .seconds(2)).map { String(decoding: $0.frames[0], as: UTF8.self) }
            }
            #expect(try answer(from: "127.0.0.1") == "old1|sshd|Ban|192.0.2.77")
            #expect(try answer(from: "127.0.0.2") == nil)
            #expect(cluster.log.contains("refused a connection from 127.0.0.2: its address is not in plainallow"))
            let warning = "clients of fail2ban-zmq-tools are served without encryption"
            #expect(cluster.log.contains(warning))
            let status = try await LoopbackCluster.program("fail2ban-publisher", "status", "-c", cluster.configuration)
            #expect(status.contains(warning))
        }
    }
}
