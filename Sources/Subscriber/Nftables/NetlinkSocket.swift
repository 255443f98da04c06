// Stage 3, enforcement: one socket to the kernel's netfilter, through libmnl.

import CNetfilter
import Daemon
import Glibc

/// A netlink socket of NETLINK_NETFILTER (netlink(7)), bound to a port that the kernel chose. It never waits: what is asked is answered
/// within the call that asks, except for dumps, whose parts come as they are received.
struct NetlinkSocket: ~Copyable, @unchecked Sendable {
    // Sendable: set once here; libmnl only reads it, and the kernel keeps the calls on one descriptor apart.
    private let handle: OpaquePointer
    /// The port by which the kernel names who made a change.
    let port: UInt32
    let descriptor: Int32

    /// The most that one call receives: the kernel sends parts of a dump of at most 32 KiB (net/netlink/af_netlink.c, netlink_dump).
    static let longestPart = 64 * 1024

    /// - Throws: when the kernel has no netfilter, or this process may not have one more descriptor.
    init() throws(SystemError) {
        let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        guard let handle = mnl_socket_open2(NETLINK_NETFILTER, flags) else { throw SystemError("open a netlink socket") }
        guard mnl_socket_bind(handle, 0, MNL_SOCKET_AUTOPID) == 0 else {
            let error = SystemError("bind a netlink socket")
            mnl_socket_close(handle)
            throw error
        }
        self.handle = handle
        port = mnl_socket_get_portid(handle)
        descriptor = mnl_socket_get_fd(handle)
    }

    deinit { mnl_socket_close(handle) }

    /// Gives the socket room for `bytes` on the way to the kernel and back, beyond the system's limit (socket(7), SO_SNDBUFFORCE). Where
    /// the container may not exceed that, it gets as much as the limit allows.
    func reserve(sending: Int32 = 0, receiving: Int32 = 0) throws(SystemError) {
        for (option, bounded, bytes) in [(SO_SNDBUFFORCE, SO_SNDBUF, sending), (SO_RCVBUFFORCE, SO_RCVBUF, receiving)] where bytes > 0 {
            let attempt = "give a netlink socket room for \(bytes) bytes"
            do throws(SystemError) {
                try set(SOL_SOCKET, option, bytes, attempt)
            } catch {
                guard error.code == EPERM else { throw error }
                try set(SOL_SOCKET, bounded, bytes, attempt)
            }
        }
    }

    /// Asks to be told of all changes to nftables, but not of those made through `port`, so that a burst of ours does not fill the socket.
    func followChanges(exceptThoseOf port: UInt32) throws(SystemError) {
        // Classic BPF: load the word at offset 12 of the first message, nlmsg_pid, which is the same for all of a transaction.
        var program = [
            sock_filter(code: UInt16(BPF_LD | BPF_W | BPF_ABS), jt: 0, jf: 0, k: 12),
            sock_filter(code: UInt16(BPF_JMP | BPF_JEQ | BPF_K), jt: 0, jf: 1, k: port.bigEndian),
            sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: 0),
            sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: .max),
        ]
        let code = program.withUnsafeMutableBufferPointer { steps in
            var filter = sock_fprog(len: UInt16(steps.count), filter: steps.baseAddress)
            return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, socklen_t(MemoryLayout<sock_fprog>.size))
        }
        guard code == 0 else { throw SystemError("filter the changes of nftables") }
        try set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, Int32(NFNLGRP_NFTABLES.rawValue), "follow the changes of nftables")
    }

    /// Sends messages. The kernel carries them out before this returns.
    func send(_ messages: UnsafeRawBufferPointer) throws(SystemError) {
        guard mnl_socket_sendto(handle, messages.baseAddress, messages.count) == messages.count else {
            throw SystemError("send \(messages.count) bytes to nftables")
        }
    }

    /// Takes one datagram.
    ///
    /// - Returns: its length; `nil` when none is there.
    /// - Throws: ENOBUFS when datagrams were lost because nobody took them in time.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int? {
        while true {
            let count = mnl_socket_recvfrom(handle, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            switch errno {
            case EINTR: continue
            case EAGAIN: return nil
            default: throw SystemError("hear from nftables")
            }
        }
    }

    private func set(_ level: Int32, _ option: Int32, _ value: Int32, _ attempt: String) throws(SystemError) {
        var value = value
        guard setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else { throw SystemError(attempt) }
    }
}
