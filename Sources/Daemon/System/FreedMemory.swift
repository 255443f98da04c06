// What the daemons share: what becomes of memory that isn't used any more.

import CLinux

/// The C library's heap, mallopt(3).
enum FreedMemory {
    /// Allocations that are as large have pages of their own, and the end of the heap that is free goes back when it is as large. 1 MiB:
    /// what is made and freed in each turn of a loop stays below.
    private static let large: Int32 = 1 << 20

    /// Has the system get back what a burst needed. Left to itself, the C library takes both limits up to 64 MiB with the largest table
    /// that it ever freed, and keeps so much: a subscriber of 125,000 bans then needs 41 MB in place of 15.
    ///
    /// To be called before there are other threads. Whatever mallopt(3) doesn't take is only memory.
    static func giveBack() {
        _ = mallopt(M_MMAP_THRESHOLD, large)
        _ = mallopt(M_TRIM_THRESHOLD, large)
    }
}
