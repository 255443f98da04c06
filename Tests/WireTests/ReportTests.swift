// Tests of what travels: reports, acknowledgements and refusals.

import Testing
import Wire

@Suite struct ReportTests {
    private static let ban = "web1|sshd|Ban|203.0.113.9|-|1795212000123|-|1795215600123|detected"
    private static let unban = "web1|sshd|Unban|2001:db8::7|-|1795212000456|-|-|lifted"

    private func parse(header: Header = ["stream": "3f9c-1", "now": "1795212000131"], _ lines: String...) throws(MessageError) -> Report {
        try Report(Message(.report, header, body: Array(lines.joined(separator: "\n").utf8)))
    }

    @Test func aReportIsLinesWithPositions() throws {
        let report = try parse("48213|\(Self.ban)", "-|\(Self.unban)")
        #expect(report.stream == "3f9c-1" && report.now == Timestamp(milliseconds: 1_795_212_000_131))
        #expect(
            try report.entries == [
                Report.Entry(position: 48213, parseEvent(Self.ban)), Report.Entry(position: nil, parseEvent(Self.unban)),
            ])
    }

    @Test func aReportGivesTheSameReportAgain() throws {
        try forRandomCases(500) { random in
            let entries = (0..<random.number(0...20)).map { _ in
                Report.Entry(position: random.once(in: 4) ? nil : random.position(), random.event())
            }
            let report = Report(
                stream: random.text("abcXYZ019-", length: random.number(1...64)), now: random.timestamp(), entries: entries)
            let again = try Report(Message(frames: report.message.frames))
            #expect(again == report)
        }
    }

    @Test func aBadLineStaysInItsPlaceAmongGoodOnes() throws {
        let report = try parse(
            "10|\(Self.ban)", "20|web1|my jail|Ban|203.0.113.9|-|-|-|-|detected", "30|", "-|a|b|c", "40|\(Self.unban)",
            "50|web1|sshd|Ban|999.1.1.1|-|-|-|-|detected", "60|\(String(repeating: "x", count: 600))")
        #expect(report.entries.map(\.position) == [10, 20, 30, nil, 40, 50, 60])
        let errors = report.entries.map { entry -> EventLineError? in
            if case .failure(let error) = entry.content { error } else { nil }
        }
        #expect(errors == [nil, .jail, .fields, .fields, nil, .address, .fields])
    }

    @Test(
        "A line without a position makes the report bad",
        arguments: ["", "x", "--", "-1", "+1", "01", " 1", "1 ", "*", "9223372036854775808", "18446744073709551616", "1.5"])
    func aLineWithoutAPositionMakesTheReportBad(position: String) {
        #expect(throws: MessageError.malformed("position in line 2")) { try parse("10|\(Self.ban)", "\(position)|\(Self.unban)") }
    }

    @Test func aLineWithoutABarMakesTheReportBad() {
        #expect(throws: MessageError.malformed("position in line 1")) { try parse("10") }
        #expect(throws: MessageError.malformed("position in line 1")) { try parse(Self.ban) }
    }

    @Test func positionsGoUpToTheLargestSignedNumber() throws {
        let report = try parse("0|\(Self.ban)", "9223372036854775807|\(Self.ban)")
        #expect(report.entries.map(\.position) == [0, UInt64(Int64.max)])
    }

    @Test func theReportsPositionIsTheLargest() throws {
        #expect(try parse("10|\(Self.ban)", "30|\(Self.ban)", "20|x", "-|\(Self.unban)").position == 30)
        #expect(try parse("-|\(Self.unban)").position == nil)
        #expect(try parse().position == nil)
    }

    @Test(
        "A stream's name is 1 to 64 letters, digits and hyphens",
        arguments: ["", "a b", "a|b", "ä", "a_b", "a.b", String(repeating: "a", count: 65)])
    func badStreamsAreRefused(stream: String) {
        #expect(throws: MessageError.malformed("stream")) { try parse(header: ["stream": stream, "now": "1"]) }
    }

    @Test func streamAndNowMustBeThere() {
        #expect(throws: MessageError.malformed("stream")) { try parse(header: ["now": "1"]) }
        #expect(throws: MessageError.malformed("now")) { try parse(header: ["stream": "a"]) }
        #expect(throws: MessageError.malformed("now")) { try parse(header: ["stream": "a", "now": "-"]) }
        #expect(throws: Never.self) { try parse(header: ["stream": String(repeating: "a", count: 64), "now": "0", "later-key": "?"]) }
    }

    @Test func anotherVerbIsNoReport() {
        #expect(throws: MessageError.verb) { try Report(Message(.holds, ["stream": "a", "now": "1"])) }
    }

    @Test func noEntryIsLongerThanTheLongest() throws {
        let position = UInt64(Int64.max)
        let report = Report(stream: "a", now: .latest, entries: [.init(position: position, try EventTests.longest(number: position))])
        let message = report.message
        #expect(message.body.count <= Report.longestEntry)
        #expect(try Report(message) == report)

        // As many entries as fit by that measure make a message that is accepted.
        let count = Message.sizeLimit / Report.longestEntry
        let full = Report(stream: "a", now: .latest, entries: Array(repeating: report.entries[0], count: count))
        let again = try Report(Message(frames: full.message.frames))
        #expect(again == full)
    }

    @Test func aDamagedReportIsRefusedOrMeansWhatItSays() {
        forRandomCases(5_000) { random in
            let entries = (0..<random.number(1...3)).map { _ in Report.Entry(position: random.position(), random.event()) }
            var message = Report(stream: "a", now: random.timestamp(), entries: entries).message
            message.body = mutated(message.body, alphabet: random.once(in: 2) ? anyByte : Array("|\n-0".utf8), &random)
            guard var report = try? Report(message) else { return }
            report.entries.removeAll { if case .failure = $0.content { true } else { false } }
            #expect((try? Report(report.message)) == report)
        }
    }
}

