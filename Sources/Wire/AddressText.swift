// What travels: the text form of an address, parsed strictly and printed canonically (RFC 5952).

extension Address {
    /// Parses `192.0.2.1`, `2001:db8::1`, `192.0.2.0/24` or `2001:db8::/32`.
    ///
    /// Refused: fewer than four parts (`1.2.3`), leading zeros, zone ids (`fe80::1%eth0`), names, blanks, and prefix
    /// lengths out of range. Host bits of a prefix are cleared, as fail2ban does.
    public init?(_ text: some StringProtocol) {
        // Longer than any address is no address; the bound also keeps hostile input from being copied.
        guard text.utf8.count <= Address.longestText else { return nil }
        let bytes = Array(text.utf8)
        self.init(bytes: bytes.span)
    }

    /// The bytes of the longest text that can be an address: an IPv6 address with a dotted tail and a prefix length.
    public static let longestText = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128".utf8.count

    /// As from a string, from ASCII bytes, without allocating.
    public init?(bytes: Span<UInt8>) {
        guard bytes.count <= Address.longestText else { return nil }
        var end = bytes.count
        var length: Int?
        for i in bytes.indices where bytes[i] == UInt8(ascii: "/") {
            guard let value = decimal(bytes, i + 1, bytes.count, maximum: 128) else { return nil }
            length = value
            end = i
            break
        }
        if let bits = dottedQuad(bytes, 0, end) {
            self.init(ipv4: bits, prefixLength: length ?? 32)
        } else if let (high, low) = colonGroups(bytes, 0, end) {
            self.init(ipv6High: high, low: low, prefixLength: length ?? 128)
        } else {
            return nil
        }
    }
}

/// A number without leading zeros in `bytes[from..<to]`; `nil` when it is empty, has another character, or exceeds `maximum`.
private func decimal(_ bytes: Span<UInt8>, _ from: Int, _ to: Int, maximum: Int) -> Int? {
    guard from < to, to - from <= 3, to - from == 1 || bytes[from] != UInt8(ascii: "0") else { return nil }
    var value = 0
    for i in from..<to {
        let digit = bytes[i] &- UInt8(ascii: "0")
        guard digit <= 9 else { return nil }
        value = value * 10 + Int(digit)
    }
    return value <= maximum ? value : nil
}

/// Exactly four decimal parts of 0 to 255.
private func dottedQuad(_ bytes: Span<UInt8>, _ from: Int, _ to: Int) -> UInt32? {
    var bits: UInt32 = 0
    var parts = 0
    var start = from
    for i in from...to where i == to || bytes[i] == UInt8(ascii: ".") {
        guard parts < 4, let part = decimal(bytes, start, i, maximum: 255) else { return nil }
        bits = bits << 8 | UInt32(part)
        parts += 1
        start = i + 1
    }
    return parts == 4 ? bits : nil
}

/// The forms of RFC 4291, section 2.2: eight groups, one `::` for one or more groups of zeros, and a dotted quad as the tail.
private func colonGroups(_ bytes: Span<UInt8>, _ from: Int, _ to: Int) -> (high: UInt64, low: UInt64)? {
    var groups: InlineArray<8, UInt16> = .init(repeating: 0)
    var count = 0
    var gap: Int?
    var i = from
    if i + 1 < to, bytes[i] == UInt8(ascii: ":"), bytes[i + 1] == UInt8(ascii: ":") {
        gap = 0
        i += 2
    }
    while i < to {
        guard count < 8 else { return nil }
        let start = i
        var value: UInt16 = 0
        while i < to, i - start < 4, let digit = hexDigit(bytes[i]) {
            value = value << 4 | UInt16(digit)
            i += 1
        }
        if i < to, bytes[i] == UInt8(ascii: ".") {
            guard count <= 6, let quad = dottedQuad(bytes, start, to) else { return nil }
            groups[count] = UInt16(quad >> 16)
            groups[count + 1] = UInt16(quad & 0xffff)
            count += 2
            i = to
            break
        }
        guard i > start else { return nil }
        groups[count] = value
        count += 1
        guard i < to else { break }
        guard bytes[i] == UInt8(ascii: ":") else { return nil }
        i += 1
        if i < to, bytes[i] == UInt8(ascii: ":") {
            guard gap == nil else { return nil }
            gap = count
            i += 1
        } else if i == to {
            return nil
        }
    }
    if let gap {
        guard count < 8 else { return nil }
        let tail = count - gap
        var k = 0
        while k < tail {
            groups[7 - k] = groups[count - 1 - k]
            k += 1
        }
        for k in gap..<(8 - tail) { groups[k] = 0 }
    } else if count != 8 {
        return nil
    }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for k in 0..<4 {
        high = high << 16 | UInt64(groups[k])
        low = low << 16 | UInt64(groups[k + 4])
    }
    return (high, low)
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

extension Address: CustomStringConvertible {
    /// The canonical text; parsing it gives this address again.
    public var description: String {
        var text: [UInt8] = []
        append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends the canonical text: dotted quad, or lower-case groups with the longest run of zeros as `::` (RFC 5952).
    public func append(to text: inout [UInt8]) {
        switch family {
        case .ipv4: appendDottedQuad(to: &text)
        case .ipv6: appendGroups(to: &text)
        }
        if !isSingle {
            text.append(UInt8(ascii: "/"))
            appendDecimal(UInt64(prefixLength), to: &text)
        }
    }

    private func appendDottedQuad(to text: inout [UInt8]) {
        var digits: InlineArray<15, UInt8> = .init(repeating: 0)
        var count = 0
        var shift: UInt64 = 32
        while shift > 0 {
            shift -= 8
            let part = UInt8(truncatingIfNeeded: low >> shift)
            if part >= 100 {
                digits[count] = UInt8(ascii: "0") + part / 100
                count += 1
            }
            if part >= 10 {
                digits[count] = UInt8(ascii: "0") + part / 10 % 10
                count += 1
            }
            digits[count] = UInt8(ascii: "0") + part % 10
            count += 1
            if shift > 0 {
                digits[count] = UInt8(ascii: ".")
                count += 1
            }
        }
        digits.span.extracting(0..<count).withUnsafeBufferPointer { text.append(contentsOf: $0) }
    }

    private func group(_ i: Int) -> UInt64 { (i < 4 ? high : low) >> UInt64(48 - (i & 3) * 16) & 0xffff }

    private func appendGroups(to text: inout [UInt8]) {
        var run = 0..<0
        var i = 0
        while i < 8 {
            var end = i
            while end < 8, group(end) == 0 { end += 1 }
            // A single group of zeros is not shortened, and of equal runs the first one is (RFC 5952, 4.2).
            if end - i > max(run.count, 1) { run = i..<end }
            i = max(end, i + 1)
        }
        i = 0
        while i < 8 {
            if !run.isEmpty, i == run.lowerBound {
                text.append(contentsOf: "::".utf8)
                i = run.upperBound
                continue
            }
            // The `::` of the run has already separated the group behind it.
            if i > 0, i != run.upperBound { text.append(UInt8(ascii: ":")) }
            text.append(contentsOf: String(group(i), radix: 16).utf8)
            i += 1
        }
    }
}
