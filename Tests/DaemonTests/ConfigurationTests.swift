// Promises of the configuration: which file wins, what is read from each key, and that a file of fail2ban-zmq-tools still loads.

import TestSupport
import Testing
import Wire

@testable import Daemon

/// Loads a configuration of this text, as the host `host1`.
func load(_ text: String) throws -> Configuration {
    let folder = try TemporaryFolder()
    return try Configuration.load(try folder.write("a.conf", text), systemHostname: Hostname("host1"))
}

@Suite struct ConfigurationTests {
    @Test func aMissingSectionIsADaemonThatDoesNotRunHere() throws {
        let configuration = try load("[publisher]\n")
        #expect(configuration.publisher == PublisherSettings())
        #expect(configuration.monitor == nil)
        #expect(configuration.subscriber == nil)
        #expect(configuration.has(.publisher))
        #expect(!configuration.has(.monitor))
        #expect(configuration.pidfile(of: .monitor) == "/run/fail2ban-cluster/monitor.pid")
    }

    @Test func laterFilesWinKeyByKey() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.conf", "[publisher]\nquorum = 1\nmaxholds = 1\nmaxrate = 1\nminprefix4 = 9\nminprefix6 = 17\n")
        try folder.write("a.d/2.conf", "[publisher]\nmaxrate = 3\nminprefix4 = 11\nminprefix6 = 19\n")
        try folder.write("a.d/10.conf", "[publisher]\nmaxholds = 2\nmaxrate = 2\nminprefix4 = 10\nminprefix6 = 18\n")
        try folder.write("a.local", "[publisher]\nminprefix4 = 12\nminprefix6 = 20\n")
        try folder.write("a.d/1.local", "[publisher]\nminprefix6 = 21\n")
        for ignored in ["a.d/.hidden.conf", "a.d/note.txt", "b.local"] { try folder.write(ignored, "nonsense") }
        let configuration = try Configuration.load(path, systemHostname: Hostname("host1"))
        #expect(configuration.files == [path, folder("a.d/10.conf"), folder("a.d/2.conf"), folder("a.local"), folder("a.d/1.local")])
        let publisher = try #require(configuration.publisher)
        #expect(
            [publisher.quorum, publisher.maxHolds, publisher.maxRate, publisher.minPrefix4, publisher.minPrefix6] == [1, 2, 3, 12, 21])
        #expect(configuration.place(of: "maxrate", in: .publisher) == Place(file: folder("a.d/2.conf"), line: 2))
        #expect(configuration.place(of: "standby", in: .publisher) == nil)
    }

    @Test func aSectionOfAnOverlayCounts() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.conf", "[general]\n")
        try folder.write("a.local", "[publisher]\n")
        #expect(try Configuration.load(path, systemHostname: Hostname("host1")).publisher != nil)
    }

    @Test func aFileOfFail2banZmqToolsLoads() throws {
        let configuration = try load(
            """
            # CONFIGURATION FILE of fail2ban-zmq-tools
            [monitor]
            pidfile = /var/run/fail2ban-monitor.pid
            zmqreplyserver = tcp://cluster.example.net:5678
            fail2banlogpath = /var/log/fail2ban.log
            # If the publisher demands authentication
            auth = true
            authtoken = ASK_someone@example.net

            [subscriber]
            pidfile = /var/run/fail2ban-subscriber.pid
            zmqpublisherurl = tcp://cluster.example.net:5680
            zmqprefixfilter = "" #empty prefix filter by default.
            subscriberaction = log

            [publisher]
            pidfile = /var/run/fail2ban-publisher.pid
            broadcasterbindurl = tcp://*:5680   # address to which subscribers will connect
            replybindurl = tcp://*:5678      # address to which monitors will send
            auth = true
            authtoken = A_SECRET

            #TODO: more

            """)
        let monitor = try #require(configuration.monitor)
        #expect(monitor.pidfile == "/var/run/fail2ban-monitor.pid")
        #expect(monitor.replyServers.map(\.description) == ["tcp://cluster.example.net:5678"])
        let subscriber = try #require(configuration.subscriber)
        #expect(subscriber.prefixFilter.isEmpty)
        #expect(subscriber.actions == [.log])
        #expect(subscriber.replyServers == monitor.replyServers)
        let publisher = try #require(configuration.publisher)
        #expect(publisher.auth)
        #expect(publisher.authTokens == ["A_SECRET"])
        #expect(publisher.replyBind == PublisherSettings().replyBind)
        #expect(configuration.warnings(for: .monitor).map(\.subject) == ["[monitor] auth", "[monitor] authtoken"])
        #expect(configuration.warnings(for: .monitor).map(\.place?.line) == [7, 8])
        #expect(configuration.warnings(for: .publisher).map(\.subject) == ["[publisher] auth", "[publisher] authtoken"])
        #expect(configuration.warnings(for: .publisher).map(\.place?.line) == [20, 21])
        #expect(configuration.warnings(for: .subscriber).isEmpty)
    }

    @Test func aHostThatOnlySubscribesNeedsNoRequestEndpoint() throws {
        let configuration = try load("[subscriber]\nzmqpublisherurl = tcp://x:5680\n")
        #expect(configuration.subscriber?.replyServers == [])
    }

    @Test func aStandbyIsOneMoreEndpoint() throws {
        let configuration = try load("[monitor]\nzmqreplyserver = tcp://a:1, tcp://b:2\n")
        #expect(configuration.monitor?.replyServers.map(\.description) == ["tcp://a:1", "tcp://b:2"])
    }

    @Test func everyValueIsRead() throws {
        let configuration = try load(
            """
            [general]
            hostname = Web1.example.org
            statedir = /s
            keydir = /k
            logtarget = /l
            loglevel = DEBUG
            fail2banclient = /opt/f2b -s "/run/my f2b.sock"
            fail2bandbpath = none
            [monitor]
            zmqreplyserver = tcp://a:1
            fail2banlogpath = /f
            jails = sshd, postfix dovecot
            ignorejails =
            [publisher]
            replybindurl = tcp://127.0.0.1:0
            broadcasterbindurl = ipc:///b
            ignoreip = 127.0.0.1/8 ::1, office.example.org
            quorum = 2
            maxbantime = 1d 12h
            retention = -1
            maxholds = 5
            maxrate = 7
            standby = ON
            plainreplybindurl = tcp://*:5678
            plainbroadcasterbindurl =
            plainallow = 192.0.2.0/24
            plainunbans = yes
            auth = 1
            authtoken = one, two three, "f,our"
            [subscriber]
            zmqpublisherurl = tcp://a:2
            zmqreplyserver = tcp://c:3
            zmqprefixfilter = web1|
            subscriberaction = fail2ban-client, log exec dry-run log
            jail = other
            ignoreip = 10.0.0.0/8
            reconcile = 90
            execcommand = /x "a b" c
            """)
        #expect(configuration.general.hostname.description == "web1.example.org")
        #expect(configuration.general.stateDirectory == "/s")
        #expect(configuration.general.keyDirectory == "/k")
        #expect(configuration.general.logTarget == .file("/l"))
        #expect(configuration.general.logLevel == .debug)
        #expect(configuration.general.fail2banClient == ["/opt/f2b", "-s", "/run/my f2b.sock"])
        #expect(configuration.general.fail2banDatabase == nil)
        let monitor = try #require(configuration.monitor)
        #expect(monitor.logPath == "/f")
        #expect(monitor.jails == .only(Set(["sshd", "postfix", "dovecot"].compactMap { Jail($0) })))
        #expect(monitor.ignoredJails.isEmpty)
        let publisher = try #require(configuration.publisher)
        #expect(publisher.replyBind.port == nil)
        #expect(publisher.broadcasterBind.host == nil)
        #expect(publisher.ignoreip.map(\.description) == ["127.0.0.0/8", "::1", "office.example.org"])
        #expect(publisher.quorum == 2)
        #expect(publisher.maxBanTime == .seconds(129_600))
        #expect(publisher.retention == nil)
        #expect(publisher.maxHolds == 5)
        #expect(publisher.maxRate == 7)
        #expect(publisher.standby && publisher.plainUnbans && publisher.auth)
        #expect(publisher.plainReplyBind?.port == 5678)
        #expect(publisher.plainBroadcasterBind == nil)
        #expect(publisher.plainAllow.map(\.description) == ["192.0.2.0/24"])
        #expect(publisher.authTokens == ["one", "two three", "f,our"])
        let subscriber = try #require(configuration.subscriber)
        #expect(subscriber.replyServers.map(\.description) == ["tcp://c:3"])
        #expect(subscriber.prefixFilter == "web1|")
        #expect(subscriber.actions == [.fail2banClient, .log, .exec, .dryRun])
        #expect(subscriber.jail.description == "other")
        #expect(subscriber.reconcile == .seconds(90))
        #expect(subscriber.execCommand == ["/x", "a b", "c"])
    }
}
