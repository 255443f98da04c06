// Where a ban arrives: in the kernel, as an element of a set of nftables.

import CNetfilter
import Glibc
import Wire

/// Hears the kernel tell of new elements.
struct Elements: ~Copyable {
    private let socket: OpaquePointer
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: Int(MNL_ALIGNTO))

    init() throws {
        let groups = UInt32(1) << (NFNLGRP_NFTABLES.rawValue - 1)
        guard let socket = mnl_socket_open(NETLINK_NETFILTER), mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) == 0 else {
            Program.fail("can't follow the changes of nftables: \(String(cString: strerror(errno)))")
        }
        self.socket = socket
        // So that a ban that does not arrive ends the measure.
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        mnl_socket_close(socket)
        buffer.deallocate()
    }

    /// Waits for the element of an IPv6 address; `false` after 10 s.
    func has(_ address: Address) throws -> Bool {
        let key = withUnsafeBytes(of: (address.high.bigEndian, address.low.bigEndian)) { Array($0) }
        while true {
            let count = mnl_socket_recvfrom(socket, buffer.baseAddress, buffer.count)
            guard count > 0 else { return false }
            // The whole message is one new element, and nothing else in it has these 16 bytes.
            if memmem(buffer.baseAddress, count, key, key.count) != nil { return true }
        }
    }
}
