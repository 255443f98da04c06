// The operator's command: the built program in a real shell, from the first key to the last host.

import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Daemon
@testable import Operator

/// The configurations of a publisher's host and another one in a folder, and a shell that finds the built program.
private struct Cluster {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("web1.conf", "[general]\nhostname = web1\nkeydir = \(path)/keys1\n[publisher]\n")
        try folder.write("web2.conf", "[general]\nhostname = web2\nkeydir = \(path)/keys2\n")
    }

    var path: String { folder.path }

    /// Runs a line in /bin/sh; the program is found as an operator finds it, by its name.
    func shell(_ line: String) throws -> (output: String, status: Int32) {
        // Products are built side by side, and so is the program that runs these tests.
        let script = """
            PATH="$(dirname "$(readlink /proc/\(getpid())/exe)"):$PATH"; cd '\(path)'; exec 2>&1
            \(line)
            """
        let pipe = try #require(popen(script, "r"))
        var bytes: [UInt8] = []
        var byte = fgetc(pipe)
        while byte != EOF {
            bytes.append(UInt8(truncatingIfNeeded: byte))
            byte = fgetc(pipe)
        }
        let status = pclose(pipe)
        return (String(decoding: bytes, as: UTF8.self), status >> 8 & 0xff)
    }

    /// Runs a line that must succeed.
    func succeed(_ line: String) throws -> String {
        let (output, status) = try shell(line)
        #expect(status == 0, "\(line): \(output)")
        return output
    }

    /// Runs a line that must fail.
    func fail(_ line: String, status expected: Daemon.ExitStatus, _ words: String) throws {
        let (output, status) = try shell(line)
        #expect(status == expected.rawValue, "\(line): \(output)")
        #expect(output.contains(words), "\(line): \(output)")
    }

    var hosts: [AuthorizedHosts.Host] {
        get throws { try KeyDirectory("\(path)/keys1").authorizedHosts().hosts }
    }
}

