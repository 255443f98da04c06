// What the daemons share: another process by a descriptor, so that a number used again can never be meant.

import CLinux
import Glibc

/// A process: pidfd_open(2). It stays that process, whatever happens to its number.
public struct ProcessDescriptor: ~Copyable {
    public let pid: pid_t
    private let owned: OwnedDescriptor

    /// - Throws: ``SystemError``; ESRCH when there is no such process.
    public init(_ pid: pid_t) throws(SystemError) {
        guard let descriptor = OwnedDescriptor(pidfd_open(pid, 0)) else { throw SystemError("open process \(pid)") }
        self.pid = pid
        owned = descriptor
    }

    /// As ``init(_:)``, with `nil` for a process that has ended.
    static func find(_ pid: pid_t) throws(SystemError) -> ProcessDescriptor? {
        guard let descriptor = OwnedDescriptor(pidfd_open(pid, 0)) else {
            if errno == ESRCH { return nil }
            throw SystemError("open process \(pid)")
        }
        return ProcessDescriptor(pid: pid, owned: descriptor)
    }

    private init(pid: pid_t, owned: consuming OwnedDescriptor) {
        self.pid = pid
        self.owned = owned
    }

    /// Readable when the process has ended.
    public var descriptor: Int32 { owned.number }

    /// Sends a signal; a process that has ended meanwhile is no error.
    public borrowing func send(_ signal: Int32) throws(SystemError) {
        guard pidfd_send_signal(owned.number, signal, nil, 0) < 0, errno != ESRCH else { return }
        throw SystemError("send a signal to process \(pid)")
    }

    /// Waits until the process has ended.
    ///
    /// - Returns: whether it has, within `limit`.
    public borrowing func awaitEnd(upTo limit: Duration) -> Bool {
        var waited = [pollfd(fd: owned.number, events: Int16(POLLIN), revents: 0)]
        return awaitReadable(&waited, until: .now + limit)
    }
}

/// poll(2) until a descriptor is readable, at end of file, or in error; signals do not shorten it.
///
/// - Returns: whether one is; `false` at the deadline.
func awaitReadable(_ descriptors: inout [pollfd], until deadline: ContinuousClock.Instant) -> Bool {
    while true {
        let (seconds, attoseconds) = max(.zero, deadline - .now).components
        // Rounded up, so that the last look is not before the deadline; at most a day, so that it fits.
        let milliseconds = min(seconds, 86_400) * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        let ready = poll(&descriptors, nfds_t(descriptors.count), Int32(milliseconds))
        if ready > 0 { return true }
        if ready == 0, ContinuousClock.now >= deadline { return false }
        // EINTR, or a day has passed. Nothing else can go wrong with valid descriptors.
    }
}
