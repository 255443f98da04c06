// Stage 2, report -> admission -> journal -> broadcast: which addresses are still to be looked at since more is protected than before.

import Wire

/// Goes through addresses in portions, and back to what is on disk when the journal refuses.
struct ProtectionReview {
    private var addresses: [Address]
    private var looked = 0
    private var kept = 0
    /// Whether more became protected since it began. It goes on to its end first: a host that comes from ever new addresses must not keep
    /// it at its beginning.
    var isDueAgain = false

    init(_ addresses: [Address] = []) { self.addresses = addresses }

    var hasMore: Bool { looked < addresses.count }

    mutating func next(_ limit: Int) -> ArraySlice<Address> {
        defer { looked = min(looked + limit, addresses.count) }
        return addresses[looked..<min(looked + limit, addresses.count)]
    }

    mutating func keep() {
        kept = looked
        guard !hasMore else { return }
        addresses = []
        (looked, kept) = (0, 0)
    }

    mutating func takeBack() { looked = kept }
}
