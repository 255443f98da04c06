// Tests of what travels: the four frames of a request or an answer, and its header.

import Testing
import Wire

@Suite struct MessageTests {
    static let verbs: [Message.Verb] = [
        .report, .holds, .sync, .state, .order, .query, .acknowledged, .refused, .events, .snapshot, .ok, .json,
    ]

    private func frames(_ texts: String...) -> [[UInt8]] { texts.map { Array($0.utf8) } }

    private func blanks(_ count: Int) -> [UInt8] { [UInt8](repeating: UInt8(ascii: "x"), count: count) }

    @Test("Four frames are a message, and the message is those frames", arguments: verbs)
    func aMessageIsFourFrames(verb: Message.Verb) throws {
        let frames = frames("F2BC/1", verb.rawValue, "now=5\nstream=a", "1|x\n2|y\n")
        let message = try Message(frames: frames)
        #expect(message.verb == verb && message.header["stream"] == "a" && message.header.number("now") == 5)
        #expect(message.body.text == "1|x\n2|y\n")
        #expect(message.frames == frames)
    }

    @Test func anEmptyHeaderAndBodyAreAllowed() throws {
        let message = try Message(frames: frames("F2BC/1", "OK", "", ""))
        #expect(message.header == Header() && message.body.isEmpty)
        #expect(message == Message(.ok, Header()))
    }

    @Test(
        "Another version is named before anything else",
        arguments: [
            [], [""], ["F2BC/2"], ["F2BC/2", "REPORT", "now=5", "", "a fifth frame"], ["F2BC/1 ", "OK", "", ""], ["f2bc/1", "OK", "", ""],
            ["web1|sshd|Ban|203.0.113.9"], ["F2BC/2", "NEW", "\0", ""],
        ])
    func anotherVersionIsNamedFirst(texts: [String]) {
        #expect(throws: MessageError.version) { try Message(frames: texts.map { Array($0.utf8) }) }
    }

    @Test("Another number of frames is refused", arguments: [1, 2, 3, 5, 1000])
    func anotherNumberOfFramesIsRefused(count: Int) {
        let frames = [Array(Message.version.utf8)] + Array(repeating: Array("OK".utf8), count: count - 1)
        #expect(throws: MessageError.malformed("\(count) frames, not 4")) { try Message(frames: frames) }
    }

    @Test(
        "An unknown verb is refused",
        arguments: ["", "report", "REPORTS", "REPORT ", "ACK\n", "\0", String(repeating: "A", count: 1_000_000)])
    func anUnknownVerbIsRefused(verb: String) {
        #expect(throws: MessageError.verb) { try Message(frames: frames("F2BC/1", verb, "", "")) }
    }

    @Test func theHeaderAndTheBodyAreLimited() throws {
        let limit = Message.sizeLimit
        let version = Array(Message.version.utf8)
        let header = Array("k=".utf8) + blanks(limit - 2)
        let message = try Message(frames: [version, Array("JSON".utf8), header, blanks(limit)])
        #expect(message.header["k"]?.utf8.count == limit - 2 && message.body.count == limit)
        #expect(throws: MessageError.tooLarge) { try Message(frames: [version, Array("JSON".utf8), header + blanks(1), []]) }
        #expect(throws: MessageError.tooLarge) { try Message(frames: [version, Array("JSON".utf8), [], blanks(limit + 1)]) }
    }

    @Test func eachErrorHasItsNAK() {
        #expect(MessageError.malformed("x").code == .malformed && MessageError.version.code == .version)
        #expect(MessageError.verb.code == .verb && MessageError.tooLarge.code == .toolarge)
    }

    @Test func theBodyIsReadLineByLine() throws {
        for (body, lines) in [("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\nb", ["a", "b"]), ("\n\na\n\n\nb\n\n", ["a", "b"]), ("\n", [])] {
            var seen: [String] = []
            Message(.ok, Header(), body: Array(body.utf8)).forEachBodyLine { line in
                seen.append(line.withUnsafeBufferPointer { Array($0).text })
            }
            #expect(seen == lines, "\(body)")
        }
    }

