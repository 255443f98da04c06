// What the daemons share: what is wrong with a configuration, said with file, line, key and the allowed values.

/// A line of a configuration file.
public struct Place: Hashable, Sendable, CustomStringConvertible {
    public let file: String
    /// Counted from 1.
    public let line: Int

    public init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    public var description: String { "\(file):\(line)" }
}

/// One thing that is wrong, or (as a warning) odd, in a configuration.
public struct ConfigurationProblem: Hashable, Sendable, CustomStringConvertible {
    /// Where; `nil` when something is missing, so that no line can be named.
    public let place: Place?
    /// The section and key it is about, as `[publisher] quorum`.
    public let subject: String?
    /// What is wrong.
    public let text: String
    /// The values that would be right: `a whole number from 1 to 1000`.
    public let allowed: String?
    /// What to do, when the allowed values do not say it.
    public let hint: String?

    public init(at place: Place? = nil, subject: String? = nil, _ text: String, allowed: String? = nil, hint: String? = nil) {
        self.place = place
        self.subject = subject
        self.text = text
        self.allowed = allowed
        self.hint = hint
    }

    public var description: String {
        var line = place.map { "\($0): " } ?? ""
        line += subject.map { "\($0): " } ?? ""
        line += text
        line += allowed.map { "; allowed: \($0)" } ?? ""
        line += hint.map { "; \($0)" } ?? ""
        return line
    }
}

/// A configuration that cannot be used: everything that is wrong with it, not only the first thing.
public struct ConfigurationError: ExitError, Equatable {
    public let problems: [ConfigurationProblem]
    public let exitStatus: ExitStatus

    public init(_ problems: [ConfigurationProblem], exitStatus: ExitStatus = .configuration) {
        self.problems = problems
        self.exitStatus = exitStatus
    }

    /// Problems that are shown. A file that is something else altogether has one in each of its lines.
    static let mostShown = 20
    /// Characters of a problem that are shown: more than any value that makes sense.
    static let longestShown = 1000

    /// One problem a line.
    public var description: String {
        let shown = problems.prefix(Self.mostShown).map { problem in
            let text = problem.description
            return text.utf8.count > Self.longestShown ? text.prefix(Self.longestShown) + "…" : text
        }
        let rest = problems.count - shown.count
        return (shown + (rest > 0 ? ["and \(rest) more problems"] : [])).joined(separator: "\n")
    }
}
