// Stage 1, log line -> event: wakes the loop when the log or a folder on the way to it changes.

import Glibc

/// Owns an inotify descriptor. What an event says is not relied on: an event only means "look again", so that events which the
/// kernel merges or drops (a full queue) lose nothing.
struct Inotify: ~Copyable {
    /// Readable when something has changed; level-triggered until ``drain()``.
    let descriptor: Int32

    /// Growth of a file, and its being moved or unlinked (`IN_ATTRIB` is the only sign of an unlink while it is open).
    static let file = UInt32(IN_MODIFY) | UInt32(IN_ATTRIB) | UInt32(IN_MOVE_SELF) | UInt32(IN_DELETE_SELF)
    /// Names that come, go or become readable in a folder, and the folder's own end.
    static let folder =
        UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM) | UInt32(IN_DELETE) | UInt32(IN_ATTRIB) | UInt32(IN_DELETE_SELF)
        | UInt32(IN_MOVE_SELF) | UInt32(IN_ONLYDIR)

    init() throws(LogTailError) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { throw LogTailError("inotify", errno) }
    }

    deinit { close(descriptor) }

    /// Watches what `path` names; the same watch again when it is watched already (inotify_add_watch(2)).
    func watch(_ path: String, _ mask: UInt32) throws(LogTailError) -> Int32 {
        let watch = inotify_add_watch(descriptor, path, mask)
        guard watch >= 0 else { throw LogTailError("watch \(path)", errno) }
        return watch
    }

    /// Watches an open file itself, whatever its name is by now.
    func watch(open file: Int32) throws(LogTailError) -> Int32 { try watch("/proc/self/fd/\(file)", Inotify.file) }

    func remove(_ watch: Int32) { inotify_rm_watch(descriptor, watch) }

    /// Takes all events.
    /// - Returns: whether anything but the growth of a file happened.
    func drain() -> Bool {
        var namesChanged = false
        // One event with the longest name is 272 bytes; a burst is read in pages of this size.
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: MemoryLayout<inotify_event>.alignment) { buffer in
            while true {
                let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                var at = 0
                while at + MemoryLayout<inotify_event>.size <= count {
                    let event = buffer.loadUnaligned(fromByteOffset: at, as: inotify_event.self)
                    if event.mask & ~UInt32(IN_MODIFY) != 0 { namesChanged = true }
                    at += MemoryLayout<inotify_event>.size + Int(event.len)
                }
            }
        }
        return namesChanged
    }
}

/// Why the log can't be followed, in the operator's words.
public struct LogTailError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried: `open /var/log/fail2ban.log`.
    public var what: String
    /// An errno.
    public var code: Int32

    init(_ what: String, _ code: Int32) {
        self.what = what
        self.code = code
    }

    public var description: String { "\(what): \(String(cString: strerror(code)))" + (hint.map { "; \($0)" } ?? "") }

    /// What the operator can do about it.
    public var hint: String? {
        switch code {
        case EACCES, EPERM: "run the monitor as root or with CAP_DAC_READ_SEARCH, or let its group read the log (usermod -aG adm)"
        case ENOENT, ENOTDIR: "it is awaited; fail2banlogpath must be fail2ban's logtarget (fail2ban-client get logtarget)"
        case EMFILE: "raise fs.inotify.max_user_instances or the limit of open files"
        case ENOSPC: "raise fs.inotify.max_user_watches"
        case EINVAL, EISDIR, ENXIO: "fail2banlogpath must be a regular file"
        default: nil
        }
    }
}
