// Stage 3, reception: the publisher's place that this host followed last, kept across starts.

import Daemon
import Glibc
import Wire

/// A file with one line: the term and the number up to which everything was applied.
///
/// After a start the subscriber wants all bans anyway; the place tells the publisher, and so this host, whether what fail2ban still bans and
/// the publisher doesn't know is over for certain. Losing the file costs ten minutes of doubt and nothing else.
struct FollowedPlace {
    let path: String

    /// `nil` when there is no such file, or it says something else.
    func read() -> CatchUp.Position? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 64)
        guard fgets(&line, Int32(line.count), file) != nil else { return nil }
        let text = String(decoding: line.prefix { $0 != 0 && $0 != 0x0a }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let words = text.split(separator: " ")
        guard words.count == 2, let term = Term(String(words[0])), let last = UInt64(words[1]), last <= UInt64(Int64.max) else {
            return nil
        }
        return CatchUp.Position(term: term, last: last)
    }

    /// Replaces the file as a whole, and makes its folder when it is missing.
    func write(_ position: CatchUp.Position) throws(SystemError) {
        if let slash = path.lastIndex(of: "/") { try createFolders(String(path[..<slash]), mode: 0o750) }
        let new = path + ".new"
        guard let file = fopen(new, "we") else { throw SystemError("write \(new)") }
        let isWritten = fputs("\(position.term) \(position.last)\n", file) >= 0
        guard fclose(file) == 0, isWritten, rename(new, path) == 0 else { throw SystemError("write \(path)") }
    }
}
