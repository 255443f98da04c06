// Stage 3, enforcement: the four sets of the table inet fail2ban_cluster, and how addresses stand in them.

import CNetfilter
import Wire

/// A set of the table: single addresses in hash sets, where one is found and changed at once however many there are; prefixes, which are
/// few, in interval sets, as ranges without overlaps.
enum NftablesSet: String, CaseIterable, Sendable {
    case addresses4, addresses6, prefixes4, prefixes6

    static func addresses(_ family: Address.Family) -> NftablesSet { family == .ipv4 ? .addresses4 : .addresses6 }
    static func prefixes(_ family: Address.Family) -> NftablesSet { family == .ipv4 ? .prefixes4 : .prefixes6 }

    var family: Address.Family {
        switch self {
        case .addresses4, .prefixes4: .ipv4
        case .addresses6, .prefixes6: .ipv6
        }
    }

    var hasIntervals: Bool {
        switch self {
        case .addresses4, .addresses6: false
        case .prefixes4, .prefixes6: true
        }
    }

    /// NFT_SET_…: each element has its own end.
    var flags: UInt32 { UInt32(NFT_SET_TIMEOUT.rawValue) | (hasIntervals ? UInt32(NFT_SET_INTERVAL.rawValue) : 0) }

    /// How the nft tool shows its elements: ipv4_addr or ipv6_addr (nftables, include/datatype.h). The kernel only keeps it.
    var keyType: UInt32 { family == .ipv4 ? 7 : 8 }

    /// Bytes of one element's key.
    var keyLength: Int { family.width / 8 }
}

extension Address {
    /// The network as a number, as wide as the family.
    var number: UInt128 { UInt128(high) << 64 | UInt128(low) }

    /// The last address of the prefix as a number.
    var lastNumber: UInt128 {
        let hostBits = family.width - prefixLength
        return hostBits == 128 ? .max : number | (UInt128(1) << UInt128(hostBits) - 1)
    }

    /// A single address; `nil` when it is beyond the family, or an IPv4 address in the form of an IPv6 one.
    init?(_ number: UInt128, _ family: Family) {
        switch family {
        case .ipv4:
            guard let bits = UInt32(exactly: number) else { return nil }
            self.init(ipv4: bits)
        case .ipv6:
            self.init(ipv6High: UInt64(truncatingIfNeeded: number >> 64), low: UInt64(truncatingIfNeeded: number))
            guard self.family == .ipv6 else { return nil }
        }
    }
}
