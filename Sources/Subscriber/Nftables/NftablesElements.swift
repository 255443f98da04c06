// Stage 3, enforcement: elements of the table's sets as they are written to the kernel and read from it, with nothing allocated for each.

import CNetfilter
import Daemon
import Wire

/// A single address that is banned until `end`.
struct TimedAddress: Hashable, Sendable {
    var address: Address
    /// `nil`: until it is lifted.
    var end: ContinuousClock.Instant?
}

/// Writes elements to be added or deleted, up to 1,000 in a message.
struct NftablesElementWriter {
    /// Of at most 60 bytes each: less than ``NetlinkMessages/longestMessage``.
    static let mostInMessage = 1000

    enum Deed { case add, delete }

    private let deed: Deed
    private let set: NftablesSet
    /// When it is written: timeouts count from then.
    private let now: ContinuousClock.Instant

    init(_ deed: Deed, in set: NftablesSet, now: ContinuousClock.Instant) {
        self.deed = deed
        self.set = set
        self.now = now
    }

    func append(_ addresses: some RandomAccessCollection<TimedAddress>, to messages: inout NetlinkMessages) {
        append(addresses, to: &messages) { message, element in put(element.address.number, until: element.end, message) }
    }

    func append(_ ranges: some RandomAccessCollection<TimedRange>, to messages: inout NetlinkMessages) {
        append(ranges, perElement: 2, to: &messages) { message, range in
            put(range.first, until: range.end, message)
            // An interval is its first address, and the first one behind it, if there is any.
            guard range.last < set.family.lastNumber else { return }
            put(range.last + 1, until: nil, flags: UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue), message)
        }
    }

    private func append<Elements: RandomAccessCollection>(
        _ elements: Elements, perElement: Int = 1, to messages: inout NetlinkMessages,
        _ write: (UnsafeMutablePointer<nlmsghdr>, Elements.Element) -> Void
    ) {
        var start = elements.startIndex
        while start < elements.endIndex {
            let end =
                elements.index(start, offsetBy: NftablesElementWriter.mostInMessage / perElement, limitedBy: elements.endIndex)
                ?? elements.endIndex
            let type = deed == .add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM
            messages.append(type, deed == .add ? NLM_F_CREATE : 0) { message in
                message.put(NFTA_SET_ELEM_LIST_TABLE, NftablesTable.name)
                message.put(NFTA_SET_ELEM_LIST_SET, set.rawValue)
                message.nest(NFTA_SET_ELEM_LIST_ELEMENTS) { for element in elements[start..<end] { write(message, element) } }
            }
            start = end
        }
    }

    private func put(
        _ number: UInt128, until end: ContinuousClock.Instant?, flags: UInt32 = 0, _ message: UnsafeMutablePointer<nlmsghdr>
    ) {
        message.nest(NFTA_LIST_ELEM) {
            if flags != 0 { message.put(NFTA_SET_ELEM_FLAGS, flags) }
            if let end, deed == .add {
                // One that is over by now is added all the same: it is nothing that others of its transaction should fail for.
                message.put(NFTA_SET_ELEM_TIMEOUT, UInt64(max(now.duration(to: end), NftablesTimeout.shortest).milliseconds))
            }
            message.nest(NFTA_SET_ELEM_KEY) {
                // Of a number in network byte order, the last bytes are those of the address.
                withUnsafeBytes(of: number.bigEndian) { bytes in
                    mnl_attr_put(
                        message, UInt16(NFTA_DATA_VALUE.rawValue), set.keyLength, bytes.baseAddress?.advanced(by: 16 - set.keyLength))
                }
            }
        }
    }
}

extension Address.Family {
    /// The last address of all.
    var lastNumber: UInt128 { self == .ipv4 ? UInt128(UInt32.max) : .max }
}

/// One element as the kernel has it.
struct NftablesElement: Hashable, Sendable {
    var number: UInt128
    /// Whether it is the first address behind an interval.
    var isBehindRange = false
    /// When the kernel ends it; `nil` when it stays.
    var end: ContinuousClock.Instant?

    /// Appends those of one message of a dump.
    ///
    /// - Parameter now: When it was received.
    static func append(
        _ message: NetlinkMessage, of set: NftablesSet, now: ContinuousClock.Instant, to elements: inout [NftablesElement]
    ) {
        for attribute in message.attributes where attribute.type == NFTA_SET_ELEM_LIST_ELEMENTS.rawValue {
            for element in attribute.nested {
                guard let read = NftablesElement(element.nested, set, now) else { continue }
                elements.append(read)
            }
        }
    }

    private init?(_ attributes: NetlinkAttributes, _ set: NftablesSet, _ now: ContinuousClock.Instant) {
        var number: UInt128?
        for attribute in attributes {
            switch attribute.type {
            case NFTA_SET_ELEM_KEY.rawValue:
                for value in attribute.nested where value.type == NFTA_DATA_VALUE.rawValue && value.value.count == set.keyLength {
                    number = value.value.reduce(0) { $0 << 8 | UInt128($1) }
                }
            case NFTA_SET_ELEM_FLAGS.rawValue:
                isBehindRange = (attribute.number32 ?? 0) & UInt32(NFT_SET_ELEM_INTERVAL_END.rawValue) != 0
            case NFTA_SET_ELEM_EXPIRATION.rawValue: end = attribute.number64.map { now + .milliseconds(Int64(clamping: $0)) }
            default: break
            }
        }
        guard let number else { return nil }
        self.number = number
    }

    /// The ranges that the elements of an interval set mean, sorted.
    static func ranges(_ elements: [NftablesElement], _ family: Address.Family) -> [TimedRange] {
        // Where one ends and the next begins at the same address, the end stands first.
        let sorted = elements.sorted { ($0.number, $0.isBehindRange ? 0 : 1) < ($1.number, $1.isBehindRange ? 0 : 1) }
        var ranges: [TimedRange] = []
        var open: NftablesElement?
        for element in sorted {
            if element.isBehindRange {
                guard let first = open.take() else { continue }
                ranges.append(TimedRange(first.number, element.number - 1, until: first.end))
            } else {
                // Its end is the next one's beginning, when someone left it out.
                if let first = open { ranges.append(TimedRange(first.number, element.number - 1, until: first.end)) }
                open = element
            }
        }
        if let first = open { ranges.append(TimedRange(first.number, family.lastNumber, until: first.end)) }
        return ranges
    }

    init(number: UInt128, isBehindRange: Bool = false, end: ContinuousClock.Instant? = nil) {
        self.number = number
        self.isBehindRange = isBehindRange
        self.end = end
    }
}
