// Tests of what travels: docs/wire-protocol.md, taken apart into its fenced blocks.

import Glibc
import Testing

/// The protocol's document, whose grammar and examples the tests hold true.
struct ProtocolDocument {
    /// A fenced block: what stands behind the opening fence, and the lines between the fences.
    struct Block {
        var kind: String
        /// Where its first line is in the document, from 1.
        var line: Int
        var lines: [String]

        var text: String { lines.joined(separator: "\n") }
    }

    let blocks: [Block]

    init() throws {
        let path = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/docs/wire-protocol.md"
        let file = try #require(fopen(path, "r"), "\(path) can't be read")
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }

        var blocks: [Block] = []
        var open: Block?
        for (i, line) in bytes.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard line.hasPrefix("```") else {
                open?.lines.append(String(line))
                continue
            }
            if let block = open {
                blocks.append(block)
                open = nil
            } else {
                open = Block(kind: String(line.dropFirst(3)), line: i + 2, lines: [])
            }
        }
        self.blocks = blocks
    }

    func blocks(_ kind: String) -> [Block] { blocks.filter { $0.kind == kind } }
}
