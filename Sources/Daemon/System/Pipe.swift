// What the daemons share: a pipe, whose one end is ours and whose other end is a child's.

import CLinux
import Glibc

/// Both ends of a pipe(7), each with an owner. Children inherit them only where they are told to.
public struct Pipe: ~Copyable {
    public let read: OwnedDescriptor
    public let write: OwnedDescriptor

    public init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0, let read = OwnedDescriptor(ends[0]), let write = OwnedDescriptor(ends[1]) else {
            throw SystemError("make a pipe")
        }
        self.read = read
        self.write = write
    }

    /// Keeps the end to read from, which never blocks, and closes the other: a child has its own copy.
    public consuming func takeReadingEnd() -> OwnedDescriptor {
        _ = fcntl(read.number, F_SETFL, O_NONBLOCK)
        return read
    }

    /// Keeps the end to write to, which never blocks, and closes the other.
    public consuming func takeWritingEnd() -> OwnedDescriptor {
        _ = fcntl(write.number, F_SETFL, O_NONBLOCK)
        return write
    }
}
