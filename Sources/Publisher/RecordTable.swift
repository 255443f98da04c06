// Stage 2, report -> admission -> journal -> broadcast: the records of all addresses, by address.

import Wire

/// A hash table in many parts, each of which grows by itself. One table of a million records would move them all at once when it doubles,
/// which takes most of a second; a part moves some hundreds, within the processor's cache.
struct RecordTable: Equatable, Sequence {
    /// A power of two. With a million addresses a part has some 250 of them.
    private static let partCount = 4096

    private var parts: [[Address: BanRecord]] = Array(repeating: [:], count: partCount)
    private(set) var count = 0

    /// What is known of an address; `nil` when it is nothing.
    subscript(address: Address) -> BanRecord? {
        get { parts[part(of: address)][address] }
        set {
            let part = part(of: address)
            if let newValue {
                if parts[part].updateValue(newValue, forKey: address) == nil { count += 1 }
            } else if parts[part].removeValue(forKey: address) != nil {
                count -= 1
            }
        }
    }

    /// All addresses, in no order.
    var keys: some Sequence<Address> { lazy.map(\.key) }

    /// Makes room for so many.
    mutating func reserveCapacity(_ count: Int) {
        for part in parts.indices { parts[part].reserveCapacity(count / RecordTable.partCount) }
    }

    func makeIterator() -> some IteratorProtocol<(key: Address, value: BanRecord)> { parts.joined().makeIterator() }

    /// The part in which the address is. Whoever can choose addresses may get many into one part, which is then a table like any other:
    /// its own hashes have a random seed.
    private func part(of address: Address) -> Int {
        let mixed = (address.low ^ address.high &* 0x9e37_79b9_7f4a_7c15) &* 0xd134_2543_de82_ef95
        return Int(truncatingIfNeeded: mixed >> 52) & (RecordTable.partCount - 1)
    }
}
