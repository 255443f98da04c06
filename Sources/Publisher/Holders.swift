// Stage 2, report -> admission -> journal -> broadcast: who can hold an address, by number, and what each one holds.

import Wire

extension BanTable {
    /// Who can hold an address: a host's jail. Plain clients are told apart here, but count as one host.
    struct Holder: Hashable {
        var host: Hostname
        var jail: Jail
        var isPlain: Bool
    }
}

/// Everyone who ever held, each with a number for good. There is a limit, since each costs memory for good.
struct Holders {
    /// Jails that a host may ever have held in: an address held in many takes long to look at.
    static let mostJails = 256
    /// The same for all plain clients together.
    static let mostPlain = 10_000

    /// By their numbers.
    private(set) var list: [BanTable.Holder] = []
    private var numbers: [BanTable.Holder: UInt32] = [:]
    /// What each of ``list`` holds, so that a host's holds are found without looking at all.
    private var held: [Set<Address>] = []
    /// How many holds plain clients have.
    private(set) var plainHoldCount = 0
    /// The numbers that each host has; of plain clients only how many there are.
    private var numbersOfHost: [Hostname: [UInt32]] = [:]
    private var plainCount = 0
    /// The one asked about last, as for each line of a report: nothing is to be looked up then.
    private var latest: (holder: BanTable.Holder, number: UInt32)?

    subscript(number: UInt32) -> BanTable.Holder { list[Int(number)] }

    /// `nil` of one who never held.
    func number(of holder: BanTable.Holder) -> UInt32? {
        if let latest, latest.holder == holder { return latest.number }
        return numbers[holder]
    }

    /// Whether it held before, or there is room for one more.
    func mayHold(_ holder: BanTable.Holder) -> Bool {
        if number(of: holder) != nil { return true }
        if holder.isPlain { return plainCount < Holders.mostPlain }
        return (numbersOfHost[holder.host]?.count ?? 0) < Holders.mostJails
    }

    /// The number of one who holds now: the next one if it never did before.
    mutating func enter(_ holder: BanTable.Holder) -> UInt32 {
        if let number = number(of: holder) {
            latest = (holder, number)
            return number
        }
        let number = UInt32(list.count)
        list.append(holder)
        held.append([])
        numbers[holder] = number
        latest = (holder, number)
        if holder.isPlain { plainCount += 1 } else { numbersOfHost[holder.host, default: []].append(number) }
        return number
    }

    /// Notes that the address has other holds than before.
    mutating func replace(_ old: Holds, by new: Holds, on address: Address) {
        for hold in old where !new.contains(where: { $0.holder == hold.holder }) {
            held[Int(hold.holder)].remove(address)
            if list[Int(hold.holder)].isPlain { plainHoldCount -= 1 }
        }
        for hold in new where !old.contains(where: { $0.holder == hold.holder }) {
            held[Int(hold.holder)].insert(address)
            if list[Int(hold.holder)].isPlain { plainHoldCount += 1 }
        }
    }

    /// Everything that the host holds, in no order; not what plain clients hold in its name.
    func holds(of host: Hostname) -> [HoldsDesk.Subject] {
        (numbersOfHost[host] ?? []).flatMap { number in
            held[Int(number)].map { HoldsDesk.Subject(jail: self[number].jail, address: $0) }
        }
    }

    /// How many holds the host has.
    func holdCount(of host: Hostname) -> Int { (numbersOfHost[host] ?? []).reduce(0) { $0 + held[Int($1)].count } }
}
