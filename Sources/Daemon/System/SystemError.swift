// What the daemons share: a system call that failed, as an error with a sentence.

import Glibc

/// A system call failed: what was tried, and its errno.
public struct SystemError: ExitError, Equatable {
    /// What was tried, as it reads after "cannot": `open /run/x.pid`.
    public let attempt: String
    /// errno(3).
    public let code: Int32

    /// - Parameter code: the errno of the call; by default that of the last call on this thread.
    public init(_ attempt: String, code: Int32 = errno) {
        self.attempt = attempt
        self.code = code
    }

    public var description: String { "cannot \(attempt): \(SystemError.text(of: code))" }

    /// ``ExitStatus/permission`` for EACCES and EPERM.
    public var exitStatus: ExitStatus { code == EACCES || code == EPERM ? .permission : .failed }

    /// The system's words for an errno: `No such file or directory`.
    public static func text(of code: Int32) -> String {
        strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }
}
