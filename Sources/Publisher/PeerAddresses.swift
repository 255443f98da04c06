// Stage 2, report -> admission -> journal -> broadcast: where authorised hosts connected from, kept across starts, so that nobody bans
// them.

import Wire

/// The addresses of each host as the publisher saw them, the latest first. A value; ``text`` and ``init(text:)`` keep it in a file.
struct PeerAddresses: Equatable {
    /// Addresses kept of one host. A host behind a changing address has a few; one that was taken over can protect no more than these.
    static let perHost = 8
    /// Hosts, at most, so that the file stays small.
    static let mostHosts = 100_000

    private var addresses: [Hostname: [Address]] = [:]

    init() {}

    /// Reads lines of `host address`. What is no such line is left out: the host will connect again.
    init(text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let host = Hostname(String(words[0])), let address = Address(words[1]) else { continue }
            if addresses[host, default: []].count < PeerAddresses.perHost { addresses[host, default: []].append(address) }
        }
    }

    var text: String {
        addresses.sorted { $0.key.description < $1.key.description }.flatMap { host, list in list.map { "\(host) \($0)\n" } }.joined()
    }

    /// All of them, in no order.
    var all: [Address] { addresses.values.flatMap(\.self) }

    /// The host has connected from there.
    /// - Returns: whether that is new.
    mutating func note(_ host: Hostname, at address: Address) -> Bool {
        guard addresses[host] != nil || addresses.count < PeerAddresses.mostHosts else { return false }
        if let place = addresses[host]?.firstIndex(of: address) {
            // It is in use, so others go first. That is worth no write: a host may change between two.
            addresses[host]?.remove(at: place)
            addresses[host]?.insert(address, at: 0)
            return false
        }
        addresses[host, default: []].insert(address, at: 0)
        if addresses[host, default: []].count > PeerAddresses.perHost { addresses[host]?.removeLast() }
        return true
    }

    /// Forgets the hosts that don't belong to the cluster any more.
    /// - Returns: whether there were any.
    mutating func keep(_ isMember: (Hostname) -> Bool) -> Bool {
        let before = addresses.count
        addresses = addresses.filter { isMember($0.key) }
        return addresses.count != before
    }
}
