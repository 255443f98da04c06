// What the configuration refuses: everything that is wrong at once, each with file, line, key and what is allowed.

import TestSupport
import Testing
import Wire

@testable import Daemon

/// What is wrong with a configuration of this text, one line each, without the file's name.
private func problems(_ text: String) throws -> [String] {
    let folder = try TemporaryFolder()
    let path = try folder.write("a.conf", text)
    let error = try #require(throws: ConfigurationError.self) { try Configuration.load(path, systemHostname: Hostname("host1")) }
    #expect(error.exitStatus == .configuration)
    return error.problems.map { $0.description.hasPrefix(path) ? String($0.description.dropFirst(path.utf8.count)) : $0.description }
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

    @Test(arguments: [
        "[publisher]\nauthtoken = good, S3CR|ET", "[publisher]\nauthtoken S3CRET", "authtoken = S3CRET",
        "[publisher]\nauthtoken = S3CRET\nauthtoken = S3CRET",
        "[publisher]\nauthtoken = \"S3CRET", "[publisher]\nauthtoken = one\n  S3CR|ET", "[publisher]\nauthtokens = S3CRET",
        "[general]\nauthtoken = S3CRET", "[publishr]\nauthtoken = S3CRET",
    ])
    func noMessageShowsAToken(text: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("a.conf", text + "\n")
        do {
            let warnings = try Configuration.load(path).warnings
            #expect(!warnings.isEmpty && !"\(warnings)".contains("S3CR"))
        } catch {
            #expect(!error.description.contains("S3CR"))
        }
    }

    @Test(arguments: [("monitor", "zmqreplyserver"), ("subscriber", "zmqpublisherurl")])
    func whatIsRequiredIsMissedAtItsSection(section: String, key: String) throws {
        let found = try problems("\n[\(section)]\n")
        #expect(found.first?.hasPrefix(":2: [\(section)] \(key): is required; allowed: tcp://HOST:PORT") ?? false)
    }

    @Test func severalActionsEnforceTogetherAndOneThatIsUnknownIsNamed() throws {
        let both = try load("[subscriber]\nzmqpublisherurl = tcp://a:1\nsubscriberaction = nftables, fail2ban-client\n")
        #expect(both.subscriber?.actions == [.nftables, .fail2banClient])
        let found = try problems("[subscriber]\nzmqpublisherurl = tcp://a:1\nsubscriberaction = nftable\n")
        #expect(
            found == [
                ":3: [subscriber] subscriberaction: `nftable` is not allowed; "
                    + "allowed: one or more of fail2ban-client, nftables, log, exec, dry-run; did you mean nftables?"
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
