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
