// Tests of what travels: the grammar in docs/wire-protocol.md allows what the code accepts, and nothing else.

import TestSupport
import Testing
import Wire

@Suite struct ProtocolGrammarTests {
    private let grammar: Grammar

    init() throws {
        grammar = try Grammar(ProtocolDocument().blocks("abnf").map(\.text).joined(separator: "\n"))
    }

    /// What the grammar leaves to words: a host over 253 bytes, a number or a time over its largest.
    private func isOverALimit(_ bytes: [UInt8]) -> Bool {
        bytes.split { !(0x30...0x39).contains($0) }.contains { $0.count >= 15 }
            || bytes.split(separator: UInt8(ascii: "|")).contains { $0.count > 253 }
    }

    /// Expects that grammar and code agree, but for the limits that are said in words.
    private func compare(_ bytes: [UInt8], _ rule: String, accepted: Bool) {
        let isAllowed = grammar.matches(bytes, rule)
        guard isAllowed != accepted else { return }
        #expect(
            isAllowed && isOverALimit(bytes), "\(rule) \(isAllowed ? "is stricter in the code" : "is wider in the code"): \(bytes.text)")
    }

    /// Bytes that often are almost right.
    private func damaged(_ bytes: [UInt8], _ random: inout Generator) -> [UInt8] {
        guard random.once(in: 4) else {
            return mutated(bytes, alphabet: random.once(in: 4) ? anyByte : Array("|-*:./0129afFBan\n".utf8), &random)
        }
        return bytes
    }

    @Test func everyRuleIsDefined() {
        #expect(grammar.undefined.isEmpty)
        // Each is used, or is what a frame, a line or a body is.
        #expect(grammar.rules.count > 40)
    }

    @Test func addressesAreThoseOfTheGrammar() {
        forRandomCases(2_000) { random in
            var text = random.address().description
            if random.once(in: 8) { text = "::ffff:" + text }
            let bytes =
                random.once(in: 4) ? Array(random.text("01f:./", length: random.number(0...20)).utf8) : damaged(Array(text.utf8), &random)
            compare(bytes, "address", accepted: Address(bytes: bytes.span) != nil)
        }
    }

    @Test func namesAreThoseOfTheGrammar() {
        forRandomCases(3_000) { random in
            // Only text that is UTF-8 reaches a name.
            let alphabet = Array("aZ09.-_ |".utf8)
            let host = mutated(Array(random.hostname().description.utf8), alphabet: alphabet, &random)
            compare(host, "host", accepted: Hostname(host.text) != nil)
            let jail = mutated(Array(random.jail().description.utf8), alphabet: alphabet, &random)
            compare(jail, "jail", accepted: Jail(jail.text) != nil)
        }
    }

    @Test func endsAndTermsAreThoseOfTheGrammar() {
        forRandomCases(3_000) { random in
            let end = damaged(Array(random.banEnd().description.utf8), &random)
            compare(end, "end", accepted: BanEnd(bytes: end.span) != nil)
            let term = mutated(Array(random.term().description.utf8), alphabet: Array("019afAFg-".utf8), &random)
            compare(term, "term", accepted: Term(term.text) != nil)
        }
    }

    @Test func eventsAreThoseOfTheGrammar() {
        forRandomCases(1_500) { random in
            let line = damaged(Array(random.event().line.utf8), &random)
            compare(line, "event", accepted: (try? Event(line: line.span)) != nil)
        }
    }

    @Test func broadcastsAreThoseOfTheGrammar() {
        forRandomCases(500) { random in
            let events = (0..<random.number(0...3)).map { i in
                var event = random.event()
                event.number = 1042 + UInt64(i)
                return event
            }
            let frame = damaged(Broadcast(term: random.term(), first: 1042, now: random.timestamp(), events: events).frame, &random)
            var accepted = true
            do throws(BroadcastError) { _ = try Broadcast(frame: frame.span) } catch {
                // That numbers fit each other is said in words.
                if error == .numbers { return }
                accepted = false
            }
            compare(frame, "broadcast", accepted: accepted)
        }
    }

    @Test func messagesAreThoseOfTheGrammar() {
        forRandomCases(3_000) { random in
            let verb = mutated(Array(random.pick(MessageTests.verbs).rawValue.utf8), alphabet: Array("ACKNOabc\n".utf8), &random)
            compare(verb, "verb", accepted: (try? Message(frames: [Array("F2BC/1".utf8), verb, [], []])) != nil)
            let version = mutated(Array(Message.version.utf8), alphabet: Array("F2BCb/10".utf8), &random)
            compare(version, "version", accepted: (try? Message(frames: [version, Array("OK".utf8), [], []])) != nil)
        }
        for verb in MessageTests.verbs { #expect(grammar.matches(Array(verb.rawValue.utf8), "verb")) }
        for code in RequestRefusalTests.codes { #expect(grammar.matches(Array(code.rawValue.utf8), "nak-code")) }
    }

    @Test func headersAreThoseOfTheGrammar() {
        forRandomCases(3_000) { random in
            // Not made by Header, which would turn control characters into blanks.
            let header = ["a", "b-2", "note"].filter { _ in random.once(in: 2) }.map {
                "\($0)=\(random.once(in: 2) ? random.words() : "1")"
            }
            let alphabet = random.once(in: 2) ? anyByte : Array("a=\n -Z9é\u{85}\u{2028}\u{10ffff}".utf8)
            let text = Array(header.joined(separator: "\n").utf8)
            let bytes = random.once(in: 2) ? text : mutated(text, alphabet: alphabet, &random)
            let keys = bytes.split(separator: UInt8(ascii: "\n")).map { $0.prefix { $0 != UInt8(ascii: "=") } }
            // That no key comes twice is said in words.
            guard Set(keys.map(Array.init)).count == keys.count else { return }
            compare(bytes, "header", accepted: Header(bytes: bytes.span) != nil)
        }
    }

    @Test func bodiesAreThoseOfTheGrammar() {
        forRandomCases(400) { random in
            let report = Report(
                stream: "a", now: .latest, entries: [.init(position: nil, random.event()), .init(position: 7, random.event())])
            var message = report.message
            message.body = damaged(message.body, &random)
            let read = try? Report(message)
            compare(message.body, "entries", accepted: read?.entries.allSatisfy { (try? $0.content.get()) != nil } ?? false)

            var order = Order(.ban, now: .latest, addresses: [random.address(), random.address()]).message
            order.body = damaged(order.body, &random)
            // That there must be one is said in words.
            if order.body.contains(where: { $0 != UInt8(ascii: "\n") }) {
                compare(order.body, "addresses", accepted: (try? Order(order)) != nil)
            }

            let refused = [Acknowledgement.Refusal(position: 7, reason: random.words()), .init(position: nil, reason: "bad jail")]
            var acknowledgement = Acknowledgement(term: random.term(), position: 7, refused: refused).message
            acknowledgement.body = damaged(acknowledgement.body, &random)
            compare(acknowledgement.body, "refusals", accepted: (try? Acknowledgement(acknowledgement)) != nil)
        }
    }

    @Test func theEdgesAreThoseOfTheGrammar() {
        for length in [1, 2, 31, 32, 33, 61, 62, 63, 64, 65, 66] {
            let text = String(repeating: "a", count: length)
            compare(Array(text.utf8), "host", accepted: Hostname(text) != nil)
            compare(Array(text.utf8), "jail", accepted: Jail(text) != nil)
            compare(Array("\(text)=".utf8), "header", accepted: Header(bytes: Array("\(text)=".utf8).span) != nil)
            compare(Array(text.utf8), "stream", accepted: (try? Report(Message(.report, ["stream": text, "now": "1"]))) != nil)
        }
        for number in 0...300 {
            for text in ["\(number).0.0.1", "0.0.0.0/\(number)", "::/\(number)"] {
                compare(Array(text.utf8), "address", accepted: Address(text) != nil)
            }
        }
        // The first and last bytes of every length of UTF-8, and what lies just outside: overlong forms, surrogates, beyond U+10FFFF.
        let firsts: [UInt8] = [
            0x1f, 0x20, 0x7e, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4,
            0xf5, 0xff,
        ]
        let seconds: [UInt8] = [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0]
        for first in firsts {
            for second in seconds {
                for tails in [[], [0x80], [0xbf, 0x80], [0x80, 0x80, 0x80], [0x7f], [0xc0, 0x80]] as [[UInt8]] {
                    let bytes = Array("a=".utf8) + [first, second] + tails
                    compare(bytes, "header", accepted: Header(bytes: bytes.span) != nil)
                }
            }
        }
    }

    @Test func streamsAndCommandsAreThoseOfTheGrammar() {
        forRandomCases(2_000) { random in
            let stream = random.text("aZ09-_ ", length: random.number(0...(random.once(in: 8) ? 70 : 6)))
            compare(Array(stream.utf8), "stream", accepted: (try? Report(Message(.report, ["stream": stream, "now": "1"]))) != nil)
        }
        for command in ["ban", "unban", "allow", "Ban", "allowed", ""] {
            let order = Message(.order, ["command": command, "now": "1", "end": "1"], body: Array("::1".utf8))
            compare(Array(command.utf8), "command", accepted: (try? Order(order)) != nil)
        }
    }

    @Test func plainRequestsAreThoseOfTheGrammar() {
        forRandomCases(1_000) { random in
            var frame = random.once(in: 2) ? Array("t0ken |".utf8) : []
            random.event().appendPlainLine(to: &frame)
            frame = damaged(frame, &random)
            compare(frame, "plain-request", accepted: (try? PlainRequest(frame: frame.span)) != nil)
        }
    }
}