@Suite struct ClusterCommandTests {
    @Test func theCommandThatKeygenPrintsAuthorisesTheHostWhenItIsPastedIntoAShell() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        let printed = try cluster.succeed("fail2ban-cluster keygen -c web2.conf")
        let command = try #require(printed.split(separator: "\n").first { $0.contains("fail2ban-cluster authorize") })
        let output = try cluster.succeed(command + " -c web1.conf")
        #expect(output.hasPrefix("authorised web2 as monitor, subscriber"))
        let hosts = try cluster.hosts
        #expect(hosts.map(\.name.description) == ["web1", "web2"])
        #expect(hosts.map(\.roles) == [[.monitor, .subscriber, .operator], [.monitor, .subscriber]])
        #expect(hosts[1].key == (try KeyDirectory("\(cluster.path)/keys2").hostKeys().publicKey))
    }

    @Test(arguments: KeyArgumentTests.dashes + ["a$(reboot)b$HOME&&%%!!*?<>[]{}a^=+/.@-:1"])
    func anyKeySurvivesTheShellAsItIsPrinted(_ text: String) throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        let key = try #require(PublicKey(z85: text))
        _ = try cluster.succeed(authorizeCommand(try #require(Hostname("web3")), key) + " -c web1.conf")
        #expect(try cluster.hosts.last?.key == key)
    }

    @Test func aKeyMayComeByStandardInput() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf; fail2ban-cluster keygen -c web2.conf")
        _ = try cluster.succeed("fail2ban-cluster authorize web2 - --roles operator -c web1.conf < keys2/host.pub")
        #expect(try cluster.hosts.last?.roles == [.operator])
        try cluster.fail("echo nonsense | fail2ban-cluster authorize web2 - -c web1.conf", status: .failed, "holds no key")
        try cluster.fail("fail2ban-cluster authorize web2 - -c web1.conf < /dev/null", status: .failed, "holds no key")
    }

    @Test func initMakesAllKeysAndAuthorisesThePublishersHostAndNeverReplacesThem() throws {
        let cluster = try Cluster()
        let output = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        for name in ["publisher.key", "publisher.pub", "host.key", "host.pub"] {
            #expect(output.contains("made \(cluster.path)/keys1/\(name)\n"))
        }
        #expect(output.contains("authorised web1 as monitor, subscriber, operator"))
        let before = try cluster.succeed("cd keys1; cat *")
        try cluster.fail("fail2ban-cluster init -c web1.conf", status: .failed, "nothing was changed")
        try cluster.fail("fail2ban-cluster keygen -c web1.conf", status: .failed, "nothing was changed")
        #expect(try cluster.succeed("cd keys1; cat *") == before)
    }

    @Test func initFinishesWhatAnEarlierOneCouldNot() throws {
        let cluster = try Cluster()
        let key = try cluster.succeed("fail2ban-cluster keygen -c web1.conf > /dev/null; cat keys1/host.pub")
        let output = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        #expect(!output.contains("made \(cluster.path)/keys1/host.key"))
        #expect(try cluster.hosts.map { $0.key.z85 + "\n" } == [key])
        let publisher = try cluster.succeed("cat keys1/publisher.pub; rm keys1/publisher.pub keys1/authorized_hosts")
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        #expect(try cluster.succeed("cat keys1/publisher.pub") == publisher)
        #expect(try cluster.hosts.count == 1)
    }

    @Test func aHostThatIsNotThePublishersHasNoClusterToInit() throws {
        let cluster = try Cluster()
        try cluster.fail("fail2ban-cluster init -c web2.conf", status: .configuration, "no [publisher] section")
        try cluster.fail("fail2ban-cluster hosts -c web2.conf", status: .configuration, "fail2ban-cluster init")
        #expect(try cluster.succeed("ls") == "web1.conf\nweb2.conf\n")
    }

    @Test func aNewKeyTakesThePlaceOfTheOldAndTheAddressesStay() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        let old = try KeyPair.generate().publicKey
        let new = try KeyPair.generate().publicKey
        _ = try cluster.succeed("echo 'web2 monitor \(old) 192.0.2.2' >> keys1/authorized_hosts")
        let output = try cluster.succeed("fail2ban-cluster authorize web2 -c web1.conf -- '\(new)'")
        #expect(output.contains("its old key \(old) is not valid any more"))
        let host = try #require(try cluster.hosts.last)
        #expect(host.key == new && host.addresses.map(\.description) == ["192.0.2.2"] && host.roles == [.monitor, .subscriber])
        try cluster.fail("fail2ban-cluster authorize web3 -c web1.conf -- '\(new)'", status: .failed, "web2 has this key already")
    }

    @Test func aSecondKeyIsValidBesideTheFirstUntilThePrintedCommandTakesItAway() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        let (old, new) = (try KeyPair.generate().publicKey, try KeyPair.generate().publicKey)
        _ = try cluster.succeed("fail2ban-cluster authorize web2 --roles subscriber -c web1.conf -- '\(old)'")
        let web2 = try #require(Hostname("web2"))
        let output = try cluster.succeed(addKeyCommand(web2, new) + " -c web1.conf")
        #expect(output.hasPrefix("authorised web2 as subscriber with this key too; its old key stays valid until:\n"))
        #expect(try cluster.hosts.dropFirst().map(\.key) == [old, new])
        #expect(try cluster.hosts.dropFirst().map(\.roles) == [[.subscriber], [.subscriber]])
        try cluster.fail(addKeyCommand(web2, new) + " -c web1.conf", status: .failed, "nothing was changed")
        let third = try KeyPair.generate().publicKey
        try cluster.fail(addKeyCommand(web2, third) + " -c web1.conf", status: .failed, revokeKeyCommand(web2, old))
        let command = try #require(output.split(separator: "\n").last)
        let revoked = try cluster.succeed(command + " -c web1.conf")
        #expect(revoked == "revoked the key \(old) of web2, which goes on with \(new)\n")
        #expect(try cluster.hosts.dropFirst().map(\.key) == [new])
        try cluster.fail(command + " -c web1.conf", status: .failed, "does not have this key; nothing was changed")
        try cluster.fail(
            revokeKeyCommand(web2, new) + " -c web1.conf", status: .failed, "this is the only key of web2; nothing was changed")
        try cluster.fail(addKeyCommand(try #require(Hostname("web3")), old) + " -c web1.conf", status: .failed, "Run it without --add")
        #expect(try cluster.hosts.dropFirst().map(\.key) == [new])
    }

    @Test func aReplacementSaysWhatToDoNextAndNothingHasChangedYet() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf; fail2ban-cluster keygen -c web2.conf")
        let before = try cluster.succeed("cat keys2/host.key keys1/publisher.key")
        let output = try cluster.succeed("fail2ban-cluster rekey -c web2.conf")
        #expect(
            output.hasPrefix("wrote \(cluster.path)/keys2/host.key.new\nwrote \(cluster.path)/keys2/host.pub.new\nNothing has changed yet"))
        let key = try cluster.succeed("cat keys2/host.pub.new").dropLast()
        #expect(output.contains("fail2ban-cluster authorize web2 --add '\(key)'\n"))
        #expect(output.contains("fail2ban-cluster rekey --finish -c \(cluster.path)/web2.conf\n"))
        let publisher = try cluster.succeed("fail2ban-cluster rekey --publisher -c web1.conf")
        #expect(
            publisher.hasPrefix(
                "wrote \(cluster.path)/keys1/publisher.key.new\nwrote \(cluster.path)/keys1/publisher.pub\nNothing has changed"))
        #expect(try cluster.succeed("cat keys2/host.key keys1/publisher.key") == before)
        try cluster.fail("fail2ban-cluster rekey --publisher -c web2.conf", status: .configuration, "no [publisher] section")
    }

    @Test func thereIsNothingToFinishThatWasNotBegun() throws {
        let cluster = try Cluster()
        try cluster.fail("fail2ban-cluster rekey -c web2.conf", status: .configuration, "run: fail2ban-cluster keygen")
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        let before = try cluster.succeed("cd keys1; cat *")
        try cluster.fail("fail2ban-cluster rekey --finish -c web1.conf", status: .failed, "Begin with: fail2ban-cluster rekey.")
        try cluster.fail("fail2ban-cluster rekey --publisher --finish -c web1.conf", status: .failed, "fail2ban-cluster rekey --publisher")
        #expect(try cluster.succeed("cd keys1; cat *") == before)
    }

    @Test func aPublisherThatDoesNotRunTakesItsNewKeyAtItsStart() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf; fail2ban-cluster rekey --publisher -c web1.conf")
        let next = try cluster.succeed("tail -1 keys1/publisher.pub; cat keys1/publisher.key.new")
        // Where a daemon of this machine has the default's pid file, it is not this cluster's.
        _ = try cluster.succeed("echo 'pidfile = \(cluster.path)/publisher.pid' >> web1.conf")
        _ = try cluster.succeed("fail2ban-cluster rekey --publisher --finish -c web1.conf")
        #expect(try cluster.succeed("cat keys1/publisher.pub keys1/publisher.key") == next)
        #expect(try cluster.succeed("ls keys1") == "authorized_hosts\nhost.key\nhost.pub\npublisher.key\npublisher.pub\n")
    }

    @Test func aRevokedHostIsGoneAndCannotBeRevokedTwice() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        let key = try KeyPair.generate().publicKey
        _ = try cluster.succeed(authorizeCommand(try #require(Hostname("web2")), key) + " -c web1.conf")
        #expect(try cluster.succeed("fail2ban-cluster revoke web2 -c web1.conf").hasPrefix("revoked web2, which had the key \(key); "))
        #expect(try cluster.hosts.map(\.name.description) == ["web1"])
        try cluster.fail("fail2ban-cluster revoke web2 -c web1.conf", status: .failed, "nothing to revoke")
    }

    @Test func hostsShowsEachHostInAColumnOfItsOwn() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf")
        let key = try KeyPair.generate().publicKey
        _ = try cluster.succeed("echo 'a-long-name.example monitor \(key) 192.0.2.2,2001:db8::/64' >> keys1/authorized_hosts")
        let lines = try cluster.succeed("fail2ban-cluster hosts -c web1.conf").split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("HOST                 ROLES                        KEY"))
        #expect(lines[2] == "a-long-name.example  monitor                      \(key)  192.0.2.2,2001:db8::/64")
    }

    @Test func whatIsWrongWithAFileEndsWithItsPlaceAndStatus78() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf; echo 'web2 admin x' >> keys1/authorized_hosts")
        try cluster.fail("fail2ban-cluster hosts -c web1.conf", status: .configuration, "keys1/authorized_hosts:4: `admin` are no roles")
        _ = try cluster.succeed("sed -i '$d' keys1/authorized_hosts; chmod 644 keys1/host.key; rm keys1/host.pub")
        try cluster.fail("fail2ban-cluster keygen -c web1.conf", status: .configuration, "chmod 600 \(cluster.path)/keys1/host.key")
        try cluster.fail("fail2ban-cluster hosts -c missing.conf", status: .configuration, "missing.conf")
    }

    @Test(.enabled(if: geteuid() == 0, "root alone can become a user without permissions"))
    func aUserWithoutPermissionEndsWithStatus77() throws {
        let cluster = try Cluster()
        _ = try cluster.succeed("fail2ban-cluster init -c web1.conf; mkdir -p elsewhere; cp $(which fail2ban-cluster) .; chmod -R a+rX .")
        try cluster.fail(
            "setpriv --reuid 65534 --regid 65534 --clear-groups ./fail2ban-cluster authorize web2 -c web1.conf -- '\(KeyPair.generate().publicKey)'",
            status: .permission, "run it as root")
    }

    @Test(arguments: ["--version", "--help", "authorize --help"])
    func helpAndVersionAreNoErrors(_ arguments: String) throws {
        let cluster = try Cluster()
        #expect(try cluster.succeed("fail2ban-cluster \(arguments)").contains("fail2ban-cluster"))
    }

    @Test func aWrongCommandLineEndsWithStatus64() throws {
        let cluster = try Cluster()
        try cluster.fail("fail2ban-cluster authorize web1 nonsense -c web1.conf", status: .usage, "40 characters")
        for time in ["soon", "-2", "1h-", "''"] {
            try cluster.fail("fail2ban-cluster unban 192.0.2.1 --for \(time) -c web1.conf", status: .usage, "10m, 1h, 1d, 1w, -1")
            try cluster.fail("fail2ban-cluster ban 192.0.2.1 --for \(time) -c web1.conf", status: .usage, "--for")
        }
        // Only what is allowed can be so no longer.
        try cluster.fail("fail2ban-cluster ban 192.0.2.1 --for 0 -c web1.conf", status: .usage, "--for")
        // These are times: what is wrong is that nothing says where the publisher is.
        for command in ["ban 192.0.2.1 --for -1", "unban 192.0.2.1 --for -1", "unban 192.0.2.1 --for 0"] {
            try cluster.fail("fail2ban-cluster \(command) -c web2.conf", status: .configuration, "where the publisher is")
        }
    }
}
