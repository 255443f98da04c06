// What the daemons share: this host's gateways, which a subscriber never bans.

import CLinux
import Glibc
import Wire

/// What the routes of this thread's network namespace go through, by rtnetlink(7): in all tables, those that only a policy rule leads to
/// (ip-rule(8)) too, and each next hop of a route that has several. The files of proc(5) have the main table's first next hops only.
public enum Gateways {
    /// Bytes that the kernel's lists may have: some million routes, more than any table of the Internet's.
    private static let most = 512 << 20
    /// The kernel sends parts of at most 32 KiB (net/netlink/af_netlink.c, netlink_dump).
    private static let longestPart = 64 << 10

    /// - Throws: when the kernel can't be asked, or its lists are longer than any host's.
    public static func all() throws(SystemError) -> Set<Address> {
        guard let socket = OwnedDescriptor(socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)) else {
            throw SystemError("ask for this host's routes")
        }
        var gateways: Set<Address> = []
        for family in [AF_INET, AF_INET6] {
            try ask(for: family, socket.number)
            try receive(socket.number, into: &gateways)
        }
        return gateways
    }

    private static func ask(for family: Int32, _ descriptor: Int32) throws(SystemError) {
        struct Request {
            var header = nlmsghdr()
            var route = rtmsg()
        }
        var request = Request()
        request.header.nlmsg_len = UInt32(MemoryLayout<Request>.size)
        request.header.nlmsg_type = UInt16(RTM_GETROUTE)
        request.header.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_ROOT | NLM_F_MATCH)
        request.route.rtm_family = UInt8(family)
        guard send(descriptor, &request, MemoryLayout<Request>.size, 0) == MemoryLayout<Request>.size else {
            throw SystemError("ask for this host's routes")
        }
    }

    /// Takes the parts of one list. Each call finds the next one, which the kernel makes when it gives out the one before.
    private static func receive(_ descriptor: Int32, into gateways: inout Set<Address>) throws(SystemError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: longestPart, alignment: 8)
        defer { buffer.deallocate() }
        var taken = 0
        while taken < most {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError("read this host's routes") }
            taken += count
            if try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]), into: &gateways) { return }
        }
        throw SystemError("read this host's routes", code: EFBIG)
    }

    /// - Returns: whether the list ends here.
    private static func take(_ part: UnsafeRawBufferPointer, into gateways: inout Set<Address>) throws(SystemError) -> Bool {
        var rest = part
        while let header = rest.value(nlmsghdr.self), Int(header.nlmsg_len) >= MemoryLayout<nlmsghdr>.size {
            let message = rest.prefix(upTo: Int(header.nlmsg_len)).dropping(MemoryLayout<nlmsghdr>.size)
            switch Int32(header.nlmsg_type) {
            case NLMSG_DONE: return true
            case NLMSG_ERROR: throw SystemError("read this host's routes", code: -(message.value(nlmsgerr.self)?.error ?? 0))
            case Int32(RTM_NEWROUTE):
                if let route = message.value(rtmsg.self) {
                    addGateways(in: message.dropping(MemoryLayout<rtmsg>.size), Int32(route.rtm_family), &gateways)
                }
            default: break
            }
            rest = rest.dropping(aligned(header.nlmsg_len))
        }
        return false
    }

    private static func addGateways(in attributes: UnsafeRawBufferPointer, _ family: Int32, _ gateways: inout Set<Address>) {
        var rest = attributes
        while let attribute = rest.value(rtattr.self), Int(attribute.rta_len) >= MemoryLayout<rtattr>.size {
            let value = rest.prefix(upTo: Int(attribute.rta_len)).dropping(MemoryLayout<rtattr>.size)
            switch UInt32(attribute.rta_type) {
            case RTA_GATEWAY.rawValue: add(value, family, &gateways)
            // Of another family than the route: IPv4 through a router that is known by its IPv6 address.
            case RTA_VIA.rawValue: add(value.dropping(2), Int32(value.value(UInt16.self) ?? 0), &gateways)
            case RTA_MULTIPATH.rawValue:
                var hops = value
                while let hop = hops.value(rtnexthop.self), Int(hop.rtnh_len) >= MemoryLayout<rtnexthop>.size {
                    addGateways(in: hops.prefix(upTo: Int(hop.rtnh_len)).dropping(MemoryLayout<rtnexthop>.size), family, &gateways)
                    hops = hops.dropping(aligned(hop.rtnh_len))
                }
            default: break
            }
            rest = rest.dropping(aligned(attribute.rta_len))
        }
    }

    private static func add(_ bytes: UnsafeRawBufferPointer, _ family: Int32, _ gateways: inout Set<Address>) {
        switch family {
        case AF_INET:
            if let bits = bytes.value(UInt32.self), let address = Address(ipv4: UInt32(bigEndian: bits)) { gateways.insert(address) }
        case AF_INET6:
            guard let high = bytes.value(UInt64.self), let low = bytes.dropping(8).value(UInt64.self) else { return }
            if let address = Address(ipv6High: UInt64(bigEndian: high), low: UInt64(bigEndian: low)) { gateways.insert(address) }
        default: break
        }
    }

    /// Messages, attributes and next hops begin at multiples of four (netlink(3)).
    private static func aligned(_ length: some BinaryInteger) -> Int { (Int(length) + 3) & ~3 }
}

extension UnsafeRawBufferPointer {
    /// What stands at the beginning; `nil` when there is less.
    fileprivate func value<Value: BitwiseCopyable>(_ type: Value.Type) -> Value? {
        count < MemoryLayout<Value>.size ? nil : loadUnaligned(as: type)
    }

    fileprivate func prefix(upTo length: Int) -> Self { Self(rebasing: self[..<Swift.min(length, count)]) }

    fileprivate func dropping(_ length: Int) -> Self { Self(rebasing: self[Swift.min(length, count)...]) }
}
