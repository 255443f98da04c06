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
    private let manager: ServiceManager

    /// Blocks SIGTERM, SIGINT, SIGHUP and SIGALRM for this thread and those it starts.
    public init() throws(SystemError) { try self.init(for: ServiceManager(socket: nil)) }

    /// - Parameter manager: is told that the loop is alive whenever it takes SIGALRM.
    init(for manager: ServiceManager) throws(SystemError) {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGALRM] { sigaddset(&signals, signal) }
        let code = pthread_sigmask(SIG_BLOCK, &signals, nil)
        guard code == 0 else { throw SystemError("block signals", code: code) }
        guard let descriptor = OwnedDescriptor(signalfd(-1, &signals, Int32(SFD_CLOEXEC | SFD_NONBLOCK))) else {
            throw SystemError("make a descriptor of signals")
        }
        owned = descriptor
        self.manager = manager
    }

    /// Readable when a signal waits.
    public var descriptor: Int32 { owned.number }

    /// Takes a waiting signal; `nil` when none waits.
    public borrowing func next() -> Signal? {
        var information = signalfd_siginfo()
        while true {
            let count = read(owned.number, &information, MemoryLayout<signalfd_siginfo>.size)
            if count < 0, errno == EINTR { continue }
            guard count == MemoryLayout<signalfd_siginfo>.size else { return nil }
            switch Int32(bitPattern: information.ssi_signo) {
            case SIGALRM: manager.alive()
            case SIGHUP: return .reload
            default: return .terminate
            }
        }
    }
}
