// What the daemons share: who is at the other end of a connection, asked by its descriptor.

import Glibc
import Wire

/// The address and port at the other end of a TCP connection.
public struct PeerEndpoint: Hashable, Sendable {
    /// An IPv4 address as such, also behind a socket for both families; a link-local one without its zone.
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
        let peer = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                getpeername(descriptor, address, &length) == 0 ? Address(address) : nil
            }
        }
        guard let peer else { return nil }
        address = peer
        // The port is at the same place in sockaddr_in and sockaddr_in6.
        port = withUnsafeBytes(of: storage) { UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) }
    }
}
