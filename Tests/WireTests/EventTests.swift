// Tests of what travels: the line of text that an event is.

import Testing
import Wire

/// Parses a line, for tests of everything that is made of lines.
func parseEvent(_ line: String) throws(EventLineError) -> Event {
    let bytes = Array(line.utf8)
    return try Event(line: bytes.span)
}

@Suite struct EventTests {
    private static let fields = [
        "web1", "sshd", "Ban", "203.0.113.9", "1042", "1795212000123", "1795212000140", "1795215600123", "detected",
    ]

    @Test func aLineSaysEverythingOfAnEvent() throws {
        let event = try parseEvent(Self.fields.joined(separator: "|"))
        #expect(event.host.description == "web1")
        #expect(event.jail.description == "sshd")
        #expect(event.action == .ban)
        #expect(event.address.description == "203.0.113.9")
        #expect(event.number == 1042)
        #expect(event.seen == Timestamp(milliseconds: 1_795_212_000_123))
        #expect(event.admitted == Timestamp(milliseconds: 1_795_212_000_140))
        #expect(event.end == .at(Timestamp(milliseconds: 1_795_215_600_123)))
        #expect(event.cause == .detected)
        #expect(event.line == Self.fields.joined(separator: "|"))
    }

    @Test func whatIsUnknownIsADash() throws {
        let line = "web1|sshd|Unban|2001:db8::/64|-|-|-|-|lifted"
        let event = try parseEvent(line)
        #expect(event.number == nil && event.seen == nil && event.admitted == nil && event.end == .unknown)
        #expect(event.line == line)
    }

    @Test func theLineIsCanonicalWhateverWasRead() throws {
        let event = try parseEvent("WEB1.Example|sshd|Ban|2001:DB8:0::7/64|-|-|-|*|operator")
        #expect(event.line == "web1.example|sshd|Ban|2001:db8::/64|-|-|-|*|operator")
    }

    @Test(
        "A field that is wrong is named",
        arguments: [
            (0, ["", "-web1", "web_1", "web1 ", "wéb", "web1\0", "web1.", String(repeating: "a", count: 64)], EventLineError.host),
            (1, ["", "-x", "my jail", "a]b", "über", "sshd\r", String(repeating: "a", count: 65)], .jail),
            (2, ["", "ban", "BAN", "UnBan", "unban", "Restore Ban", "Ban ", "-"], .action),
            (3, ["", "-", "999.1.1.1", "1.2.3", "fe80::1%eth0", "localhost", "1.2.3.4/33", "1.2.3.4 "], .address),
            (4, ["", "0", "01", "-1", "+1", "1.0", "*", "--", " 1", "9223372036854775808", "18446744073709551616"], .number),
            (5, ["", "*", "--", "01", "-5", "253402300800000", "1795212000.123", "2026-11-20"], .seen),
            (6, ["", "*", "--", "01", "-5", "253402300800000", "now"], .admitted),
            (7, ["", "--", "**", "01", "-1", "253402300800000", "never", "* "], .end),
            (8, ["", "-", "Detected", "detected ", "restored", "detected\n", "detected\r"], .cause),
        ])
    func aWrongFieldIsNamed(field: Int, texts: [String], error: EventLineError) {
        for text in texts {
            var fields = Self.fields
            fields[field] = text
            #expect(throws: error, "\(text)") { try parseEvent(fields.joined(separator: "|")) }
        }
    }

    @Test func theFirstWrongFieldIsTheOneNamed() {
        let errors: [EventLineError] = [.host, .jail, .action, .address, .number, .seen, .admitted, .end, .cause]
        for (first, error) in errors.enumerated() {
            let fields = Self.fields[..<first] + Array(repeating: "?", count: 9 - first)
            #expect(throws: error) { try parseEvent(fields.joined(separator: "|")) }
        }
    }

    @Test(
        "Another number of fields is refused",
        arguments: ["", "|", "web1", "web1|sshd|Ban|203.0.113.9", "||||||||", "|||||||||", fields.joined(separator: "|") + "|x"])
    func anotherNumberOfFieldsIsRefused(line: String) {
        // Eight bars make nine fields, and then the first empty one is named.
        #expect(throws: line == "||||||||" ? EventLineError.host : .fields) { try parseEvent(line) }
    }

    @Test func aLineGivesTheSameEventAgain() throws {
        try forRandomCases(10_000) { random in
            let event = random.event()
            let line = event.line
            let again = try parseEvent(line)
            #expect(again == event, "\(line)")
            #expect(line.utf8.count <= Event.longestLine)
            #expect(line.utf8.count { $0 == UInt8(ascii: "|") } == 8)
            #expect(line.utf8.allSatisfy { (0x21...0x7e).contains($0) })
        }
    }

    @Test func thePlainLineIsTheFirstFourFields() {
        forRandomCases(2_000) { random in
            let event = random.event()
            var plain: [UInt8] = []
            event.appendPlainLine(to: &plain)
            #expect(plain.text == event.line.split(separator: "|").prefix(4).joined(separator: "|"))
        }
    }

    @Test func aDamagedLineIsRefusedOrMeansWhatItSays() {
        forRandomCases(20_000) { random in
            let line = mutated(Array(random.event().line.utf8), alphabet: anyByte, &random)
            guard let event = try? Event(line: line.span) else { return }
            // What is accepted is unambiguous: its own line reads as the same event.
            #expect((try? parseEvent(event.line)) == event, "\(line.text)")
        }
    }

    @Test func noBytesCrashTheParser() {
        forRandomCases(20_000) { random in
            let alphabet = random.once(in: 2) ? anyByte : Array("|||||-*0129af.:/Banweb\n\r\0".utf8)
            let line = (0..<random.number(0...(random.once(in: 50) ? 2_000 : 80))).map { _ in random.pick(alphabet) }
            _ = try? Event(line: line.span)
        }
    }

    /// The event with the most bytes in each of its fields.
    static func longest(number: UInt64) throws -> Event {
        let label = String(repeating: "h", count: 63)
        let host = try #require(Hostname([label, label, label, String(repeating: "h", count: 61)].joined(separator: ".")))
        let jail = try #require(Jail(String(repeating: "j", count: 64)))
        let address = try #require(Address("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe/127"))
        return Event(
            host: host, jail: jail, action: .unban, address: address, number: number, seen: .latest, admitted: .latest, end: .at(.latest),
            cause: .operator)
    }

    @Test func noLineIsLongerThanTheLongest() throws {
        let event = try Self.longest(number: UInt64(Int64.max))
        #expect(try parseEvent(event.line) == event)
        #expect(event.line.utf8.count <= Event.longestLine)
        #expect(try Self.longest(number: .max).line.utf8.count <= Event.longestLine)

        // The longest text that is accepted, not canonical.
        var fields = event.line.split(separator: "|").map(String.init)
        fields[3] = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128"
        #expect(fields[3].utf8.count == Address.longestText)
        let line = fields.joined(separator: "|")
        #expect(throws: Never.self) { try parseEvent(line) }
        #expect(line.utf8.count <= Event.longestLine)
    }

    @Test func aLineOverTheLimitIsRefusedUnread() {
        let tooLong = String(repeating: "a", count: Event.longestLine + 1 - 8) + "||||||||"
        #expect(tooLong.utf8.count == Event.longestLine + 1)
        #expect(throws: EventLineError.fields) { try parseEvent(tooLong) }
        #expect(throws: EventLineError.fields) { try parseEvent(String(repeating: "|", count: 1_000_000)) }
    }
}
