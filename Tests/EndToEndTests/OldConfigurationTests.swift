// A configuration file of fail2ban-zmq-tools, as its users have it: each daemon reads it and says what is different now.

import TestSupport
import Testing

@Suite struct OldConfigurationTests {
    private static let text = """
        [monitor]
        pidfile = /var/run/fail2ban-monitor.pid
        zmqreplyserver = tcp://f2bcluster.example.org:5678
        fail2banlogpath = /var/log/fail2ban.log
        #Use authentication?
        auth = true
        authtoken = TOKEN

        [subscriber]
        pidfile = /var/run/fail2ban-subscriber.pid
        zmqpublisherurl = tcp://f2bcluster.example.org:5680
        zmqprefixfilter = "" #empty prefix filter by default.
        subscriberaction = log

        [publisher]
        pidfile = /var/run/fail2ban-publisher.pid
        broadcasterbindurl = tcp://*:5680   # address to which the broadcaster binds
        replybindurl = tcp://*:5678      # address to which the reply server binds
        auth = true
        authtoken = SECRET

        """

    /// Gives the host the file, and above it only what a test must not take from this machine.
    private func configure(_ host: LoneHost) throws {
        try host.folder.write("f2bc.conf", Self.text)
        try host.overlay(
            """
            [general]
            hostname = web1
            keydir = \(host.folder("keys"))
            statedir = \(host.folder("state"))
            fail2bandbpath = none
            fail2banclient = false
            [monitor]
            fail2banlogpath = \(host.folder("fail2ban.log"))
            """)
    }

    /// What `check` prints, each line without the name of the file.
    private func check(_ program: DaemonProgram, _ host: LoneHost) async throws -> (status: Int, lines: [String]) {
        let outcome = try await host.run(program, "check")
        #expect(outcome.error.isEmpty)
        let lines = outcome.output.split(separator: "\n").map {
            $0.replacing(host.folder.path + "/", with: "").dropFirst(program.name.count + 2)
        }
        return (outcome.status, lines.map(String.init))
    }

    @Test func itLoadsAndEachDaemonSaysWhatHasNoEffectAnyMore() async throws {
        try await LoneHost.with { host in
            try configure(host)
            let end = "can start; read f2bc.conf, f2bc.local"
            let monitor = try await check(.monitor, host)
            let key = "has no effect: the monitor proves itself by its key; delete the line; see fail2ban-cluster keygen"
            #expect(monitor.status == 0)
            #expect(
                monitor.lines == [
                    "warning: f2bc.conf:6: [monitor] auth: \(key)",
                    "warning: f2bc.conf:7: [monitor] authtoken: \(key)",
                    "note: fail2bandbpath = none: fail2ban-client is asked in place of fail2ban's database, so Unbans are reported seconds later",
                    end,
                ])

            let publisher = try await check(.publisher, host)
            let plain =
                "has no effect: replybindurl is encrypted, and clients of fail2ban-zmq-tools are not served; "
                + "give plainreplybindurl, plainbroadcasterbindurl and plainallow while there are any, or delete the line"
            #expect(publisher.status == 0)
            #expect(
                publisher.lines == [
                    "warning: f2bc.conf:19: [publisher] auth: \(plain)", "warning: f2bc.conf:20: [publisher] authtoken: \(plain)", end,
                ])

            let subscriber = try await check(.subscriber, host)
            #expect(subscriber.status == 0)
            #expect(subscriber.lines == [end])
        }
    }

    @Test func withoutKeysItSaysWhichCommandMakesThem() async throws {
        try await LoneHost.with(keys: false) { host in
            try configure(host)
            for program in DaemonProgram.allCases {
                let (status, lines) = try await check(program, host)
                #expect(status == 78)
                let problems = lines.filter { $0.hasPrefix("problem: ") }
                #expect(
                    !problems.isEmpty && problems.allSatisfy { $0.hasPrefix("problem: keys/") && $0.contains("is missing; ") }, "\(lines)")
            }
        }
    }
}
