// Stage 3, enforcement: one transaction of changes to the table, as a value and as it is carried out.

import CNetfilter
import Daemon
import Glibc
import Wire

/// What is changed at once, or not at all.
enum NftablesWrite: Hashable, Sendable {
    /// The table with its sets, chains and rules, whatever of it is there. `anew` when it is there in a form that can't be changed.
    case table(anew: Bool)
    case addresses(AddressChanges)
    /// Changes of the intervals of one family.
    case ranges(Address.Family, [RangeChange])
    /// These intervals, and no others: for a set in which something unknown stands in the way.
    case allRanges(Address.Family, [TimedRange])

    /// Changes of single addresses, each in at most one of the three.
    struct AddressChanges: Hashable, Sendable {
        /// Those that the kernel hasn't, as far as is known. If it has one, then it stays, on older kernels with its former end.
        var bans: [TimedAddress] = []
        /// Those that the kernel may have, with another end.
        var moved: [TimedAddress] = []
        /// Those that shall not be there, whether they are or not.
        var lifted: [Address] = []

        var count: Int { bans.count + moved.count + lifted.count }
    }

    /// Writes it as one transaction.
    func append(to messages: inout NetlinkMessages, now: ContinuousClock.Instant) {
        messages.beginTransaction()
        switch self {
        case .table(let anew): NftablesTable.append(to: &messages, anew: anew)
        case .addresses(let changes):
            for family in [Address.Family.ipv4, .ipv6] { changes.append(of: family, now: now, to: &messages) }
        case .ranges(let family, let changes):
            let (add, delete) = NftablesWrite.writers(.prefixes(family), now)
            let removed = changes.flatMap(\.removed).map { TimedRange($0.first, $0.last, until: nil) }
            // As with addresses: what the kernel ended itself a moment ago is there to be deleted.
            add.append(removed, to: &messages)
            delete.append(removed, to: &messages)
            add.append(changes.flatMap(\.added), to: &messages)
        case .allRanges(let family, let ranges):
            messages.append(NFT_MSG_DELSETELEM, 0) { message in
                message.put(NFTA_SET_ELEM_LIST_TABLE, NftablesTable.name)
                message.put(NFTA_SET_ELEM_LIST_SET, NftablesSet.prefixes(family).rawValue)
            }
            NftablesWrite.writers(.prefixes(family), now).add.append(ranges, to: &messages)
        }
        messages.endTransaction()
    }

    fileprivate static func writers(
        _ set: NftablesSet, _ now: ContinuousClock.Instant
    ) -> (add: NftablesElementWriter, delete: NftablesElementWriter) {
        (NftablesElementWriter(.add, in: set, now: now), NftablesElementWriter(.delete, in: set, now: now))
    }
}

extension NftablesWrite.AddressChanges {
    /// Deleting an element that isn't there fails the whole transaction, and the kernel may end one at any moment. So each is added before
    /// it is deleted: that changes nothing where it is there, and else it was there within the transaction only. A new end is a deletion
    /// too, because only newer kernels move the end of an element that is added again (6.18 does).
    fileprivate func append(of family: Address.Family, now: ContinuousClock.Instant, to messages: inout NetlinkMessages) {
        let (add, delete) = NftablesWrite.writers(.addresses(family), now)
        let moved = moved.filter { $0.address.family == family }
        let gone = lifted.filter { $0.family == family }
        // Without an end, so that none comes between the two.
        let former = (moved.map(\.address) + gone).map { TimedAddress(address: $0, end: nil) }
        add.append(former, to: &messages)
        delete.append(former, to: &messages)
        add.append(moved, to: &messages)
        add.append(bans.filter { $0.address.family == family }, to: &messages)
    }
}

/// Carries out transactions. What it is told is done, or refused as a whole, when it returns.
final class NftablesWriter: Sendable {
    private let socket: NetlinkSocket

    /// Room for the longest transaction with all that the kernel counts on top, and for the refusal of each of its messages.
    private static let room: Int32 = 8 << 20

    init() throws(SystemError) {
        socket = try NetlinkSocket()
        try socket.reserve(sending: NftablesWriter.room, receiving: NftablesWriter.room)
    }

    /// By which the kernel names this one's changes to those who follow them.
    var port: UInt32 { socket.port }

    /// - Throws: the first thing that the kernel refused; then nothing of it was done.
    func perform(_ write: NftablesWrite) throws(SystemError) {
        var messages = NetlinkMessages()
        write.append(to: &messages, now: .now)
        // What an earlier transaction left, which nobody waited for.
        _ = try answers()
        try socket.send(messages.bytes)
        let answers = try answers()
        if let refusal = answers.first(where: { $0 != 0 }) { throw SystemError("change nftables", code: refusal) }
        guard !answers.isEmpty else { throw SystemError("hear what nftables did", code: ENOBUFS) }
    }

    /// The answers that are there. The kernel gives one for each message that it refuses, and for the one that asks for it.
    private func answers() throws(SystemError) -> [Int32] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: NetlinkSocket.longestPart, alignment: Int(MNL_ALIGNTO))
        defer { buffer.deallocate() }
        var answers: [Int32] = []
        while let count = try socket.receive(into: buffer) {
            for message in NetlinkMessageSequence(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
                if let code = message.acknowledged { answers.append(code) }
            }
        }
        return answers
    }
}
