// What travels: points in time, and the end of a ban, which may also be unknown or never.

/// Milliseconds since the epoch in UTC, 0 to 253402300799999 (the end of the year 9999). On the wire, on the publisher's clock.
public struct Timestamp: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let milliseconds: Int64

    private static let limit: Int64 = 253_402_300_799_999

    /// The last millisecond of the year 9999.
    public static let latest = Timestamp(milliseconds: limit)

    /// Values out of range are moved to its nearest end, so that arithmetic on hostile times cannot trap.
    public init(milliseconds: Int64) { self.milliseconds = min(max(milliseconds, 0), Timestamp.limit) }

    /// Parses one to fifteen decimal digits without leading zeros; `nil` when out of range.
    public init?(bytes: Span<UInt8>) {
        guard let value = parseDecimal(bytes), value <= UInt64(Timestamp.limit) else { return nil }
        milliseconds = Int64(value)
    }

    /// This time moved by `milliseconds`, kept in range.
    public func advanced(byMilliseconds milliseconds: Int64) -> Timestamp {
        let (sum, overflow) = self.milliseconds.addingReportingOverflow(milliseconds)
        return overflow ? (milliseconds < 0 ? Timestamp(milliseconds: 0) : .latest) : Timestamp(milliseconds: sum)
    }

    /// Milliseconds from `earlier` to this time.
    public func milliseconds(since earlier: Timestamp) -> Int64 { milliseconds - earlier.milliseconds }

    public var description: String { String(milliseconds) }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }
}

/// When a ban ends: `-` unknown, milliseconds, or `*` permanent. Ordered by how long the ban lasts, with unknown first.
public enum BanEnd: Hashable, Sendable, Comparable, CustomStringConvertible {
    case unknown
    case at(Timestamp)
    case permanent

    /// Parses `-`, `*` or what ``Timestamp/init(bytes:)`` accepts.
    public init?(bytes: Span<UInt8>) {
        switch (bytes.count, bytes.isEmpty ? 0 : bytes[0]) {
        case (1, UInt8(ascii: "-")): self = .unknown
        case (1, UInt8(ascii: "*")): self = .permanent
        default:
            guard let time = Timestamp(bytes: bytes) else { return nil }
            self = .at(time)
        }
    }

    public var description: String {
        switch self {
        case .unknown: "-"
        case .at(let time): time.description
        case .permanent: "*"
        }
    }
}
