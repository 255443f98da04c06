// Reads the corpus, the parser's specification; its format stands at the top of Corpus/log-lines.txt.

import Glibc
import Testing

/// One entry of the corpus.
struct CorpusEntry: CustomTestStringConvertible, Sendable {
    var number: Int
    var mark: String
    var line: [UInt8]
    var expected: String

    var testDescription: String { "line \(number): \(String(decoding: line, as: UTF8.self))" }

    static func load(_ path: String) throws -> [CorpusEntry] {
        let text = try #require(contents(of: path), "no corpus at \(path)")
        var entries: [CorpusEntry] = []
        var pending: [Substring] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty || (pending.isEmpty && line.hasPrefix("#")) { continue }
            pending.append(line)
            guard pending.count == 3 else { continue }
            try #require(pending[0].hasPrefix("observed ") || pending[0].hasPrefix("source "), "line \(index - 1): no mark")
            try #require(pending[2].hasPrefix("= "), "line \(index + 1): no result")
            entries.append(
                CorpusEntry(
                    number: index, mark: String(pending[0]), line: unescaped(pending[1]), expected: String(pending[2].dropFirst(2))))
            pending = []
        }
        try #require(pending.isEmpty, "the last entry is not complete")
        return entries
    }

    private static func contents(of path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += buffer[..<count]
        }
    }

    private static func unescaped(_ text: Substring) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let range = rest.firstRange(of: "\\x") {
            bytes += rest[..<range.lowerBound].utf8
            let digits = rest[range.upperBound...].prefix(2)
            if let byte = UInt8(digits, radix: 16) { bytes.append(byte) }
            rest = rest[digits.endIndex...]
        }
        return bytes + rest.utf8
    }
}
