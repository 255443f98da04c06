// Stage 3, enforcement: one transaction of changes to the table, as a value and as it is carried out.

import CNetfilter
import Daemon
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
            for family in [Address.Family.ipv4, .ipv6] { changes.append(of: family, to: &messages) }
        case .ranges(let family, let changes):
            let (add, delete) = NftablesWrite.writers(.prefixes(family))
            let removed = changes.flatMap(\.removed)
            // As with addresses: what the kernel ended itself a moment ago is there to be deleted.
            add.append(removed, now: now, to: &messages)
            delete.append(removed, now: now, to: &messages)
            add.append(changes.flatMap(\.added), now: now, to: &messages)
        case .allRanges(let family, let ranges):
            messages.append(NFT_MSG_DELSETELEM, 0) { message in
                message.put(NFTA_SET_ELEM_LIST_TABLE, NftablesTable.name)
                message.put(NFTA_SET_ELEM_LIST_SET, NftablesSet.prefixes(family).rawValue)
            }
            NftablesWrite.writers(.prefixes(family)).add.append(ranges, now: now, to: &messages)
        }
        messages.endTransaction()
    }

    fileprivate static func writers(_ set: NftablesSet) -> (add: NftablesElementWriter, delete: NftablesElementWriter) {
        (NftablesElementWriter(.add, in: set), NftablesElementWriter(.delete, in: set))
    }
}

extension NftablesWrite.AddressChanges {
    /// Deleting an element that isn't there fails the whole transaction, and the kernel may end one at any moment. So each is added before
    /// it is deleted: that changes nothing where it is there, and else it was there within the transaction only. A new end is a deletion
    /// too, because only newer kernels move the end of an element that is added again (6.18 does).
    fileprivate func append(of family: Address.Family, to messages: inout NetlinkMessages) {
        let (add, delete) = NftablesWrite.writers(.addresses(family))
        let gone = lifted.lazy.filter { $0.family == family }.map { TimedAddress(address: $0, rest: 1000) }
        let moved = moved.filter { $0.address.family == family }
        let former = moved + gone
        add.append(former, to: &messages)
        delete.append(former, to: &messages)
        add.append(moved, to: &messages)
        add.append(bans.filter { $0.address.family == family }, to: &messages)
    }
}
