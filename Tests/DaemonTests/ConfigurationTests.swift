// Promises of the configuration: which file wins, what is refused and how, and that the shipped file shows the defaults.

import Glibc
import TestSupport
import Testing
import Wire

@testable import Daemon

/// Loads a configuration of this text, as the host `host1`.
func load(_ text: String) throws -> Configuration {
    let folder = try TemporaryFolder()
    return try Configuration.load(try folder.write("a.conf", text), systemHostname: Hostname("host1"))
}

/// What is wrong with a configuration of this text, one line each, without the file's name.
func problems(_ text: String) throws -> [String] {
    let folder = try TemporaryFolder()
    let path = try folder.write("a.conf", text)
    let error = try #require(throws: ConfigurationError.self) { try Configuration.load(path, systemHostname: Hostname("host1")) }
    #expect(error.exitStatus == .configuration)
    return error.problems.map { $0.description.hasPrefix(path) ? String($0.description.dropFirst(path.utf8.count)) : $0.description }
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

@Suite struct ConfigurationProblemTests {
    @Test func aMissingFileIsOneClearSentence() throws {
        let error = try #require(throws: ConfigurationError.self) { try Configuration.load("/nowhere/a.conf") }
        #expect(error.description == "cannot read /nowhere/a.conf: No such file or directory; give another with -c FILE")
        #expect(error.exitStatus == .configuration)
    }

    @Test func aFolderIsNoConfiguration() throws {
        let error = try #require(throws: ConfigurationError.self) { try Configuration.load("/tmp") }
        #expect(error.description.contains("/tmp"))
    }

    @Test func aMisspeltKeyNamesFileLineKeyAndWhatWasMeant() throws {
        let found = try problems("[publisher]\nquorom = 1\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix(":2: [publisher] quorom: no such key; allowed: pidfile, replybindurl, ") ?? false)
        #expect(found.first?.hasSuffix("; did you mean quorum?") ?? false)
    }

    @Test func aKeyOfAnotherSectionIsSentHome() throws {
        #expect(try problems("[monitor]\nzmqreplyserver = tcp://a:1\nquorum = 1\n").first?.hasSuffix("it is a key of [publisher]") ?? false)
    }

    @Test(arguments: ["[monitr]", "[DEFAULT]", "[Monitor]"])
    func anUnknownSectionIsAnError(header: String) throws {
        let found = try problems("\n\(header)\n")
        #expect(
            found.first?.hasPrefix(":2: \(header) is no section of this file; allowed: [general], [monitor], [publisher], [subscriber]")
                ?? false)
    }

    @Test func everythingThatIsWrongIsSaidAtOnce() throws {
        let found = try problems("[general]\nloglevel = loud\n[publisher]\nquorum = 0\nstandby = maybe\nxyzzy = 1\n")
        #expect(found.count == 4)
        #expect(found[0] == ":2: [general] loglevel: `loud` is not allowed; allowed: debug, info, notice, warning or error")
        #expect(found[1] == ":4: [publisher] quorum: `0` is not allowed; allowed: a whole number from 1 to 1000")
        #expect(found[2] == ":5: [publisher] standby: `maybe` is not allowed; allowed: yes, no, true, false, on, off, 1 or 0")
    }

    @Test(arguments: [
        ("general", "hostname = a_b"), ("general", "hostname ="), ("general", "statedir = relative"), ("general", "logtarget = journal"),
        ("general", "fail2banclient ="), ("general", "fail2bandbpath ="), ("general", "fail2bandbpath = rel"), ("publisher", "quorum = -1"),
        ("publisher", "quorum = 1.0"), ("publisher", "quorum = 99999999999999999999"), ("publisher", "maxbantime = -1"),
        ("publisher", "maxbantime = 59"), ("publisher", "maxbantime = soon"), ("publisher", "retention = -2"),
        ("publisher", "minprefix4 = 33"),
        ("publisher", "minprefix6 = 0"), ("publisher", "replybindurl = *:5678"), ("publisher", "ignoreip = 999.1.1.1"),
        ("publisher", "ignoreip = 10.0.0.0/33"), ("publisher", "plainallow = example.org"), ("publisher", "authtoken = a|b"),
        ("publisher", "auth = yes"), ("publisher", "plainreplybindurl = tcp://*:1"), ("publisher", "replybindurl = tcp://*:5680"),
        ("publisher", "pidfile = /a\n  standby = no"), ("subscriber", "zmqpublisherurl = tcp://*:5680"),
        ("subscriber", "zmqpublisherurl ="),
        ("subscriber", "jail = a b"), ("subscriber", "jail = x]y"), ("subscriber", "subscriberaction ="),
        ("subscriber", "subscriberaction = exec"),
        ("subscriber", "subscriberaction = exec\nexeccommand = ban.sh"), ("subscriber", "reconcile = 1s"), ("subscriber", "reconcile = 2d"),
        ("monitor", "jails = all, sshd"), ("monitor", "jails ="), ("monitor", "ignorejails = a]b"), ("monitor", "zmqreplyserver = tcp://a"),
        ("monitor", "zmqreplyserver = tcp://a:1 tcp://a:2 tcp://a:3 tcp://a:4 tcp://a:5 tcp://a:6 tcp://a:7 tcp://a:8 tcp://a:9"),
    ])
    func aBadValueIsNamedOnceWithItsLineAndKey(section: String, line: String) throws {
        let required = ["subscriber": ("zmqpublisherurl", "tcp://a:1"), "monitor": ("zmqreplyserver", "tcp://a:1")][section]
        let rest = required.map { line.hasPrefix($0.0) ? "" : "\($0.0) = \($0.1)\n" } ?? ""
        let found = try problems("[\(section)]\n\(line)\n\(rest)")
        let key = line.prefix { $0 != " " }
        #expect(found.count == 1)
        // The second line of the two-line case is the one that is wrong.
        let wrong = line.contains("execcommand") ? ":3: [subscriber] execcommand: " : ":2: [\(section)] \(key): "
        #expect(found.first?.hasPrefix(wrong) ?? false, "\(found)")
    }

    @Test(arguments: [("monitor", "zmqreplyserver"), ("subscriber", "zmqpublisherurl")])
    func whatIsRequiredIsMissedAtItsSection(section: String, key: String) throws {
        let found = try problems("\n[\(section)]\n")
        #expect(found.first?.hasPrefix(":2: [\(section)] \(key): is required; allowed: tcp://HOST:PORT") ?? false)
    }

    @Test func nftablesIsNotBuiltIn() throws {
        let found = try problems("[subscriber]\nzmqpublisherurl = tcp://a:1\nsubscriberaction = nftables\n")
        #expect(
            found == [
                ":3: [subscriber] subscriberaction: nftables is not built into this version; "
                    + "allowed: one or more of fail2ban-client, log, exec, dry-run"
            ])
    }

    @Test func aHostWithoutAUsableNameMustBeNamed() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.conf", "[publisher]\n")
        let error = try #require(throws: ConfigurationError.self) { try Configuration.load(path, systemHostname: nil) }
        #expect(error.description.hasPrefix("[general] hostname: is not set"))
    }

    @Test func aFileThatIsTooLargeIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.conf", String(repeating: "# comment\n", count: 110_000))
        #expect(throws: ConfigurationError.self) { try Configuration.load(path) }
    }
}

