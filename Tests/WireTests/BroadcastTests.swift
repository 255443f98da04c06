// Tests of what travels: broadcast frames and beats.

import TestSupport
import Testing
import Wire

@Suite struct BroadcastTests {
    private static let header = "F2BC/1|00000000c0ffee42|1042|1043|1795212000141"
    private static let lines = [
        "web1|sshd|Ban|203.0.113.9|1042|1795212000123|1795212000140|1795215600123|detected",
        "web2|sshd|Unban|2001:db8::7|1043|-|1795212000140|-|expired",
    ]

    private func parse(_ frame: String) throws(BroadcastError) -> Broadcast {
        let bytes = Array(frame.utf8)
        return try Broadcast(frame: bytes.span)
    }

    private func frame(_ header: String, _ lines: [String]) -> String { ([header] + lines).joined(separator: "\n") }

    private func numbered(_ random: inout Generator, from first: UInt64, count: Int) -> [Event] {
        (0..<count).map { i in
            var event = random.event()
            event.number = first + UInt64(i)
            return event
        }
    }

    @Test func aFrameCarriesEventsBehindTheirNumbers() throws {
        let broadcast = try parse(frame(Self.header, Self.lines))
        #expect(broadcast.term == Term(id: 0xc0ff_ee42))
        #expect(broadcast.first == 1042 && broadcast.last == 1043 && !broadcast.isBeat)
        #expect(broadcast.now == Timestamp(milliseconds: 1_795_212_000_141))
        #expect(broadcast.events.map(\.line) == Self.lines)
        #expect(broadcast.frame.text == frame(Self.header, Self.lines))
    }

    @Test func aBeatIsTheHeaderAlone() throws {
        let beat = try parse("F2BC/1|00000000c0ffee42|1044|1043|1795212001141")
        #expect(beat.isBeat && beat.first == 1044 && beat.last == 1043)
        #expect(beat.frame.text == "F2BC/1|00000000c0ffee42|1044|1043|1795212001141")
        let first = try parse("F2BC/1|0000000000000000|1|0|0")
        #expect(first.isBeat && first.first == 1 && first.last == 0)
    }

