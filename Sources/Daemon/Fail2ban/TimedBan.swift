// What the daemons share: a line of fail2ban-client's list of bans with their times.

import Wire

/// A ban on the list that `get JAIL banip --with-time` prints (fail2ban 0.11.1 and later; server/banmanager.py, getBanList):
///
///     192.0.2.1 \t2026-11-20 23:01:24 + 600 = 2026-11-20 23:11:24
///
/// Times that can't be read are `nil`: the address is banned all the same.
public struct TimedBan: Sendable {
    public let address: Address
    private let times: ArraySlice<UInt8>

    /// `nil` when what is banned is not exactly one address or prefix: fail2ban bans any text.
    public init?(line: ArraySlice<UInt8>) {
        var id = line.prefix { $0 != UInt8(ascii: "\t") }
        times = line[id.endIndex...].dropFirst()
        while id.last == UInt8(ascii: " ") { id.removeLast() }
        guard let address = Address(bytes: id.span) else { return nil }
        self.address = address
    }

    /// When fail2ban banned.
    public var begin: LocalTime? { LocalTime(text: times.prefix(19)) }

    /// Seconds, -1 permanent.
    public var banTime: Int64? {
        let sum = times.dropFirst(19)
        guard sum.starts(with: " + ".utf8) else { return nil }
        return Int64(String(decoding: sum.dropFirst(3).prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self))
    }

    /// When the ban ends; 9999-12-31 23:59:59 for a permanent one.
    public var end: LocalTime? { LocalTime(text: times.suffix(19)) }
}
