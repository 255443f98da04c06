// Which connections of sshd count as a login of root, from the kernel's tables as they were recorded.

import Glibc
import TestSupport
import Testing
import Wire

@testable import Daemon

@Suite(.enabled(if: 1.littleEndian == 1 && geteuid() == 0, "the tables are of a little-endian machine, and the processes root's"))
struct RootLoginTests {
    private static let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

    @Test func onlyEstablishedConnectionsOfTheseSocketsCount() throws {
        let table =
            Self.head + """
                   0: 0300A8C0:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0000000000000000 100 0 0 10 0
                   1: 0300A8C0:0016 0900A8C0:C35A 01 00000000:00000000 02:000A7B2E 00000000     0        0 101 2 0000000000000000 20 4 30 10 -1
                   2: 0300A8C0:0016 0800A8C0:C35B 01 00000000:00000000 02:000A7B2E 00000000     0        0 102 2 0000000000000000 20 4 30 10 -1
                   3: 0300A8C0:0016 0700A8C0:C35C 06 00000000:00000000 03:000005F2 00000000     0        0 101 3 0000000000000000

                """
        #expect(RootLogins.peers(of: ["101", "103"], in: table) == [try #require(Address("192.168.0.9"))])
        #expect(RootLogins.peers(of: [], in: table).isEmpty)
    }

    @Test func aConnectionToASocketOfBothFamiliesIsKnownByItsIPv4Address() throws {
        let table =
            Self.head + """
                   0: 0000000000000000FFFF00000300A8C0:0016 0000000000000000FFFF00000900A8C0:C35A 01 00000000:00000000 02:0 0 0 0 7 2 0
                   1: B80D0120000000000000000003000000:0016 B80D0120000000000000000009000000:C35A 01 00000000:00000000 02:0 0 0 0 8 2 0

                """
        #expect(
            RootLogins.peers(of: ["7", "8"], in: table) == [try #require(Address("192.168.0.9")), try #require(Address("2001:db8::9"))])
    }

    @Test(arguments: [
        ("sshd", "sshd: root@pts/0", true), ("sshd", "sshd: root@notty", true), ("sshd-session", "sshd-session: root@pts/1", true),
        ("sshd", "sshd: root [priv]", false), ("sshd", "sshd: unknown [net]", false), ("sshd", "sshd: alice@pts/0", false),
        ("bash", "sshd: root@pts/0", false), ("sshd", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", false),
    ])
    func onlyARootThatHasProvedToBeItCounts(program: String, title: String, counts: Bool) throws {
        let folder = try TemporaryFolder()
        let files = [
            "comm": program + "\n", "cmdline": title,
            "net/tcp": Self.head + "0: 0300A8C0:0016 0900A8C0:C35A 01 00000000:00000000 02:0 0 0 0 101 2 0\n", "net/tcp6": Self.head,
        ]
        for name in ["self", "self/ns", "4711", "4711/fd", "4711/net", "4711/ns"] { #expect(mkdir(folder(name), 0o755) == 0) }
        #expect(symlink("socket:[101]", folder("4711/fd/3")) == 0 && symlink("/dev/null", folder("4711/fd/0")) == 0)
        for process in ["self", "4711"] { #expect(symlink("net:[1]", folder("\(process)/ns/net")) == 0) }
        for (name, text) in files { try folder.write("4711/\(name)", text) }
        let addresses = try RootLogins.addresses(proc: folder.path)
        #expect(addresses == (counts ? [try #require(Address("192.168.0.9"))] : []))
        // Of another network, such as a container's.
        #expect(unlink(folder("4711/ns/net")) == 0 && symlink("net:[2]", folder("4711/ns/net")) == 0)
        #expect(try RootLogins.addresses(proc: folder.path).isEmpty)
    }
}
