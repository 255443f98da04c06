// Tests of what travels: which texts are addresses, and their canonical form.

import Testing
import Wire

@Suite struct AddressTests {
    @Test(
        "An accepted text has one canonical form",
        arguments: [
            // IPv4
            ("0.0.0.0", "0.0.0.0"), ("192.0.2.1", "192.0.2.1"), ("255.255.255.255", "255.255.255.255"),
            ("192.0.2.1/32", "192.0.2.1"), ("192.0.2.77/24", "192.0.2.0/24"), ("192.0.2.255/31", "192.0.2.254/31"),
            ("10.1.2.3/0", "0.0.0.0/0"), ("255.255.255.255/1", "128.0.0.0/1"),
            // IPv6, RFC 5952, sections 4.1 to 4.3
            ("2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"), ("2001:DB8:0:0::0002", "2001:db8::2"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8::1:0:0:1", "2001:db8::1:0:0:1"), ("2001:AbCd::F", "2001:abcd::f"),
            ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("0:0:0:0:0:0:0:0", "::"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("0:0:1::", "0:0:1::"),
            ("1:0:0:4:5:6:0:0", "1::4:5:6:0:0"), ("1::8", "1::8"), ("0:0:3:0:0:0:7:8", "0:0:3::7:8"),
            ("2001:db8::/32", "2001:db8::/32"), ("2001:db8::1/32", "2001:db8::/32"), ("2001:db8::1/128", "2001:db8::1"),
            ("2001:db8::ffff/127", "2001:db8::fffe/127"), ("2001:db8:1:2:3:4:5:6/64", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:4:5:6/65", "2001:db8:1:2:8000::/65"), ("ffff::1/0", "::/0"), ("ffff::/1", "8000::/1"),
            // A dotted tail; only the mapped range is IPv4 (RFC 4291, 2.5.5)
            ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("::1.2.3.4", "::102:304"),
            ("::ffff:192.0.2.99", "192.0.2.99"), ("::FFFF:C000:0263", "192.0.2.99"), ("0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"),
            ("::ffff:1.2.3.4/128", "1.2.3.4"), ("::ffff:1.2.3.4/120", "1.2.3.0/24"), ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:1.2.3.4/95", "::fffe:0:0/95"), ("::fffe:1.2.3.4", "::fffe:102:304"), ("1::ffff:1.2.3.4", "1::ffff:102:304"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ])
    func acceptedTextsHaveOneCanonicalForm(text: String, canonical: String) throws {
        let address = try #require(Address(text))
        #expect(address.description == canonical)
        #expect(Address(canonical) == address)
        #expect(Address(bytes: Array(text.utf8).span) == address)
    }

    @Test(
        "Text that is not strictly an address is refused",
        arguments: [
            // Wrong parts
            "", "1", "1.2", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", ".", "...", "999.1.1.1", "1.2.3.256", "1.2.3.1000",
            "-1.2.3.4",
            "+1.2.3.4", "1.2.3.4.", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001", "1e1.2.3.4",
            // Leading zeros: octal for some readers, decimal for others
            "01.2.3.4", "1.2.3.04", "00.0.0.0", "1.2.3.000", "::ffff:01.2.3.4",
            // Blanks and control characters
            " 1.2.3.4", "1.2.3.4 ", "1.2. 3.4", "\t1.2.3.4", "1.2.3.4\n", "1.2.3.4\r", "1.2.3.4\0", " ", "::1 ", " ::1",
            // Prefix lengths
            "1.2.3.4/33", "1.2.3.4/", "/24", "/", "1.2.3.4//24", "1.2.3.4/24/", "1.2.3.4/24/8", "1.2.3.4/-1", "1.2.3.4/+8", "1.2.3.4/08",
            "1.2.3.4/ 8", "1.2.3.4/8 ", "1.2.3.4/0x8", "1.2.3.4/255.255.255.0", "1.2.3.4/128", "1.2.3/24", "::1/129", "::1/", "::/1000",
            "::1/a",
            "1.2.3.4/99999999999999999999",
            // Zone ids, ports, brackets, names
            "fe80::1%eth0", "fe80::1%1", "[::1]", "[::1]:80", "1.2.3.4:80", "localhost", "not-an-ip", "example.com", "a", "bob@example.com",
            "*", "any", "::1%", "dead.beef", "user42;x", "x] NOTICE [sshd] Ban 9.9.9.9",
            // IPv6 groups
            ":", ":::", "::::", ":1", "1:", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8", "1::2::3", "1:::2", ":::1", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "12345::", "::12345", "00001::", "g::",
            "::g",
            "1;2::", "::1.2.3", "::1.2.3.4.5", "::256.1.1.1", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4",
            "::1:2:3:4:5:6:7:1.2.3.4",
            "1::2:3:4:5:6:1.2.3.4", "1:2:3:4:5:1.2.3.4", "::.1.2.3", "::1.2.3.", "::a.2.3.4", "::1.2.3.4/129",
            // Letters and digits of other scripts
            "١.٢.٣.٤", "１.２.３.４", "1。2。3。4", "::１",
        ])
    func nonsenseIsRefused(text: String) {
        #expect(Address(text) == nil)
        #expect(Address(bytes: Array(text.utf8).span) == nil)
    }

    @Test func theLongestTextIsTheLongestThatIsAccepted() {
        #expect(Address.longestText == 49)
        #expect(Address("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128") != nil)
    }

    @Test("Very long input is refused", arguments: ["1", "1.", ":", "::", "0", "/", " ", "1:", "\u{7f}", "ä"])
    func veryLongInputIsRefused(piece: String) {
        for count in [17, 50, 1000, 1_000_000] {
            let text = String(repeating: piece, count: count)
            #expect(Address(text) == nil)
            #expect(Address(bytes: Array(text.utf8).span) == nil)
        }
    }

    @Test func numbersAreRefusedWithAPrefixOutOfRange() {
        for length in [-1, 33, 128, Int.min, Int.max] { #expect(Address(ipv4: 1, prefixLength: length) == nil) }
        for length in [-1, 129, Int.min, Int.max] { #expect(Address(ipv6High: 1, low: 1, prefixLength: length) == nil) }
    }

    @Test func theCanonicalTextGivesTheSameAddressAgain() {
        forRandomCases(20_000) { random in
            let address = random.address()
            let text = address.description
            #expect(Address(text) == address, "\(text)")
            #expect(text.utf8.count <= Address.longestText)
            #expect(address.isSingle == !text.contains("/"))
        }
    }
}