    @Test func aFrameGivesTheSameBroadcastAgain() throws {
        try forRandomCases(1_000) { random in
            let first = UInt64(random.number(1...1_000_000_000))
            let broadcast = Broadcast(
                term: random.term(), first: first, now: random.timestamp(),
                events: numbered(&random, from: first, count: random.number(0...20)))
            let frame = broadcast.frame
            let again = try Broadcast(frame: frame.span)
            #expect(again == broadcast)
            #expect(frame.starts(with: Broadcast.prefix.utf8))
            #expect(
                frame.starts(
                    with: Broadcast.headerLine(term: broadcast.term, first: first, last: broadcast.last, now: broadcast.now)))
        }
    }

    @Test func anotherVersionIsNamedWhateverItsFields() {
        for version in ["F2BC/2", "F2BC/10", "F2BC/", "f2bc/1", "XXXX", ""] {
            #expect(throws: BroadcastError.version) { try parse(version + Self.header.dropFirst(6)) }
        }
        #expect(throws: BroadcastError.version) { try parse("F2BC/2|a|b|c|d|e|f\nx") }
        #expect(throws: BroadcastError.version) { try parse("") }
        #expect(throws: BroadcastError.version) { try parse("F2BC/1") }
        #expect(throws: BroadcastError.version) { try parse("web1|sshd|Ban|203.0.113.9") }
    }

    @Test(
        "A bad header is refused",
        arguments: [
            "F2BC/1|", "F2BC/1|00000000c0ffee42|1042|1043", "F2BC/1|00000000c0ffee42|1042|1043|1795212000141|x",
            // term
            "F2BC/1||1042|1043|1795212000141", "F2BC/1|c0ffee42|1042|1043|1795212000141", "F2BC/1|00000000C0FFEE42|1042|1043|1795212000141",
            "F2BC/1|00000000c0ffee4g|1042|1043|1795212000141", "F2BC/1|+0000000c0ffee42|1042|1043|1795212000141",
            "F2BC/1|000000000c0ffee42|1042|1043|1795212000141",
            // numbers
            "F2BC/1|00000000c0ffee42|0|1043|1795212000141", "F2BC/1|00000000c0ffee42|-|1043|1795212000141",
            "F2BC/1|00000000c0ffee42|01042|1043|1795212000141", "F2BC/1|00000000c0ffee42|1042||1795212000141",
            "F2BC/1|00000000c0ffee42|1042|-|1795212000141", "F2BC/1|00000000c0ffee42|9223372036854775808|1043|1795212000141",
            // now
            "F2BC/1|00000000c0ffee42|1042|1043|", "F2BC/1|00000000c0ffee42|1042|1043|-",
            "F2BC/1|00000000c0ffee42|1042|1043|253402300800000",
            "F2BC/1|00000000c0ffee42|1042|1043|1795212000141\r", "F2BC/1|00000000c0ffee42|1042|1043|1795212000141 ",
        ])
    func aBadHeaderIsRefused(header: String) {
        #expect(throws: BroadcastError.header) { try parse(frame(header, Self.lines)) }
    }

    @Test func aFrameWhoseNumbersAreWrongIsRefusedWhole() {
        let (one, two) = (Self.lines[0], Self.lines[1])
        let term = "F2BC/1|00000000c0ffee42"
        for (numbers, lines) in [
            ("1042|1042", [one, two]), ("1042|1044", [one, two]), ("1041|1042", [one, two]), ("1043|1044", [one, two]),
            ("1042|1043", [two, one]),
            ("1042|1043", [one, one]), ("1042|1043", [one]), ("1043|1043", [one]), ("1042|1041", [one]), ("1042|1043", []),
            ("1042|1042", []),
            ("1042|1040", []), ("1|9223372036854775807", []), ("9223372036854775807|1", []),
            ("1042|1042", ["web1|sshd|Ban|203.0.113.9|-|-|-|-|detected"]),
        ] {
            #expect(throws: BroadcastError.numbers, "\(numbers) \(lines)") { try parse(frame("\(term)|\(numbers)|1795212000141", lines)) }
        }
    }

    @Test func oneBadLineMakesTheFrameBadAndIsNamed() {
        let bad = "web2|sshd|Unban|999.1.1.1|1043|-|1795212000140|-|expired"
        #expect(throws: BroadcastError.line(2, .address)) { try parse(frame(Self.header, [Self.lines[0], bad])) }
        #expect(throws: BroadcastError.line(1, .fields)) { try parse(frame(Self.header, ["web1|sshd|Ban|203.0.113.9"])) }
        #expect(BroadcastError.line(2, .address).description == "line 2: bad address")
    }

    @Test func emptyLinesDontCount() throws {
        #expect(try parse(frame(Self.header, ["", Self.lines[0], "", Self.lines[1], ""])).events.count == 2)
        #expect(try parse("F2BC/1|00000000c0ffee42|1044|1043|0\n").isBeat)
    }

    @Test func aFrameOverTheLimitIsRefused() throws {
        let padding = String(repeating: "\n", count: Broadcast.sizeLimit - frame(Self.header, Self.lines).utf8.count)
        #expect(try parse(frame(Self.header, Self.lines) + padding).events.count == 2)
        #expect(throws: BroadcastError.tooLarge) { try parse(frame(Self.header, Self.lines) + padding + "\n") }
    }

    @Test func aSingleEventAlwaysFits() throws {
        let number = UInt64(Int64.max)
        let broadcast = Broadcast(term: Term(id: .max), first: number, now: .latest, events: [try EventTests.longest(number: number)])
        let frame = broadcast.frame
        #expect(frame.count <= Broadcast.sizeLimit)
        #expect(try Broadcast(frame: frame.span) == broadcast)
    }

    @Test func aDamagedFrameIsRefusedOrMeansWhatItSays() throws {
        forRandomCases(4_000) { random in
            let events = numbered(&random, from: 7, count: random.number(0...4))
            let good = Broadcast(term: random.term(), first: 7, now: random.timestamp(), events: events)
            let frame = mutated(good.frame, alphabet: random.once(in: 2) ? anyByte : Array("|\n0123456789-*F".utf8), &random)
            guard let broadcast = try? Broadcast(frame: frame.span) else { return }
            #expect(broadcast.last == broadcast.first + UInt64(broadcast.events.count) - 1)
            let again = broadcast.frame
            #expect((try? Broadcast(frame: again.span)) == broadcast)
        }
    }

    @Test("A term is sixteen lower-case hexadecimal digits", arguments: [0, 1, 0xc0ff_ee42, .max] as [UInt64])
    func termsHaveOneText(id: UInt64) {
        let text = Term(id: id).description
        #expect(text.utf8.count == 16 && Term(text) == Term(id: id))
        #expect(Term(text + "0") == nil && Term(String(text.dropLast())) == nil && Term("0x" + text.dropFirst(2)) == nil)
    }
}
