// Stage 2, report -> admission -> journal -> broadcast: which bans an operator asks for.

import Wire

/// What `QUERY what=bans` asks for. Everything that is given must be so of a ban; jail and host of one of its holders.
struct BanFilter: Equatable {
    /// Addresses that are looked at for one page, so that a filter which lets little pass costs no more than one that lets all.
    static let portion = 5000

    /// A ban that has an address in common with it.
    var address: Address?
    var jail: Jail?
    var host: Hostname?

    init() {}

    init(_ header: Header) throws(RequestRefusal) {
        address = try header.askedAddress("address")
        jail = try header.askedJail("jail")
        host = try header.askedHost("host")
    }

    func matches(_ ban: BanTable.Listed) -> Bool {
        guard address?.overlaps(ban.address) ?? true else { return false }
        guard jail != nil || host != nil else { return true }
        return ban.holders.contains { holding in
            (jail.map { $0 == holding.holder.jail } ?? true) && (host.map { $0 == holding.holder.host } ?? true)
        }
    }

    /// The bans behind `after` that match, at most `limit`, and the address to go on behind; `nil` when there are no more.
    func page(of table: BanTable, after: Address?, limit: Int) -> (bans: [BanTable.Listed], next: Address?) {
        if let address { return named(address, table, after: after, limit: limit) }
        var looked = 0
        var bans: [BanTable.Listed] = []
        var last = after
        while looked < BanFilter.portion {
            let page = table.banned(after: last, limit: limit)
            for ban in page {
                if matches(ban) { bans.append(ban) }
                last = ban.address
                if bans.count == limit { return (bans, last) }
            }
            looked += page.count
            if page.count < limit { return (bans, nil) }
        }
        return (bans, last)
    }

    /// The bans around an address and in it lie in few places, which are found without looking at all.
    private func named(
        _ address: Address, _ table: BanTable, after: Address?, limit: Int
    ) -> (bans: [BanTable.Listed], next: Address?) {
        // In key order what is around an address comes before it, the widest first, and what is in it right behind it.
        let around = address.prefixes.filter { prefix in after.map { $0 < prefix } ?? true }
        let inside = table.banned(in: address, after: after, limit: limit)
        let bans = (around + inside).compactMap { table.listed($0) }.filter { $0.end != nil && matches($0) }
        return (bans, inside.count == limit ? inside.last : nil)
    }
}