    @Test func aDamagedMessageIsRefusedOrMeansWhatItSays() {
        forRandomCases(10_000) { random in
            var header = Header()
            header["now"] = random.timestamp().description
            header["note"] = random.words()
            var frames = Message(random.pick(Self.verbs), header, body: Array(random.event().line.utf8)).frames
            let hit = random.number(0...3)
            frames[hit] = mutated(frames[hit], alphabet: anyByte, &random)
            guard let message = try? Message(frames: frames) else { return }
            #expect((try? Message(frames: message.frames)) == message)
        }
    }
}

@Suite struct HeaderTests {
    private func parse(_ text: String) -> Header? { Header(bytes: Array(text.utf8).span) }

    @Test func linesAreKeysAndValues() throws {
        let header = try #require(parse("now=1795212000131\nstream=3f9c\nnote=a = b\nempty=\nx-9=ü"))
        #expect(header["stream"] == "3f9c" && header["note"] == "a = b" && header["empty"] == "" && header["x-9"] == "ü")
        #expect(header["missing"] == nil)
        #expect(header.time("now") == Timestamp(milliseconds: 1_795_212_000_131) && header.number("now") == 1_795_212_000_131)
        #expect(header.number("stream") == nil && header.time("missing") == nil && header.number("empty") == nil)
        #expect(parse("term=00000000c0ffee42")?.term == Term(id: 0xc0ff_ee42))
        #expect(parse("term=c0ffee42")?.term == nil)
    }

    @Test func theOrderOfLinesMeansNothing() {
        #expect(parse("b=2\na=1") == ["a": "1", "b": "2"])
        #expect(parse("b=2\n\n\na=1\n")?.bytes.text == "a=1\nb=2")
        #expect(parse("") == Header())
        #expect(parse("\n\n") == Header())
    }

    @Test(
        "A line that is not key=value is refused",
        arguments: [
            "a", "=", "=1", "a\n", "A=1", "1=1", "-a=1", "a_b=1", "a b=1", " a=1", "a =1", "é=1", "a\0=1", "a=1\nb",
            String(repeating: "k", count: 33) + "=1",
            // Repeated keys
            "a=1\na=1", "a=1\nb=2\na=3",
            // Control characters: C0, DEL, and C1, which are terminal controls too
            "a=\t", "a=1\r\nb=2", "a=\0", "a=\u{1b}[31m", "a=\u{7f}", "a=\u{80}", "a=\u{9b}31m", "a=\u{85}",
        ])
    func nonsenseIsNoHeader(text: String) {
        #expect(parse(text) == nil)
    }

    @Test func bytesThatAreNotTextAreRefused() {
        for bytes in [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]] as [[UInt8]] {
            #expect(Header(bytes: (Array("a=".utf8) + bytes).span) == nil)
        }
    }

    @Test func theNumberOfLinesIsLimited() {
        let lines = (1...Header.lineLimit).map { "k\($0)=v" }
        #expect(parse(lines.joined(separator: "\n"))?["k32"] == "v")
        #expect(parse((lines + ["one-more=v"]).joined(separator: "\n")) == nil)
    }

    @Test func aKeyMayHave32Characters() {
        let key = "k" + String(repeating: "-", count: 31)
        #expect(parse("\(key)=v")?[key] == "v")
    }

    @Test func aValueThatIsSetStaysOneLine() {
        let header: Header = ["note": "one\ntwo=2\r\n\u{1b}[31m\u{9b}\u{7f}é"]
        #expect(header["note"] == "one two=2   [31m  é")
        #expect(parse(header.bytes.text) == header)
    }

    @Test func aValueMayBeginWithACombiningCharacter() {
        // "=" and U+0338 are one Character, "≠".
        let header: Header = ["note": "\u{338}x"]
        #expect(parse(header.bytes.text)?["note"] == "\u{338}x")
    }

    @Test func aHeaderOfAnyWordsTravelsWhole() {
        forRandomCases(5_000) { random in
            var header = Header()
            for key in ["a", "b2", "note"] { header[key] = random.words() }
            #expect(parse(header.bytes.text) == header, "\(header.bytes)")
        }
    }

    @Test func aValueCanBeTakenAway() {
        var header: Header = ["a": "1", "b": "2"]
        header["a"] = nil
        #expect(header.bytes.text == "b=2")
    }
}
