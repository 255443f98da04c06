// What the daemons share: what a daemon gives to get its commands: start, stop, restart, reload, status, run and check.

public import ArgumentParser
public import Glibc

/// A daemon. `Service.main()` is all that its program does.
public protocol Service {
    /// The program's name, as in messages, the log and `--help`: `fail2ban-monitor`.
    static var programName: String { get }
    /// One line for `--help`.
    static var abstract: String { get }
    /// Its section of the configuration; without it the daemon does not run on this host.
    static var section: Configuration.Section { get }
    /// Subcommands of its own. One that has the name of a common subcommand replaces it.
    static var subcommands: [any ParsableCommand.Type] { get }

    /// What is wrong or odd on this host, beyond the configuration's own grammar: a log that cannot be read, keys that are missing.
    ///
    /// `check` prints it, and `start` and `run` print and log it and stop on a ``Finding/Severity/problem``. It changes nothing,
    /// and takes at most a few seconds. The configuration has the service's section.
    static func check(_ configuration: Configuration) -> [Finding]

    /// What `status` adds of a daemon that runs; `nil` for nothing. It runs in the command's process, not in the daemon's.
    static func detail(_ configuration: Configuration) throws -> String?

    /// The daemon itself, on the main thread: one loop that polls `lifecycle.signals` too, calls `lifecycle.ready()` as soon as it
    /// does its work, and returns when it has drained after ``SignalDescriptor/Signal/terminate``.
    ///
    /// - Throws: what ends the daemon; it is logged and printed. An ``ExitError`` chooses the exit status.
    static func run(_ configuration: Configuration, _ lifecycle: Lifecycle) throws
}

extension Service {
    public static var subcommands: [any ParsableCommand.Type] { [] }
    public static func check(_ configuration: Configuration) -> [Finding] { [] }
    public static func detail(_ configuration: Configuration) throws -> String? { nil }

    /// For subcommands that change how the daemon works: tells it to read its configuration again, and waits until it works so.
    ///
    /// - Parameter isDone: asked again and again, with the daemon's process, until it says yes.
    /// - Returns: its process; `nil` when none runs.
    /// - Throws: when it ends, or takes longer than a start may.
    public static func reloadAndWait(_ configuration: Configuration, until isDone: (pid_t) throws -> Bool) throws -> pid_t? {
        try DaemonControl(Self.self, configuration).reload(upTo: DaemonControl.startLimit, until: isDone)
    }

    /// The whole program: reads the command line, does what it says, and ends the process.
    public static func main() {
        StandardStreams.open()
        DaemonCommand<Self>.main()
    }
}

/// Something that `check` found.
public struct Finding: Hashable, Sendable, CustomStringConvertible {
    public enum Severity: String, Sendable {
        /// The daemon cannot start.
        case problem
        /// It starts, and something will not work.
        case warning
        /// Good to know.
        case note
    }

    public let severity: Severity
    /// A sentence.
    public let text: String
    /// What the operator can do about it.
    public let hint: String?
    /// How the program ends on a problem.
    public let exitStatus: ExitStatus

    public init(_ severity: Severity, _ text: String, hint: String? = nil, exitStatus: ExitStatus = .failed) {
        self.severity = severity
        self.text = text
        self.hint = hint
        self.exitStatus = exitStatus
    }

    /// An error that `check` met, as a problem.
    public init(_ error: any ExitError) { self.init(.problem, error.description, exitStatus: error.exitStatus) }

    /// The text with its hint.
    public var sentence: String { hint.map { "\(text). \($0)" } ?? text }

    public var description: String { "\(severity.rawValue): \(sentence)" }
}
