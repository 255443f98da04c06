// Stage 2, report -> admission -> journal -> broadcast: the table as others read it: bans page by page in key order, and what a host holds.

import Wire

extension BanTable {
    /// One address as operators see it.
    struct Listed: Equatable {
        /// Who holds it: since when, by the log's time, and until when.
        struct Holding: Equatable {
            var holder: Holder
            var seen: Timestamp
            var end: BanEnd
        }

        var address: Address
        /// The end that was announced; `nil` when the address is not banned.
        var end: BanEnd?
        /// An operator's order first.
        var holders: [Holding]
    }

    /// The bans behind `after` in key order as a snapshot has them: named by who carries them, with their ends and without numbers. As
    /// many as fit `bytes`, and the address to go on behind; `nil` when there are no more.
    func snapshot(after: Address?, bytes: Int) -> (lines: [UInt8], next: Address?) {
        var lines: [UInt8] = []
        lines.reserveCapacity(bytes + Event.longestLine)
        var last = after
        while true {
            let page = bannedAddresses.page(after: last, limit: 256)
            for address in page {
                if let ban = announcedBan(of: address) {
                    let end = lines.count
                    ban.appendLine(to: &lines)
                    lines.append(UInt8(ascii: "\n"))
                    if lines.count > bytes {
                        lines.removeLast(lines.count - end)
                        return (lines, last)
                    }
                }
                last = address
            }
            if page.count < 256 { return (lines, nil) }
        }
    }

    private func announcedBan(of address: Address) -> Event? {
        guard let record = records[address], let end = record.announced else { return nil }
        let carrier = record.carrier(quorum: quorum, holders: holders)
        guard let carrier else { return nil }
        let holder = holders[carrier.holder]
        let cause: Event.Cause = carrier == record.order ? .operator : .held
        return Event(host: holder.host, jail: holder.jail, action: .ban, address: address, end: BanEnd(deadline: end), cause: cause)
    }

    /// The banned addresses behind `after` in key order, at most `limit`.
    func banned(after: Address?, limit: Int) -> [Listed] { bannedAddresses.page(after: after, limit: limit).compactMap { listed($0) } }

    /// The banned addresses in a prefix, without itself, in key order behind `after`, at most `limit`.
    func banned(in prefix: Address, after: Address? = nil, limit: Int) -> [Address] {
        // What is in a prefix comes right behind it in key order.
        Array(bannedAddresses.page(after: max(after ?? prefix, prefix), limit: limit).prefix { prefix.contains($0) })
    }

    /// What is known of an address; `nil` when nobody holds it.
    func listed(_ address: Address) -> Listed? {
        guard let record = records[address], !record.holds.isEmpty || record.order != nil else { return nil }
        let holds = ([record.order].compactMap(\.self) + record.holds).map { hold in
            Listed.Holding(holder: holders[hold.holder], seen: Timestamp(milliseconds: hold.seen), end: BanEnd(deadline: hold.end))
        }
        return Listed(address: address, end: record.announced.map { BanEnd(deadline: $0) }, holders: holds)
    }

    // MARK: What a host holds

    /// Addresses that are announced as banned.
    var bannedCount: Int { bannedAddresses.count }

    /// All addresses of which something is known, in no order.
    var heldAddresses: [Address] { Array(records.keys) }

    /// Whether a host or an order holds the address, as many as it takes to ban it or not.
    func isHeld(_ address: Address) -> Bool { records[address].map { !$0.holds.isEmpty || $0.order != nil } ?? false }

    /// Whether a prefix is held that contains the address and more.
    func isHeld(around address: Address) -> Bool {
        address.prefixes.dropLast().contains { isHeld($0) }
    }

    /// Everything that the host holds, in no order; not what plain clients hold in its name.
    func holds(of host: Hostname) -> [HoldsDesk.Subject] {
        holders.holds(of: host) { holder, address in records[address]?.holds.contains { $0.holder == holder } ?? false }
    }

    /// How many holds the host has.
    func holdCount(of host: Hostname) -> Int { holders.holdCount(of: host) }

    /// The host's hold; `nil` when it has none.
    func hold(of host: Hostname, _ subject: HoldsDesk.Subject) -> (seen: Timestamp, end: BanEnd)? {
        guard let number = holders.number(of: Holder(host: host, jail: subject.jail, isPlain: false)),
            let hold = records[subject.address]?.holds.first(where: { $0.holder == number })
        else { return nil }
        return (Timestamp(milliseconds: hold.seen), BanEnd(deadline: hold.end))
    }
}
