// What the daemons share: where a ZeroMQ socket binds or connects, checked before libzmq sees it.

import Wire

/// A ZeroMQ endpoint as zmq_tcp(7) and zmq_ipc(7) have it: `tcp://HOST:PORT`, `tcp://[IPV6]:PORT`, `ipc:///run/x.sock` or
/// `ipc://@abstract`.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// The text for libzmq, as it was written.
    public let description: String
    /// The host of a tcp endpoint without brackets: an address, a name, an interface, or `*`; `nil` for ipc.
    public let host: String?
    /// 1 to 65535; `nil` for ipc, and for a port that the system chooses at bind.
    public let port: UInt16?

    /// An endpoint to connect to: a host and a port.
    public init?(connect text: String) {
        guard let endpoint = Endpoint(text), endpoint.host != "*", endpoint.host == nil || endpoint.port != nil else { return nil }
        self = endpoint
    }

    /// An endpoint to bind: also `*` for all addresses and an interface's name, and port `*` or 0 for one the system chooses.
    public init?(bind text: String) { self.init(text) }

    static let allowedToConnect = "tcp://HOST:PORT, tcp://[IPV6]:PORT or ipc:///PATH"
    static let allowedToBind = "tcp://*:PORT, tcp://ADDRESS:PORT, tcp://[IPV6]:PORT, tcp://INTERFACE:PORT or ipc:///PATH"

    /// Where a publisher answers requests, and where it broadcasts: the ports of fail2ban-zmq-tools, on all addresses.
    static let defaultReply = Endpoint(anyAddressAtPort: 5678)
    static let defaultBroadcaster = Endpoint(anyAddressAtPort: 5680)

    private init(anyAddressAtPort port: UInt16) {
        description = "tcp://*:\(port)"
        host = "*"
        self.port = port
    }

    private init?(_ text: String) {
        guard text.utf8.count <= 300, text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        description = text
        if text.hasPrefix("ipc://") {
            let name = text.dropFirst("ipc://".count)
            // The path of a Unix socket has 107 bytes at most (unix(7)).
            guard name.hasPrefix("/") || name.hasPrefix("@"), (2...107).contains(name.utf8.count) else { return nil }
            (host, port) = (nil, nil)
            return
        }
        guard text.hasPrefix("tcp://") else { return nil }
        let body = text.dropFirst("tcp://".count)
        guard let colon = body.lastIndex(of: ":") else { return nil }
        let rest = body[..<colon]
        let digits = body[body.index(after: colon)...]
        if digits == "*" || digits == "0" {
            port = nil
        } else {
            guard digits.first != "0", digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(digits) else {
                return nil
            }
            port = number
        }
        if rest.hasPrefix("["), rest.hasSuffix("]") {
            // A zone (`fe80::1%eth0`) is libzmq's to check.
            let inside = rest.dropFirst().dropLast()
            let address = inside.prefix { $0 != "%" }
            guard let parsed = Address(address), parsed.isSingle, address.contains(":") else { return nil }
            host = String(inside)
        } else {
            let name = rest.utf8.allSatisfy { isNameByte($0) } && !rest.isEmpty
            guard rest == "*" || name && !looksLikeBrokenAddress(rest) else { return nil }
            host = String(rest)
        }
    }
}

/// Letters, digits, `.`, `-` and `_`: names of hosts, and of interfaces such as `br_lan`.
private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
    default: false
    }
}

/// Whether a text of digits and dots, which cannot be a name, is no address either: `999.1.1.1`, `10.0.0`.
func looksLikeBrokenAddress(_ text: some StringProtocol) -> Bool {
    guard let last = text.split(separator: ".", omittingEmptySubsequences: false).last else { return true }
    return last.utf8.allSatisfy { (0x30...0x39).contains($0) } && Address(text) == nil
}

extension Endpoint {
    /// The host as something that ``NeverBan`` can protect: the publisher's address. `nil` for ipc, `*` and interfaces' names that
    /// cannot be names of hosts.
    public var protectedHost: IgnoreRule? { host.flatMap { IgnoreRule(String($0.prefix { $0 != "%" })) } }
}