@Suite struct ShippedConfigurationTests {
    /// conf/ of this package.
    private static let folder = String(#filePath.dropLast("Tests/DaemonTests/ConfigurationTests.swift".count)) + "conf"
    private static let files = namesInFolder(folder).filter { $0.hasSuffix(".conf") }.map { "\(folder)/\($0)" }
    /// They have no default; the shipped file shows an example.
    private static let required = ["zmqreplyserver", "zmqpublisherurl"]

    @Test func thereIsAShippedConfiguration() {
        #expect(Self.files.contains("\(Self.folder)/fail2ban-cluster.conf"))
    }

    @Test(arguments: files)
    func anUncommentedLineShowsTheDefault(file: String) throws {
        let host = try #require(Hostname("host1"))
        let configuration = try Configuration.load(file, systemHostname: host)
        #expect(configuration.general == GeneralSettings(hostname: host))
        #expect(configuration.publisher == PublisherSettings())
        var monitor = try #require(configuration.monitor)
        monitor.replyServers = []
        #expect(monitor == MonitorSettings())
        var subscriber = try #require(configuration.subscriber)
        (subscriber.replyServers, subscriber.publishers) = ([], [])
        #expect(subscriber == SubscriberSettings())
        #expect(configuration.warnings.allSatisfy { $0.text.contains("example") })
    }

    @Test(arguments: files)
    func everyKeyIsInTheShippedFile(file: String) throws {
        let text = try #require(textOfFile(file))
        var shown: [String: Set<String>] = [:]
        var section = ""
        for line in text.split(separator: "\n") {
            let content = line.drop { $0 == "#" }
            if content.hasPrefix("[") { section = String(content.dropFirst().dropLast()) }
            guard let equal = content.firstIndex(of: "="), !content.hasPrefix(" ") else { continue }
            shown[section, default: []].insert(String(content[..<equal].filter { $0 != " " }))
        }
        for section in Configuration.Section.allCases {
            // Those two old keys of [monitor] have no effect.
            let known = Set(Configuration.keys(of: section)).subtracting(section == .monitor ? ["auth", "authtoken"] : [])
            #expect(shown[section.rawValue] == known)
        }
    }

    /// A commented line is an example that works.
    @Test(arguments: files)
    func everyExampleIsValid(file: String) throws {
        let text = try #require(textOfFile(file))
        let lines = text.split(separator: "\n").map { $0.hasPrefix("#") && !$0.hasPrefix("# ") && $0.count > 1 ? $0.dropFirst() : $0 }
        // The example of the plain endpoints takes the ports that the line above it says to give up.
        let moved = lines.joined(separator: "\n").replacing("\nreplybindurl = tcp://*:5678", with: "\nreplybindurl = tcp://*:5681")
            .replacing("\nbroadcasterbindurl = tcp://*:5680", with: "\nbroadcasterbindurl = tcp://*:5682")
        let configuration = try load(moved)
        #expect(configuration.publisher?.authTokens.count == 2)
        #expect(configuration.subscriber?.execCommand.count == 3)
    }
}
