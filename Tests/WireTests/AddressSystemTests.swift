// Tests of what travels: addresses as the system's own inet_pton and inet_ntop have them.
//
// We differ on purpose in three things, and in these only:
// - an IPv4-mapped IPv6 address (::ffff:192.0.2.1) is the IPv4 address;
// - an IPv4-compatible one (::192.0.2.1, deprecated by RFC 4291) is printed in hexadecimal groups, where glibc prints a dotted tail;
// - we also accept prefixes, and a NUL doesn't end the text (the texts here have neither).

import Glibc
import Testing
import Wire

@Suite struct AddressSystemTests {
    /// What inet_pton makes of a text: its 4 or 16 bytes, most significant first.
    private func system(_ text: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }

    private func systemText(_ bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let result = inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        return result.map { String(cString: $0) } ?? ""
    }

    private func number(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    private func isMapped(_ bytes: [UInt8]) -> Bool { bytes.count == 16 && number(bytes[0..<8]) == 0 && number(bytes[8..<12]) == 0xffff }

    private func isCompatible(_ bytes: [UInt8]) -> Bool {
        bytes.count == 16 && number(bytes[0..<8]) == 0 && number(bytes[8..<12]) == 0 && number(bytes[12..<14]) != 0
    }

    /// Expects that we see the text as the system does, but for the differences above.
    private func compare(_ text: String) {
        guard let bytes = system(text) else {
            #expect(Address(text) == nil, "only we accept \(text)")
            return
        }
        guard let address = Address(text) else {
            Issue.record("only the system accepts \(text)")
            return
        }
        if bytes.count == 4 || isMapped(bytes) {
            #expect(address.family == .ipv4 && address.low == number(bytes.suffix(4)), "\(text)")
            #expect(address.description == systemText(bytes.suffix(4)))
        } else {
            #expect(address.family == .ipv6 && address.high == number(bytes[0..<8]) && address.low == number(bytes[8..<16]), "\(text)")
            if !isCompatible(bytes) { #expect(address.description == systemText(bytes)) }
        }
    }

    @Test func randomAddressesReadAsTheSystemReadsThem() {
        forRandomCases(20_000) { random in
            let text: String
            switch random.number(0...3) {
            case 0: text = (0..<4).map { _ in String(random.number(0...255)) }.joined(separator: ".")
            case 1: text = (0..<8).map { _ in String(random.number(0...0xffff), radix: 16) }.joined(separator: ":")
            default:
                // Zeros shortened at a random place, upper case, padding, a dotted tail.
                var groups = (0..<random.number(0...8)).map { _ in
                    let digits = String(random.once(in: 2) ? 0 : random.number(0...0xffff), radix: 16, uppercase: random.once(in: 2))
                    return String(repeating: "0", count: random.number(0...(5 - digits.count))) + digits
                }
                if random.once(in: 3) { groups.append((0..<4).map { _ in String(random.number(0...256)) }.joined(separator: ".")) }
                let gap = random.number(0...groups.count)
                text = groups[..<gap].joined(separator: ":") + "::" + groups[gap...].joined(separator: ":")
            }
            compare(text)
        }
    }

    @Test func mutatedAddressesReadAsTheSystemReadsThem() {
        let alphabet = Array("0123456789abcdefABCDEFgx:::...%- ".utf8)
        forRandomCases(50_000) { random in
            var text = random.address().description
            if let slash = text.firstIndex(of: "/") { text = String(text[..<slash]) }
            if random.once(in: 4) { text = "::ffff:" + text }
            compare(mutated(Array(text.utf8), alphabet: alphabet, &random).text)
        }
    }

    @Test func soupOfTheSameCharactersReadsAsTheSystemReadsIt() {
        forRandomCases(50_000) { random in
            let alphabet = random.pick(["0123456789.", "0123456789abcdef:", "01f:.", "12.", "1:", "1:."])
            compare(random.text(alphabet, length: random.number(0...40)))
        }
    }
}
