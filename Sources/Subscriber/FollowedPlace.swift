// Stage 3, reception: the publisher's place that this host followed last, kept across starts.

import Daemon
import Wire

/// A file with one line: the term and the number up to which everything was applied.
///
/// After a start the subscriber wants all bans anyway; the place tells the publisher, and so this host, whether what fail2ban still bans
/// and the publisher doesn't know is over for certain. Losing the file costs ten minutes of doubt and nothing else.
struct FollowedPlace {
    private let file: StateFile

    init(path: String) { file = StateFile(path: path, longest: 64) }

    /// `nil` when there is no such file, or it says something else.
    func read() -> CatchUp.Position? {
        let words = try? file.read()?.split(separator: "\n").first?.split(separator: " ")
        guard let words, words.count == 2, let term = Term(String(words[0])), let last = UInt64(words[1]), last <= UInt64(Int64.max)
        else { return nil }
        return CatchUp.Position(term: term, last: last)
    }

    /// Replaces the file as a whole, and makes its folder when it is missing.
    func write(_ position: CatchUp.Position) throws(SystemError) { try file.replace("\(position.term) \(position.last)\n") }
}
