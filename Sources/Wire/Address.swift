// What travels: an address that can be banned, IPv4, IPv6 or a CIDR prefix of either, always in canonical form.

/// An IPv4 or IPv6 address or CIDR prefix, canonical: host bits are zero, `/32` and `/128` are the address itself, and an
/// IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) is the IPv4 address, as fail2ban has it.
///
/// The failable initialisers are the only doors for text; see `AddressText.swift` for what they accept.
public struct Address: Hashable, Sendable {
    /// The address family. IPv4 sorts before IPv6.
    public enum Family: UInt8, Sendable, Comparable {
        case ipv4 = 4
        case ipv6 = 6

        /// Bits in an address of this family: 32 or 128.
        public var width: Int { self == .ipv4 ? 32 : 128 }

        public static func < (a: Family, b: Family) -> Bool { a.rawValue < b.rawValue }
    }

    /// The upper 64 bits of an IPv6 address; zero for IPv4.
    public let high: UInt64
    /// The lower 64 bits of an IPv6 address, or the 32 bits of an IPv4 address.
    public let low: UInt64
    /// Mapped IPv6 addresses are IPv4 here.
    public let family: Family
    private let prefix: UInt8

    /// Bits that are fixed: 0 to 32 for IPv4, 0 to 128 for IPv6. The family's width for a single address.
    public var prefixLength: Int { Int(prefix) }

    /// Whether this is one address and not a range.
    public var isSingle: Bool { prefixLength == family.width }

    /// An IPv4 address is one number to the hasher: tables of millions are asked several times for each event.
    public func hash(into hasher: inout Hasher) {
        switch family {
        case .ipv4: hasher.combine(low | UInt64(prefix) << 32)
        case .ipv6:
            hasher.combine(high)
            hasher.combine(low)
            hasher.combine(prefix)
        }
    }

    private init(high: UInt64, low: UInt64, family: Family, prefixLength: Int) {
        // Swift's << gives 0 when the shift is the type's width, which is what a mask needs.
        switch family {
        case .ipv4:
            self.high = 0
            self.low = low & (0xffff_ffff << UInt64(32 - prefixLength)) & 0xffff_ffff
        case .ipv6:
            self.high = high & (prefixLength >= 64 ? ~0 : ~0 << UInt64(64 - prefixLength))
            self.low = low & (prefixLength <= 64 ? 0 : ~0 << UInt64(128 - prefixLength))
        }
        self.family = family
        prefix = UInt8(prefixLength)
    }

    /// - Parameter prefixLength: 0 to 32; `nil` when out of range. Bits behind it are cleared.
    public init?(ipv4 bits: UInt32, prefixLength: Int = 32) {
        guard (0...32).contains(prefixLength) else { return nil }
        self.init(high: 0, low: UInt64(bits), family: .ipv4, prefixLength: prefixLength)
    }

    /// - Parameter prefixLength: 0 to 128; `nil` when out of range. Bits behind it are cleared. An address or prefix inside
    ///   `::ffff:0:0/96` becomes IPv4 (RFC 4291, 2.5.5.2).
    public init?(ipv6High: UInt64, low ipv6Low: UInt64, prefixLength: Int = 128) {
        guard (0...128).contains(prefixLength) else { return nil }
        if ipv6High == 0, ipv6Low >> 32 == 0xffff, prefixLength >= 96 {
            self.init(high: 0, low: ipv6Low, family: .ipv4, prefixLength: prefixLength - 96)
        } else {
            self.init(high: ipv6High, low: ipv6Low, family: .ipv6, prefixLength: prefixLength)
        }
    }

    /// The prefix of this length that contains this address; `nil` when none does, since the length is longer than its own.
    public func widened(to prefixLength: Int) -> Address? {
        guard (0...self.prefixLength).contains(prefixLength) else { return nil }
        return Address(high: high, low: low, family: family, prefixLength: prefixLength)
    }

    /// All prefixes that contain it, the widest first; it is the last of them itself.
    public var prefixes: [Address] { (0...prefixLength).compactMap { widened(to: $0) } }

    /// Whether every address in `other` is in this one too. An address contains itself.
    public func contains(_ other: Address) -> Bool {
        family == other.family && other.widened(to: prefixLength) == self
    }

    /// The IPv4 addresses that hosts behind a translator see as this one: those of `64:ff9b::/96` (RFC 6052, 2.1); `nil` when there are
    /// none.
    public var translatedIPv4: Address? {
        guard family == .ipv6, prefixLength >= 96 else { return contains(Address.translated) ? Address(ipv4: 0, prefixLength: 0) : nil }
        guard Address.translated.contains(self) else { return nil }
        return Address(high: 0, low: low, family: .ipv4, prefixLength: prefixLength - 96)
    }

    private static let translated = Address(high: 0x0064_ff9b_0000_0000, low: 0, family: .ipv6, prefixLength: 96)

    /// Whether the two have an address in common. Of two prefixes that overlap, one always contains the other.
    public func overlaps(_ other: Address) -> Bool { contains(other) || other.contains(self) }
}

extension Address: Comparable {
    /// By family, then numerically by network, then the wider prefix first: the key order of snapshots.
    public static func < (a: Address, b: Address) -> Bool {
        (a.family, a.high, a.low, a.prefix) < (b.family, b.high, b.low, b.prefix)
    }
}
