// What the daemons share: from where root is logged in on this host by SSH, so that nobody locks out who could mend it.

import Glibc
import Wire

/// The established connections of sshd's processes that serve a root who has proved to be it.
///
/// Such a process is root's and calls itself `sshd: root@pts/0` or `sshd: root@notty` (OpenSSH 9.8 and later: `sshd-session: root@…`).
/// Before the login it is `sshd: root [priv]` or `sshd: unknown [net]`, whoever connects, and counts for nothing. A user other than
/// root can't have a process like it.
public enum RootLogins {
    /// Where they come from, as far as the processes are in this one's pid and network namespace. Without root's rights it is empty:
    /// others' descriptors can't be read.
    ///
    /// - Parameter proc: the proc(5) file system.
    /// - Throws: when that can't be listed.
    public static func addresses(proc: String = "/proc") throws(SystemError) -> Set<Address> {
        var addresses: Set<Address> = []
        let network = target(of: "\(proc)/self/ns/net")
        for name in try listFolder(proc) where name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            let process = "\(proc)/\(name)"
            var status = stat()
            // What ends meanwhile is passed over, here and below.
            guard stat(process, &status) == 0, status.st_uid == 0, servesRoot(process),
                target(of: "\(process)/ns/net") == network
            else { continue }
            let sockets = sockets(of: process)
            for table in ["tcp", "tcp6"] {
                guard let text = try? readFile("\(process)/net/\(table)", atMost: 64 << 20) else { continue }
                addresses.formUnion(peers(of: sockets, in: String(decoding: text, as: UTF8.self)))
            }
        }
        return addresses
    }

    private static func servesRoot(_ process: String) -> Bool {
        // A program may call itself anything, but its executable's name is the kernel's word.
        guard let line = try? readFile("\(process)/cmdline", atMost: 1 << 20), let name = try? readFile("\(process)/comm", atMost: 64)
        else {
            return false
        }
        let program = String(decoding: name, as: UTF8.self).split(separator: "\n").first ?? ""
        let title = String(decoding: line.prefix { $0 != 0 }, as: UTF8.self)
        return (program == "sshd" || program == "sshd-session") && title.hasPrefix("\(program): root@")
    }

    /// The inodes of the sockets that a process has open.
    private static func sockets(of process: String) -> Set<String> {
        var inodes: Set<String> = []
        for name in (try? listFolder(process + "/fd")) ?? [] {
            guard let text = target(of: "\(process)/fd/\(name)"), text.hasPrefix("socket:["), text.hasSuffix("]") else { continue }
            inodes.insert(String(text.dropFirst(8).dropLast()))
        }
        return inodes
    }

    /// The text of a symbolic link, as far as 64 bytes of it; `nil` when there is none.
    private static func target(of link: String) -> String? {
        var text = [CChar](repeating: 0, count: 65)
        guard readlink(link, &text, text.count - 1) > 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Reads the text of /proc/net/tcp or tcp6: after a head line, number, local and remote address with port, state (01 is established),
    /// six more fields, and the inode; addresses in hexadecimal words of this machine's byte order (net/ipv4/tcp_ipv4.c, get_tcp4_sock).
    static func peers(of sockets: Set<String>, in table: String) -> Set<Address> {
        var peers: Set<Address> = []
        for line in table.split(separator: "\n").dropFirst() {
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count > 9, fields[3] == "01", sockets.contains(String(fields[9])),
                let address = address(fields[2].prefix { $0 != ":" })
            else { continue }
            peers.insert(address)
        }
        return peers
    }

    private static func address(_ text: Substring) -> Address? {
        var words: [UInt32] = []
        var rest = text
        while rest.utf8.count >= 8, let word = UInt32(rest.prefix(8), radix: 16) {
            words.append(UInt32(bigEndian: word))
            rest = rest.dropFirst(8)
        }
        guard rest.isEmpty else { return nil }
        switch words.count {
        case 1: return Address(ipv4: words[0])
        case 4:
            // Of an IPv4 connection to a socket of both families this is the IPv4 address.
            return Address(ipv6High: UInt64(words[0]) << 32 | UInt64(words[1]), low: UInt64(words[2]) << 32 | UInt64(words[3]))
        default: return nil
        }
    }
}
