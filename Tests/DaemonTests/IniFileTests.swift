// Promises of the reader of configuration files: fail2ban's dialect, line by line.

import TestSupport
import Testing

@testable import Daemon

@Suite struct IniFileTests {
    private func parse(_ text: String) -> IniFile { IniFile(bytes: Array(text.utf8), path: "/x.conf") }

    /// The values of section `a`, by key.
    private func values(_ text: String) -> [String: String] {
        let file = parse("[a]\n" + text)
        #expect(file.problems.isEmpty)
        return Dictionary(uniqueKeysWithValues: file.entries.map { ($0.key, $0.value) })
    }

    @Test(arguments: [
        ("key = value", "value"), ("key=value", "value"), ("key: value", "value"), ("KEY = value", "value"), ("key =", ""),
        ("key = value # comment", "value"), ("key = value ; comment", "value"), ("key = value\t#comment", "value"),
        ("key = a#b", "a#b"), ("key = a;b", "a;b"), ("key = # comment", ""), ("key = tcp://*:5680   # where to", "tcp://*:5680"),
        ("key = \"\" #comment", "\"\""), ("key = \"a # b\" # c", "\"a # b\""), ("key = a=b:c", "a=b:c"), ("key = value \r", "value"),
        ("key = JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"),
        ("key = a \"b ; c\" d", "a \"b ; c\" d"), ("key = don\"t", "don\"t"), ("key = grüße", "grüße"),
    ])
    func aValueEndsWhereItsCommentBegins(line: String, value: String) {
        #expect(values(line) == ["key": value])
    }

    @Test func aLineThatIsIndentedDeeperContinuesTheValue() {
        #expect(values("key = a\n  b # comment\n\n# comment\n\tc\nother = d") == ["key": "a\nb\nc", "other": "d"])
    }

    @Test func keysMayBeIndentedAlike() {
        #expect(values("  one = 1\n  two = 2\n") == ["one": "1", "two": "2"])
    }

    @Test func aValueMayBeginOnTheNextLine() {
        #expect(values("key =\n  a\n  b\n") == ["key": "a\nb"])
    }

    @Test func aByteOrderMarkAndWindowsLinesAreNoHindrance() {
        let file = IniFile(bytes: [0xef, 0xbb, 0xbf] + Array("[a]\r\nkey = value\r\n".utf8), path: "/x.conf")
        #expect(file.problems.isEmpty)
        #expect(file.entries.map(\.value) == ["value"])
    }

    @Test func everyValueKnowsItsFileAndLine() {
        let file = parse("# first\n[a]\n\nkey = value\n")
        #expect(file.entries.map(\.place) == [Place(file: "/x.conf", line: 4)])
        #expect(file.headers == [IniFile.Header(name: "a", place: Place(file: "/x.conf", line: 2))])
    }

    @Test(arguments: [
        ("key = value", "before any section"), ("[a", "not a section header"), ("[]", "not a section header"),
        ("[a]\nhunter2", "the line is neither a key nor a section"), ("[a]\nkey hunter2", "`key` is neither a key nor a section"),
        ("[a]\n= value", "neither a key nor a section"),
        ("[a]\nkey = \"value", "quote is not closed"), ("[a]\nkey = 1\nkey = 2", "stands on line 2 already"),
        ("[a]\nkey = a\u{7}b", "control characters"), ("[a]\nkey = a\u{9b}b", "control characters"), ("[a] junk", "not a section header"),
    ])
    func whatCannotBeReadIsNamedWithItsLine(text: String, problem: String) throws {
        let problems = parse(text).problems
        #expect(problems.count == 1)
        let first = try #require(problems.first)
        #expect(first.description.contains(problem))
        #expect(first.place?.line == text.split(separator: "\n", omittingEmptySubsequences: false).count)
    }

    @Test func bytesThatAreNoTextAreRefused() {
        let file = IniFile(bytes: Array("[a]\nkey = ".utf8) + [0xff, 0xfe], path: "/x.conf")
        #expect(file.problems.map(\.place?.line) == [2])
    }

    @Test func randomBytesNeverCrashTheReader() {
        var random = SeededGenerator(seed: 1)
        let alphabet = Array("[]=:#;\" \t\n\r,ab\u{0}ü".utf8)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0..<60, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            let file = IniFile(bytes: bytes, path: "/x.conf")
            for entry in file.entries { _ = splitList(entry.value, at: .commasAndBlanks) }
        }
    }
}
