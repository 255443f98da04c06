// Test support: what a program says, compared with a file in which somebody has looked at it.

import FoundationEssentials
import Glibc
import Testing

/// Compares `text` with the golden file, and says in which lines they differ.
///
/// After a change that is meant, `UPDATE_GOLDEN=1 scripts/test Golden` writes all golden files anew; git diff shows what changed.
/// - Parameter name: the file, from the clone's top.
public func expectGolden(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let path = "\(Lab.repository)/\(name)"
    if getenv("UPDATE_GOLDEN").map({ String(cString: $0) }) == "1" { try text.write(toFile: path, atomically: true, encoding: .utf8) }
    let golden = textOfFile(path) ?? ""
    guard text != golden else { return }
    let command = "if it is meant, UPDATE_GOLDEN=1 scripts/test Golden writes it anew"
    Issue.record("\(name) differs; \(command):\n\(difference(from: golden, to: text))", sourceLocation: sourceLocation)
}

/// The lines that one text has and the other has not, in the order of the text and at most 60, as diff(1) marks them.
private func difference(from old: String, to new: String) -> String {
    func lines(_ text: String) -> [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    let changes = lines(new).difference(from: lines(old)).map { change -> (offset: Int, order: Int, text: String) in
        switch change {
        case .remove(let offset, let line, _): (offset, 0, "-\(offset + 1): \(line)")
        case .insert(let offset, let line, _): (offset, 1, "+\(offset + 1): \(line)")
        }
    }
    let sorted = changes.sorted { ($0.offset, $0.order) < ($1.offset, $1.order) }.map(\.text)
    let rest = sorted.count > 60 ? ["and \(sorted.count - 60) more"] : []
    return (sorted.prefix(60) + rest).joined(separator: "\n")
}
