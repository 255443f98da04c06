// Stage 3, enforcement: netlink messages as they are sent, written through libmnl in memory of our own.

import CNetfilter
import Glibc

/// The messages of one send, one behind the other.
///
/// It grows between messages and not within one: who writes a message keeps it shorter than ``longestMessage``.
struct NetlinkMessages: ~Copyable {
    /// The bound of one message: a nested attribute has at most 65,535 bytes (struct nlattr).
    static let longestMessage = 64 * 1024

    private var memory: UnsafeMutableRawBufferPointer
    private var count = 0
    /// Where the message begins that was written last.
    private var last = 0
    /// The number of the message that was written last; the first has 1.
    private(set) var sequence: UInt32 = 0

    init() { memory = .allocate(byteCount: NetlinkMessages.longestMessage, alignment: Int(MNL_ALIGNTO)) }

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// Writes one message of nf_tables about the family inet.
    ///
    /// - Parameters:
    ///   - type: One of NFT_MSG_….
    ///   - body: Writes its attributes.
    mutating func append(_ type: nf_tables_msg_types, _ flags: Int32, _ body: (UnsafeMutablePointer<nlmsghdr>) -> Void) {
        append(type: UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(type.rawValue), flags, family: UInt8(NFPROTO_INET), resource: 0, body)
    }

    /// Begins a transaction: all until ``endTransaction()`` is carried out as a whole, or nothing of it.
    mutating func beginTransaction() {
        append(type: UInt16(NFNL_MSG_BATCH_BEGIN), 0, family: 0, resource: UInt16(NFNL_SUBSYS_NFTABLES)) { _ in }
    }

    /// The message before it asks for an answer, so that one comes in any case.
    mutating func endTransaction() {
        let place = last + (MemoryLayout<nlmsghdr>.offset(of: \.nlmsg_flags) ?? 0)
        let flags = memory.load(fromByteOffset: place, as: UInt16.self)
        memory.storeBytes(of: flags | UInt16(NLM_F_ACK), toByteOffset: place, as: UInt16.self)
        append(type: UInt16(NFNL_MSG_BATCH_END), 0, family: 0, resource: UInt16(NFNL_SUBSYS_NFTABLES)) { _ in }
    }

    private mutating func append(
        type: UInt16, _ flags: Int32, family: UInt8, resource: UInt16, _ body: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) {
        makeRoom()
        last = count
        guard let start = memory.baseAddress, let message = mnl_nlmsg_put_header(start + count) else { return }
        sequence += 1
        message.pointee.nlmsg_type = type
        message.pointee.nlmsg_flags = UInt16(NLM_F_REQUEST | flags)
        message.pointee.nlmsg_seq = sequence
        if let extra = mnl_nlmsg_put_extra_header(message, MemoryLayout<nfgenmsg>.size) {
            let head = nfgenmsg(nfgen_family: family, version: UInt8(NFNETLINK_V0), res_id: resource.bigEndian)
            extra.storeBytes(of: head, as: nfgenmsg.self)
        }
        body(message)
        count += Int(message.pointee.nlmsg_len)
    }

    private mutating func makeRoom() {
        guard memory.count - count < NetlinkMessages.longestMessage else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: memory.count * 2 + NetlinkMessages.longestMessage, alignment: Int(MNL_ALIGNTO))
        larger.copyMemory(from: bytes)
        memory.deallocate()
        memory = larger
    }
}

extension UnsafeMutablePointer<nlmsghdr> {
    func put(_ type: some KernelNumber, _ text: String) { mnl_attr_put_strz(self, UInt16(type.rawValue), text) }

    /// In network byte order, as nf_tables wants all its numbers.
    func put(_ type: some KernelNumber, _ number: UInt32) { mnl_attr_put_u32(self, UInt16(type.rawValue), number.bigEndian) }

    func put(_ type: some KernelNumber, _ number: UInt64) { mnl_attr_put_u64(self, UInt16(type.rawValue), number.bigEndian) }

    /// The attributes that `body` writes go into one of this type.
    func nest(_ type: some KernelNumber, _ body: () -> Void) {
        let start = mnl_attr_nest_start(self, UInt16(type.rawValue))
        body()
        mnl_attr_nest_end(self, start)
    }
}

/// A number that the kernel's headers name in an enum, as Swift imports it.
typealias KernelNumber = RawRepresentable<UInt32>
