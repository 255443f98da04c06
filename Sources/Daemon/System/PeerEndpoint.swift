// What the daemons share: who is at the other end of a connection, asked by its descriptor.

import Glibc
import Wire

/// The address and port at the other end of a TCP connection.
public struct PeerEndpoint: Hashable, Sendable {
    /// An IPv4 address as such, also behind a socket for both families.
    public let address: Address
    public let port: UInt16

    public init(address: Address, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// getpeername(2). - Returns: `nil` when the descriptor is no such connection any more.
    public init?(descriptor: Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
        }
        guard code == 0 else { return nil }
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let named = withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getnameinfo($0, length, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
            }
        }
        guard named == 0 else { return nil }
        let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let plain = text.hasPrefix("::ffff:") ? String(text.dropFirst("::ffff:".count)) : text
        guard let address = Address(plain) else { return nil }
        self.address = address
        // The port is at the same place in sockaddr_in and sockaddr_in6.
        port = withUnsafeBytes(of: storage) { UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) }
    }
}
