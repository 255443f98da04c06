// The harness: a network of its own for programs whose firewall is measured.

import CNetlink
import Foundation

/// A network namespace with nothing but its loopback. Removed with its last user.
final class NetworkNamespace: Sendable {
    private let name: String

    init() throws {
        name = "bench\(getpid())-\(UUID().uuidString.prefix(4))"
        try Command.run(["ip", "netns", "add", name])
        try run(["ip", "link", "set", "lo", "up"])
    }

    deinit { _ = try? Command.run(["ip", "netns", "delete", name]) }

    /// What runs a program in it, and is that program itself from then on.
    var prefix: [String] { ["/usr/bin/nsenter", "--net=/run/netns/\(name)", "--"] }

    @discardableResult
    func run(_ words: [String], input: String? = nil) throws -> String { try Command.run(prefix + words, input: input) }

    /// Moves this thread into it, and the threads and processes that it starts.
    func enter() throws {
        let descriptor = open("/run/netns/\(name)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw BenchError("there is no namespace \(name)") }
        defer { close(descriptor) }
        // 0: of whatever kind the descriptor is (setns(2)).
        guard setns(descriptor, 0) == 0 else { throw BenchError("can't enter the namespace \(name): \(String(cString: strerror(errno)))") }
    }
}

/// Hears of every element that comes into a set of this thread's nftables, when the kernel has it.
final class ElementListener {
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), NETLINK_NETFILTER)
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_groups = 1 << (NFNLGRP_NFTABLES.rawValue - 1)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_nl>.size)) }
        }
        guard descriptor >= 0, code == 0 else { throw BenchError("can't listen to nftables: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Waits until an element has come.
    func wait(within limit: Duration) throws {
        let deadline = ContinuousClock.now + limit
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let rest = (deadline - .now).milliseconds
            guard rest > 0, poll(&polled, 1, Int32(rest.rounded(.up))) == 1 else { throw BenchError("no element came within \(limit)") }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw BenchError("can't hear nftables: \(String(cString: strerror(errno)))") }
            if ElementListener.hasElement(buffer[..<count]) { return }
        }
    }

    /// A datagram has several messages, each with its length and type first, in this machine's order (netlink(7)).
    private static func hasElement(_ datagram: ArraySlice<UInt8>) -> Bool {
        let wanted = UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(NFT_MSG_NEWSETELEM.rawValue)
        return datagram.withUnsafeBytes { bytes in
            var place = 0
            while place + MemoryLayout<nlmsghdr>.size <= bytes.count {
                let header = bytes.loadUnaligned(fromByteOffset: place, as: nlmsghdr.self)
                if header.nlmsg_type == wanted { return true }
                place += max(Int(header.nlmsg_len + 3) & ~3, MemoryLayout<nlmsghdr>.size)
            }
            return false
        }
    }
}
