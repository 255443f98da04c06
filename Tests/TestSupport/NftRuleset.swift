// What `nft -j list ruleset` prints, as far as the end-to-end tests ask: the sets and their elements (libnftables-json(5)).

/// The ruleset of one host.
struct NftRuleset: Decodable {
    struct Set: Decodable {
        let name: String
        let elem: [Element]?
    }

    /// One element: an address, a prefix, or either with a timeout around it.
    enum Element: Decodable {
        case address(String)
        case prefix(address: String, length: Int)

        /// As fail2ban writes it: `203.0.113.9` or `203.0.113.0/24`.
        var text: String {
            switch self {
            case .address(let address): address
            case .prefix(let address, let length): "\(address)/\(length)"
            }
        }

        private enum Key: String, CodingKey { case elem, val, prefix, addr, len }

        init(from decoder: any Decoder) throws {
            if let address = try? decoder.singleValueContainer().decode(String.self) {
                self = .address(address)
                return
            }
            let object = try decoder.container(keyedBy: Key.self)
            if object.contains(.elem) {
                self = try object.nestedContainer(keyedBy: Key.self, forKey: .elem).decode(Element.self, forKey: .val)
            } else {
                let prefix = try object.nestedContainer(keyedBy: Key.self, forKey: .prefix)
                self = .prefix(address: try prefix.decode(String.self, forKey: .addr), length: try prefix.decode(Int.self, forKey: .len))
            }
        }
    }

    /// A list of objects with one member each: a set, a map, a table, a rule, …
    private struct Entry: Decodable {
        let set: Set?
    }

    private let nftables: [Entry]

    var sets: [Set] { nftables.compactMap(\.set) }
}
