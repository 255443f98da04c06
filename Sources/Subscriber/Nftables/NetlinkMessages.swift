// Stage 3, enforcement: netlink messages: those sent are written through libmnl in memory of our own, those received are read without
// trusting
// a length in them.

import CNetfilter
import Glibc

// MARK: Sent

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

// MARK: Received

/// One message that was received.
struct NetlinkMessage {
    let type: UInt16
    let flags: UInt16
    let sequence: UInt32
    /// What follows the head.
    let body: UnsafeRawBufferPointer

    /// NFT_MSG_…, or `nil` when it is none of nf_tables.
    var tablesType: UInt32? { type >> 8 == UInt16(NFNL_SUBSYS_NFTABLES) ? UInt32(type & 0xff) : nil }

    /// The attributes of a message of nf_tables.
    var attributes: NetlinkAttributes {
        let head = MemoryLayout<nfgenmsg>.size
        return NetlinkAttributes(UnsafeRawBufferPointer(rebasing: body.dropFirst(head)))
    }

    /// NFPROTO_… of a message of nf_tables.
    var family: UInt8? { body.count >= MemoryLayout<nfgenmsg>.size ? body.first : nil }

    /// What an answer says of the message with its number: 0 for done, else an errno; `nil` when it is another kind of message.
    var acknowledged: Int32? {
        guard type == UInt16(NLMSG_ERROR), body.count >= MemoryLayout<nlmsgerr>.size else { return nil }
        return -body.loadUnaligned(as: nlmsgerr.self).error
    }
}

/// The messages in what was received. Nothing is read beyond its end, whatever the lengths in it say.
struct NetlinkMessageSequence: Sequence, IteratorProtocol {
    private var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    mutating func next() -> NetlinkMessage? {
        guard let (header, body) = rest.take(nlmsghdr.self, length: { Int($0.nlmsg_len) }) else { return nil }
        return NetlinkMessage(type: header.nlmsg_type, flags: header.nlmsg_flags, sequence: header.nlmsg_seq, body: body)
    }
}

/// The attributes of a message, or those within one of them.
struct NetlinkAttributes: Sequence, IteratorProtocol {
    struct Attribute {
        let type: UInt32
        let value: UnsafeRawBufferPointer

        /// The attributes within it.
        var nested: NetlinkAttributes { NetlinkAttributes(value) }

        var number32: UInt32? { value.count == 4 ? UInt32(bigEndian: value.loadUnaligned(as: UInt32.self)) : nil }
        var number64: UInt64? { value.count == 8 ? UInt64(bigEndian: value.loadUnaligned(as: UInt64.self)) : nil }

        /// Whether it is this text, which ends with a zero byte.
        func `is`(_ text: String) -> Bool { value.last == 0 && value.dropLast().elementsEqual(text.utf8) }
    }

    private var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    mutating func next() -> Attribute? {
        guard let (header, value) = rest.take(nlattr.self, length: { Int($0.nla_len) }) else { return nil }
        return Attribute(type: UInt32(header.nla_type & attributeTypeMask), value: value)
    }
}

extension UnsafeRawBufferPointer {
    /// Takes a message or an attribute from the front: a head that says how long both are, and what follows it. The next one begins at a
    /// multiple of four (NLMSG_ALIGNTO, NLA_ALIGNTO).
    fileprivate mutating func take<Head>(_: Head.Type, length: (Head) -> Int) -> (Head, body: UnsafeRawBufferPointer)? {
        let size = MemoryLayout<Head>.size
        guard count >= size else { return nil }
        let head = loadUnaligned(as: Head.self)
        let length = length(head)
        guard length >= size, length <= count else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: self[size..<length])
        self = UnsafeRawBufferPointer(rebasing: dropFirst((length + 3) & ~3))
        return (head, body)
    }
}

/// The upper two bits of a type are flags (linux/netlink.h, NLA_TYPE_MASK).
private let attributeTypeMask: UInt16 = 0x3fff
