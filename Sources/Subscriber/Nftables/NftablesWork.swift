// Stage 3, enforcement: which addresses the kernel has still to be told about, and in which transactions.

import Daemon
import Wire

/// What waits to be written: each address once. The wanted set decides at the last moment what is still true of it.
struct NftablesWork: Sendable {
    /// Addresses in one transaction. 4,000 take 5 to 10 ms, as long as other programs' changes wait for it at most.
    static let most = 4000
    /// Addresses of one portion when all that is wanted is told again.
    static let portion = 16_384

    private var waiting = ChangeQueue()
    /// Those of ``waiting`` that the kernel may have already, perhaps with another end.
    private var former: Set<Address> = []
    /// Addresses that the kernel did not take. They are tried again with the next comparison, and when they are announced again.
    private(set) var rejected: Set<Address> = []
    /// Addresses in the next transaction: halved when one failed, to find the address that the kernel does not take.
    private var size = NftablesWork.most
    /// What of the wanted set is still to be told again: which of so many portions of about the same size is next.
    private var again: (next: UInt64, of: UInt64, addresses: Int)?

    var isEmpty: Bool { waiting.isEmpty && again == nil }

    /// Addresses that the kernel is still to be told about: of those that are told again, as many as are left by their portions.
    var count: Int { waiting.count + (again.map { $0.addresses / Int($0.of) * Int($0.of - $0.next) } ?? 0) }

    func contains(_ address: Address) -> Bool { waiting.contains(address) }

    /// - Parameter mayBeThere: Whether the kernel may have it.
    mutating func append(_ address: Address, mayBeThere: Bool) {
        rejected.remove(address)
        // One that waits to be banned for the first time is still unknown to the kernel, whatever becomes of it.
        if mayBeThere, !waiting.contains(address) { former.insert(address) }
        waiting.append(address)
    }

    /// Has all single addresses that are wanted told again, a portion at a time.
    mutating func appendAll(of wanted: WantedSet) {
        again = (0, UInt64(wanted.count / NftablesWork.portion) + 1, wanted.count)
    }

    /// The next transaction; `nil` when nothing waits.
    mutating func next(wanted: WantedSet, now: ContinuousClock.Instant) -> NftablesWrite.AddressChanges? {
        while true {
            var changes = NftablesWrite.AddressChanges()
            while changes.count < size, let address = waiting.popFirst() {
                let mayBeThere = former.remove(address) != nil
                let end = wanted.kernelEnd(of: address, now: now)
                if wanted.contains(address), end.map({ $0 > now }) ?? true {
                    let timed = TimedAddress(address: address, end: end)
                    if mayBeThere { changes.moved.append(timed) } else { changes.bans.append(timed) }
                } else if mayBeThere {
                    changes.lifted.append(address)
                }
            }
            if changes.count > 0 { return changes }
            guard takePortion(of: wanted) else {
                // After a million, not the memory for a million more.
                former = []
                return nil
            }
        }
    }

    /// - Returns: whether there was one left.
    private mutating func takePortion(of wanted: WantedSet) -> Bool {
        guard let (portion, count, addresses) = again else { return false }
        again = portion + 1 < count ? (portion + 1, count, addresses) : nil
        for address in wanted.addresses where address.isSingle && address.portion(of: count) == portion { waiting.append(address) }
        return true
    }

    /// The last transaction was carried out.
    mutating func succeeded() { size = min(size * 2, NftablesWork.most) }

    /// The last transaction was not carried out, or not for certain.
    ///
    /// - Parameter isSuspect: Whether one of its addresses may be the reason.
    /// - Returns: the address that the kernel does not take, when it was alone.
    mutating func failed(_ changes: NftablesWrite.AddressChanges, isSuspect: Bool) -> Address? {
        let addresses = changes.bans.map(\.address) + changes.moved.map(\.address) + changes.lifted
        if isSuspect, addresses.count == 1, let address = addresses.first {
            rejected.insert(address)
            size = 1
            return address
        }
        // Also one that was announced again meanwhile, and waits as if it were new.
        for address in addresses {
            former.insert(address)
            waiting.append(address)
        }
        if isSuspect { size = max(1, addresses.count / 2) }
        return nil
    }

    mutating func retryRejected() {
        for address in rejected { append(address, mayBeThere: true) }
    }
}

extension WantedSet {
    /// When the kernel is to end the ban of a wanted address; `nil` when it stays until it is lifted, or longer than the kernel can count.
    func kernelEnd(of address: Address, now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        end(of: address).flatMap { $0 < now + NftablesTimeout.longest ? $0 : nil }
    }
}

/// What the kernel can keep as the timeout of an element.
enum NftablesTimeout {
    /// A tick of the slowest kernels (HZ = 100): older ones take less than a tick as no timeout at all.
    static let shortest: Duration = .milliseconds(10)
    /// A hundred years. More than 584 years are refused with ERANGE (net/netfilter/nf_tables_api.c, nf_msecs_to_jiffies64), and with one
    /// such element all others of its transaction.
    static let longest: Duration = .seconds(100 * 365 * 86_400)
}

extension Address {
    /// One of `count` parts of all addresses of about the same size, whatever they have in common.
    fileprivate func portion(of count: UInt64) -> UInt64 {
        // 2^64 divided by the golden ratio spreads numbers that differ little (Knuth, The Art of Computer Programming, 6.4).
        ((high ^ low) &* 0x9e37_79b9_7f4a_7c15) >> 32 % count
    }
}
