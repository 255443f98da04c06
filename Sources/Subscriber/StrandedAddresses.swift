// Stage 3, enforcement: what a fail2ban that was killed may have left banned in the firewall, and no longer knows.

import Wire

/// Addresses to be banned and unbanned once more when things are settled, unless they are wanted.
///
/// fail2ban deletes a ban's row before it lifts the ban in the firewall, and so it does for a ban that it has not restored yet. Killed in
/// between, it leaves a set or chain that still has the address, and the next fail2ban neither lists nor lifts it. So it is with a ban of
/// what it restored after its row was deleted: it prolongs the ban and writes no row.
struct StrandedAddresses: Sendable {
    /// Beyond, addresses stay in the firewall until its rules are made anew: 10,000 take fail2ban minutes.
    static let most = 10_000

    private var addresses: Set<Address> = []

    var isEmpty: Bool { addresses.isEmpty }

    /// Prefixes are left out: fail2ban would lift what they cover too.
    mutating func add(_ suspects: some Sequence<Address>) {
        for address in suspects where address.isSingle && addresses.count < StrandedAddresses.most { addresses.insert(address) }
    }

    mutating func take() -> Set<Address> {
        defer { addresses = [] }
        return addresses
    }
}
