// Stage 3, enforcement: the addresses that an enforcer still has to look at, each once, the oldest first.

import Wire

/// A queue without repeats. Its memory is bounded by the number of different addresses in it.
struct ChangeQueue: Sendable {
    private var members: Set<Address> = []
    /// In order of arrival. Holds addresses that were removed meanwhile, until they are passed or cleared away.
    private var order: [Address] = []
    private var head = 0

    var isEmpty: Bool { members.isEmpty }
    var count: Int { members.count }

    func contains(_ address: Address) -> Bool { members.contains(address) }

    /// Adds it at the end; one that is there keeps its place.
    mutating func append(_ address: Address) {
        if members.insert(address).inserted {
            order.append(address)
            clearPassed()
        }
    }

    mutating func remove(_ address: Address) { members.remove(address) }

    mutating func popFirst() -> Address? {
        while head < order.count {
            let address = order[head]
            head += 1
            if members.remove(address) != nil {
                clearPassed()
                return address
            }
        }
        order.removeAll(keepingCapacity: order.capacity <= 1024)
        if members.capacity > 1024 { members = [] }
        head = 0
        return nil
    }

    private mutating func clearPassed() {
        guard order.count > 2 * members.count + 1024 else { return }
        // An address that was removed and added again stands here twice; its first place counts.
        var seen: Set<Address> = []
        order = order[head...].filter { members.contains($0) && seen.insert($0).inserted }
        head = 0
    }
}
