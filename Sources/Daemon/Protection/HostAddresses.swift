// What the daemons share: this host's own addresses and gateways, which a subscriber never bans.

import Glibc
import Wire

/// What the kernel says of this host's network, in the network namespace of this process.
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

    /// The gateways of all routes, the default ones and others.
    ///
    /// - Throws: when the kernel's tables cannot be read, or are larger than any host's that runs fail2ban (16 MiB each).
    public static func gateways() throws(SystemError) -> Set<Address> {
        let ipv4 = try readFile("/proc/net/route", atMost: 16 << 20)
        var gateways = gateways(ipv4Routes: String(decoding: ipv4, as: UTF8.self))
        // A kernel without IPv6 has no such file.
        if access("/proc/net/ipv6_route", R_OK) == 0 {
            let ipv6 = try readFile("/proc/net/ipv6_route", atMost: 16 << 20)
            gateways.formUnion(Self.gateways(ipv6Routes: String(decoding: ipv6, as: UTF8.self)))
        }
        return gateways
    }

    /// Reads the text of /proc/net/route: after a head line, interface, destination, gateway and flags, in hexadecimal of this
    /// machine's byte order (net/ipv4/fib_trie.c, fib_route_seq_show).
    static func gateways(ipv4Routes text: String) -> Set<Address> {
        var gateways: Set<Address> = []
        for line in text.split(separator: "\n").dropFirst() {
            let fields = line.split(separator: "\t").map { $0.filter { $0 != " " } }
            guard fields.count > 3, let flags = UInt32(fields[3], radix: 16), flags & viaGateway != 0,
                let word = UInt32(fields[2], radix: 16), word != 0, let address = Address(ipv4: UInt32(bigEndian: word))
            else { continue }
            gateways.insert(address)
        }
        return gateways
    }

    /// Reads the text of /proc/net/ipv6_route: destination, its length, source, its length, next hop, metric, two counters, flags and
    /// interface, in hexadecimal (net/ipv6/route.c, rt6_info_route).
    static func gateways(ipv6Routes text: String) -> Set<Address> {
        var gateways: Set<Address> = []
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 8, let flags = UInt32(fields[8], radix: 16), flags & viaGateway != 0, fields[4].utf8.count == 32,
                let high = UInt64(fields[4].prefix(16), radix: 16), let low = UInt64(fields[4].suffix(16), radix: 16), high | low != 0,
                let address = Address(ipv6High: high, low: low)
            else { continue }
            gateways.insert(address)
        }
        return gateways
    }

    /// RTF_GATEWAY of linux/route.h.
    private static let viaGateway: UInt32 = 0x0002
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
