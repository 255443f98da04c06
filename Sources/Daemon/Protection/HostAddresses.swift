// What the daemons share: this host's own addresses, which a subscriber never bans.

import Glibc
import Wire

/// What the kernel says of this host's interfaces, in the network namespace of this process.
public enum HostAddresses {
    /// The addresses of all interfaces, each once: getifaddrs(3). Zones of link-local ones are left out.
    public static func own() throws(SystemError) -> Set<Address> {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { throw SystemError("list this host's addresses") }
        defer { freeifaddrs(first) }
        var addresses: Set<Address> = []
        var next = first
        while let entry = next {
            if let raw = entry.pointee.ifa_addr, let address = Address(raw) { addresses.insert(address) }
            next = entry.pointee.ifa_next
        }
        return addresses
    }
}

extension Address {
    /// The address in a socket address of the system; `nil` when it is neither IPv4 nor IPv6.
    init?(_ socketAddress: UnsafePointer<sockaddr>) {
        switch Int32(socketAddress.pointee.sa_family) {
        case AF_INET:
            let bits = UnsafeRawPointer(socketAddress).loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
            self.init(ipv4: UInt32(bigEndian: bits))
        case AF_INET6:
            var bytes = UnsafeRawPointer(socketAddress).loadUnaligned(as: sockaddr_in6.self).sin6_addr
            let (high, low) = withUnsafeBytes(of: &bytes) { ($0.load(as: UInt64.self), $0.load(fromByteOffset: 8, as: UInt64.self)) }
            self.init(ipv6High: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
        default: return nil
        }
    }
}
