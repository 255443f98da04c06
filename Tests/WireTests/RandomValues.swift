// Tests of what travels: random values of every kind, with the edges of their ranges more often than chance would have them.

import Wire

extension Generator {
    mutating func address() -> Address {
        while true {
            let address =
                once(in: 2)
                ? Address(ipv4: UInt32.random(in: .min ... .max, using: &self), prefixLength: once(in: 2) ? 32 : number(0...32))
                : Address(ipv6High: half(), low: half(), prefixLength: once(in: 2) ? 128 : number(0...128))
            if let address { return address }
        }
    }

    /// Half an IPv6 address; groups of zeros are common, so that `::` appears everywhere.
    mutating func half() -> UInt64 {
        (0..<4).reduce(0) { half, _ in half << 16 | (once(in: 2) ? 0 : once(in: 8) ? 0xffff : UInt64(number(0...0xffff))) }
    }

    mutating func hostname() -> Hostname {
        let letters = "abcdefghijklmnopqrstuvwxyz0123456789"
        while true {
            let labels = (0..<number(1...(once(in: 20) ? 8 : 3))).map { _ in
                let length = number(1...(once(in: 8) ? 63 : 8))
                return length < 3 ? text(letters, length: length) : text(letters, length: 1) + text(letters + "-", length: length - 2) + "z"
            }
            if let name = Hostname(labels.joined(separator: ".")) { return name }
        }
    }

    mutating func jail() -> Jail {
        let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        while true {
            if let jail = Jail(text(letters, length: 1) + text(letters + "._-", length: number(0...(once(in: 8) ? 63 : 12)))) {
                return jail
            }
        }
    }

    mutating func timestamp() -> Timestamp {
        switch number(0...9) {
        case 0: Timestamp(milliseconds: 0)
        case 1: .latest
        default: Timestamp(milliseconds: Int64.random(in: 0...Timestamp.latest.milliseconds, using: &self))
        }
    }

    mutating func banEnd() -> BanEnd {
        switch number(0...3) {
        case 0: .unknown
        case 1: .permanent
        default: .at(timestamp())
        }
    }

    /// A position or an announcement's number: 1 to `Int64.max`.
    mutating func position() -> UInt64 { once(in: 8) ? UInt64(Int64.max) : UInt64.random(in: 1...UInt64(Int64.max), using: &self) }

    mutating func event() -> Event {
        Event(
            host: hostname(), jail: jail(), action: pick([.ban, .unban]), address: address(), number: once(in: 2) ? nil : position(),
            seen: once(in: 4) ? nil : timestamp(), admitted: once(in: 2) ? nil : timestamp(), end: banEnd(),
            cause: pick([.detected, .held, .expired, .lifted, .operator]))
    }

    mutating func term() -> Term { Term(id: once(in: 8) ? UInt64(number(0...255)) : next()) }

    /// Words that people write: any characters, control characters among them.
    mutating func words() -> String {
        let scalars = (0..<number(0...40)).map { _ -> Unicode.Scalar in
            switch number(0...5) {
            case 0: Unicode.Scalar(UInt8(number(0...0x1f)))
            case 1: Unicode.Scalar(UInt8(number(0x7f...0x9f)))
            case 2: Unicode.Scalar(UInt16(number(0x300...0x36f))) ?? " "
            default: Unicode.Scalar(UInt8(number(0x20...0x7e)))
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
