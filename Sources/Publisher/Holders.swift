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
    /// What each of ``list`` began to hold, so that a host's holds are found without looking at all. One that ended, or began twice, stays
    /// until such are the most: a set that is kept up to date with each event costs several times as much.
    private var began: [[Address]] = []
    /// How many of them it holds.
    private var counts: [Int] = []
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
        began.append([])
        counts.append(0)
        numbers[holder] = number
        latest = (holder, number)
        if holder.isPlain { plainCount += 1 } else { numbersOfHost[holder.host, default: []].append(number) }
        return number
    }

    /// Notes that the address has other holds than before.
    ///
    /// - Returns: the holders of which more is kept that ended than they hold: to be given to ``forgetEnded(of:isHeld:)``.
    mutating func replace(_ old: Holds, by new: Holds, on address: Address) -> [UInt32] {
        var crowded: [UInt32] = []
        let (gone, come) = Self.difference(old, new)
        for holder in gone.lazy.map({ old[$0].holder }) where !come.contains(where: { new[$0].holder == holder }) { count(holder, -1) }
        for holder in come.lazy.map({ new[$0].holder }) where !gone.contains(where: { old[$0].holder == holder }) {
            count(holder, 1)
            let place = Int(holder)
            began[place].append(address)
            if began[place].count > 2 * counts[place] + 1024 { crowded.append(holder) }
        }
        return crowded
    }

    /// Forgets what a holder began and does not hold any more.
    ///
    /// - Parameter holds: whether a holder holds an address now.
    mutating func forgetEnded(of holder: UInt32, isHeld holds: (UInt32, Address) -> Bool) {
        began[Int(holder)] = held(by: holder, isHeld: holds)
    }

    /// The places in both without the holders that they begin and end with in common. An event changes one hold, so one at most is left of
    /// each, where comparing all with all would take a million steps for an address that a thousand hosts hold.
    private static func difference(_ old: Holds, _ new: Holds) -> (gone: Range<Int>, come: Range<Int>) {
        let shorter = min(old.count, new.count)
        var start = 0
        while start < shorter, old[start].holder == new[start].holder { start += 1 }
        var end = 0
        while end < shorter - start, old[old.count - 1 - end].holder == new[new.count - 1 - end].holder { end += 1 }
        return (start..<old.count - end, start..<new.count - end)
    }

    /// Everything that the host holds, in no order; not what plain clients hold in its name.
    ///
    /// - Parameter holds: whether a holder holds an address now.
    func holds(of host: Hostname, isHeld holds: (UInt32, Address) -> Bool) -> [HoldsDesk.Subject] {
        (numbersOfHost[host] ?? []).flatMap { number in
            held(by: number, isHeld: holds).map { HoldsDesk.Subject(jail: self[number].jail, address: $0) }
        }
    }

    /// How many holds the host has.
    func holdCount(of host: Hostname) -> Int { (numbersOfHost[host] ?? []).reduce(0) { $0 + counts[Int($1)] } }

    private mutating func count(_ number: UInt32, _ change: Int) {
        counts[Int(number)] += change
        if list[Int(number)].isPlain { plainHoldCount += change }
    }

    private func held(by number: UInt32, isHeld holds: (UInt32, Address) -> Bool) -> [Address] {
        Array(Set(began[Int(number)].filter { holds(number, $0) }))
    }
}
