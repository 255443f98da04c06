// What the daemons share: how a program ends, and what an error must say so that the program can end so.

import Glibc
public import ZeroMQ

/// The exit status of every program of this package. 64, 77 and 78 are those of sysexits(3).
public enum ExitStatus: Int32, Sendable {
    case done = 0
    case failed = 1
    /// `status` and `reload` say so of a daemon that does not run, as the Linux Standard Base has it for `status`.
    case notRunning = 3
    /// The command line is wrong. ArgumentParser ends with the same number.
    case usage = 64
    /// The user who runs the program lacks a permission.
    case permission = 77
    /// The configuration is wrong, or has no section for the daemon.
    case configuration = 78
}

/// An error that knows how the program ends when nobody handles it. Any other error ends it with ``ExitStatus/failed``.
///
/// Its description is a sentence for the operator: what happened, to what, and what to do.
public protocol ExitError: Error, CustomStringConvertible {
    var exitStatus: ExitStatus { get }
}

extension ZeroMQError: ExitError {
    /// ``ExitStatus/permission`` for a port that this user may not have.
    public var exitStatus: ExitStatus { code == EACCES ? .permission : .failed }
}

/// An error of a service that has no type of its own: a sentence and its remedy.
public struct ServiceError: ExitError, Equatable {
    public let message: String
    /// What the operator can do about it.
    public let hint: String?
    public let exitStatus: ExitStatus

    public init(_ message: String, hint: String? = nil, exitStatus: ExitStatus = .failed) {
        self.message = message
        self.hint = hint
        self.exitStatus = exitStatus
    }

    public var description: String { hint.map { "\(message). \($0)" } ?? message }
}
