// Stage 3, enforcement: netlink messages as they are received, read without trusting a length in them.

import CNetfilter

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