@Suite struct AcknowledgementTests {
    private static let term = Term(id: 0xc0ff_ee42)

    private func parse(header: Header = ["term": term.description, "position": "48999"], _ body: String) throws(MessageError)
        -> Acknowledgement
    {
        try Acknowledgement(Message(.acknowledged, header, body: Array(body.utf8)))
    }

    @Test func anAcknowledgementSaysWhatIsOnDiskAndWhatWasRefused() throws {
        let acknowledgement = try parse("48213|bad address\n-|never banned: 10.0.0.0/8 (ignoreip) | really\n")
        #expect(acknowledgement.term == Self.term && acknowledgement.position == 48999)
        #expect(
            acknowledgement.refused == [
                .init(position: 48213, reason: "bad address"), .init(position: nil, reason: "never banned: 10.0.0.0/8 (ignoreip) | really"),
            ])
        #expect(acknowledgement.message.header["refused"] == "2")
    }

    @Test func anAcknowledgementOfAnyWordsTravelsWhole() throws {
        try forRandomCases(2_000) { random in
            let refused = (0..<random.number(0...4)).map { _ in
                Acknowledgement.Refusal(position: random.once(in: 3) ? nil : random.position(), reason: random.words())
            }
            let acknowledgement = Acknowledgement(term: random.term(), position: random.position(), refused: refused)
            let again = try Acknowledgement(Message(frames: acknowledgement.message.frames))
            #expect(again.term == acknowledgement.term && again.position == acknowledgement.position)
            #expect(again.refused.map(\.position) == refused.map(\.position))
            // Control characters became blanks; all else is as it was.
            for (a, b) in zip(again.refused, refused) { #expect(a.reason.unicodeScalars.count == b.reason.unicodeScalars.count) }
            #expect(try Acknowledgement(again.message) == again)
        }
    }

    @Test func refusalsThatDontFitAreLeftOutButCounted() throws {
        let refused = (1...2000 as ClosedRange<UInt64>).map {
            Acknowledgement.Refusal(position: $0, reason: String(repeating: "r", count: 60))
        }
        let message = Acknowledgement(term: Self.term, position: 5, refused: refused).message
        #expect(message.body.count <= Message.sizeLimit && message.header["refused"] == "2000")
        let again = try Acknowledgement(Message(frames: message.frames))
        #expect(again.refused == Array(refused.prefix(again.refused.count)) && again.refused.count > 900)
    }

    @Test("A bad refusal is refused", arguments: ["x|reason", "1", "|reason", "--|reason", "1|a\u{1b}", "01|reason", "1|ok\n\u{9b}"])
    func aBadRefusalIsRefused(body: String) {
        #expect(throws: MessageError.malformed("refusal in line \(body.contains("ok") ? 2 : 1)")) { try parse(body) }
    }

    @Test func termAndPositionMustBeThere() {
        #expect(throws: MessageError.malformed("term")) { try parse(header: ["position": "1"], "") }
        #expect(throws: MessageError.malformed("term")) { try parse(header: ["position": "1", "term": "x"], "") }
        #expect(throws: MessageError.malformed("position")) { try parse(header: ["term": Self.term.description], "") }
        #expect(throws: MessageError.malformed("position")) { try parse(header: ["term": Self.term.description, "position": "-"], "") }
        #expect(throws: MessageError.verb) { try Acknowledgement(Message(.refused, [:])) }
    }
}

@Suite struct RequestRefusalTests {
    static let codes: [RefusalCode] = [.busy, .malformed, .version, .verb, .role, .host, .standby, .storage, .toolarge]

    @Test("A refusal travels with its reason and the term", arguments: codes)
    func aRefusalTravels(code: RefusalCode) throws {
        let refusal = RequestRefusal(code, "because\nof this")
        let message = try Message(frames: refusal.message(term: Term(id: 7)).frames)
        #expect(message.header["code"] == code.rawValue && message.header.term == Term(id: 7))
        #expect(RequestRefusal(message) == RequestRefusal(code, "because of this"))
    }

    @Test func aPublisherWithoutATermSaysNone() {
        let message = RequestRefusal(.standby, "").message(term: nil)
        #expect(message.header["term"] == nil)
        #expect(RequestRefusal(message)?.description == "standby")
    }

    @Test func aCodeOfALaterVersionIsMalformed() {
        #expect(RequestRefusal(Message(.refused, ["code": "tuesday", "reason": "no"])) == RequestRefusal(.malformed, "no"))
        #expect(RequestRefusal(Message(.refused, [:])) == RequestRefusal(.malformed, ""))
    }

    @Test func otherVerbsAreNoRefusal() {
        for verb in MessageTests.verbs where verb != .refused { #expect(RequestRefusal(Message(verb, ["code": "busy"])) == nil) }
    }
}
