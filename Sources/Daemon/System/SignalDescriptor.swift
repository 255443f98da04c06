// What the daemons share: signals as something that a poll loop waits for, instead of handlers that interrupt it.

import CLinux
import Glibc

/// The signals that tell a daemon something, as a descriptor: signalfd(2).
///
/// They are blocked for the whole process, so make it before any thread starts; threads inherit what is blocked. Children inherit
/// it too, unless who starts them unblocks the signals (POSIX_SPAWN_SETSIGMASK).
public struct SignalDescriptor: ~Copyable {
    public enum Signal: Sendable {
        /// SIGTERM or SIGINT: drain and end.
        case terminate
        /// SIGHUP: read the configuration again.
        case reload
    }

    private let owned: OwnedDescriptor

    /// Blocks SIGTERM, SIGINT and SIGHUP for this thread and those it starts.
    public init() throws(SystemError) {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
        let code = pthread_sigmask(SIG_BLOCK, &signals, nil)
        guard code == 0 else { throw SystemError("block signals", code: code) }
        guard let descriptor = OwnedDescriptor(signalfd(-1, &signals, Int32(SFD_CLOEXEC | SFD_NONBLOCK))) else {
            throw SystemError("make a descriptor of signals")
        }
        owned = descriptor
    }

    /// Readable when a signal waits.
    public var descriptor: Int32 { owned.number }

    /// Takes a waiting signal; `nil` when none waits.
    public borrowing func next() -> Signal? {
        var information = signalfd_siginfo()
        var count = 0
        repeat { count = read(owned.number, &information, MemoryLayout<signalfd_siginfo>.size) } while count < 0 && errno == EINTR
        guard count == MemoryLayout<signalfd_siginfo>.size else { return nil }
        return Int32(bitPattern: information.ssi_signo) == SIGHUP ? .reload : .terminate
    }
}
