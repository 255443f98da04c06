// Stage 3, enforcement: the operator's own command as an argument vector, never through a shell.

import Daemon
import Wire

/// The command of `execcommand` with its tags.
///
/// In each word behind the program, these are replaced: `<action>` by `Ban` or `Unban`, `<address>` by the canonical address or prefix,
/// `<host>` and `<jail>` by where the ban was found, `<end>` by the Unix time in seconds at which the ban ends by the publisher's clock,
/// and `<seconds>` by the whole seconds until then, rounded up, 0 for a ban without an end and for an Unban. What is not known is `-`:
/// host, jail and end of an Unban because the ban's time came. A command without any tag gets the action and the address as two more
/// arguments.
struct ExecCommand: Hashable, Sendable {
    /// What is told about one address.
    struct Subject: Hashable, Sendable {
        var action: Event.Action
        var address: Address
        /// The announcement, if there is one.
        var announcement: Event?
        /// How long the ban lasts from now; `nil` without an end.
        var remaining: Duration?
    }

    enum Tag: String, CaseIterable, Sendable {
        case action, address, host, jail, end, seconds

        var text: String { "<\(rawValue)>" }
    }

    private let words: [String]
    private let addsArguments: Bool

    /// - Parameter words: The program's full path and its arguments.
    init(_ words: [String]) {
        self.words = words
        addsArguments = !words.dropFirst().contains { word in Tag.allCases.contains { word.contains($0.text) } }
    }

    /// The program and its arguments about `subject`.
    func arguments(for subject: Subject) -> [String] {
        guard let program = words.first else { return [] }
        let rest = words.dropFirst().map { word in
            // Tags are replaced one after the other; no value holds a `<`, so none can bring in a tag.
            Tag.allCases.reduce(word) { $0.replacing($1.text, with: ExecCommand.value(of: $1, subject)) }
        }
        return [program] + rest + (addsArguments ? [subject.action.rawValue, subject.address.description] : [])
    }

    /// What looks like a tag and is none, such as `<adress>`; it is passed on as it is.
    var unknownTags: [String] {
        words.dropFirst().flatMap { word in
            word.split(separator: "<", omittingEmptySubsequences: false).dropFirst().compactMap { rest in
                guard let end = rest.firstIndex(of: ">"), end > rest.startIndex, Tag(rawValue: String(rest[..<end])) == nil,
                    rest[..<end].utf8.allSatisfy({ (0x61...0x7a).contains($0) })
                else { return nil }
                return "<\(rest[...end])"
            }
        }
    }

    private static func value(of tag: Tag, _ subject: Subject) -> String {
        switch tag {
        case .action: subject.action.rawValue
        case .address: subject.address.description
        case .host: subject.announcement?.host.description ?? "-"
        case .jail: subject.announcement?.jail.description ?? "-"
        case .end:
            switch subject.announcement?.end {
            case .at(let time): String(time.milliseconds / 1000)
            case .permanent: "*"
            case .unknown, nil: "-"
            }
        case .seconds: subject.remaining.map { String(max(1, ($0.milliseconds + 999) / 1000)) } ?? "0"
        }
    }
}
