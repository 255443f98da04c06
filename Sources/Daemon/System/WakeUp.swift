// What the daemons share: how another thread wakes a poll loop.

import CLinux
import Glibc

/// Wakes the loop that polls ``descriptor`` from any thread: eventfd(2). Any number of signals before the loop looks are one.
///
/// It says only that there is something to see; what it is stands elsewhere, guarded by its own lock.
public final class WakeUp: Sendable {
    private let owned: OwnedDescriptor

    public init() throws(SystemError) {
        guard let descriptor = OwnedDescriptor(eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))) else {
            throw SystemError("make a descriptor of events")
        }
        owned = descriptor
    }

    /// Readable when it was signalled since the last ``clear()``.
    public var descriptor: Int32 { owned.number }

    /// Never blocks. Fails only when a number near 2^64 of signals waits, and then the loop is awake anyway.
    public func signal() { eventfd_write(owned.number, 1) }

    /// Makes the descriptor quiet again. Do it before looking at what changed, so that no later change goes unseen.
    public func clear() {
        var count: eventfd_t = 0
        eventfd_read(owned.number, &count)
    }
}
