// What the daemons share: one open file descriptor and its one owner.

import Glibc

/// A file descriptor that is closed when its owner ends.
public struct OwnedDescriptor: ~Copyable, Sendable {
    public let number: Int32

    /// Takes over what open(2) or the like returned; `nil` for -1, with errno untouched.
    public init?(_ number: Int32) {
        guard number >= 0 else { return nil }
        self.number = number
    }

    deinit { close(number) }

    /// Gives the number away: who takes it closes it.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}
