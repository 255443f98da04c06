// What the daemons share: the pid file, whose lock and not whose contents says whether a daemon runs, and as which process.

import Glibc

/// A pid file that this process holds: locked (fcntl(2), F_SETLK) as long as the daemon lives, and removed at its end.
///
/// The kernel drops the lock with the process, however it ends, so a stale file, or one that names another process, is no obstacle.
/// It drops it as well when this process closes any other descriptor of the file: only commands may call ``holder(of:)``.
public struct PidFile: ~Copyable {
    public let path: String
    private let file: OwnedDescriptor

    /// Who holds a pid file.
    public enum Holder: Equatable, Sendable {
        case nobody
        case process(pid_t)
        /// Someone in a PID namespace that cannot be seen from here.
        case unseen
    }

    /// Locks the file and writes this process's id into it. Its folder is created when it is missing.
    public init(path: String) throws(PidFileError) {
        try PidFile.createFolder(of: path)
        // A file that is removed between open and lock is no longer the pid file: its owner was about to end. Each round needs
        // another daemon that ends in just that moment, so a few rounds are enough.
        for _ in 0..<8 {
            guard let file = OwnedDescriptor(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o644)) else {
                throw PidFileError(path, .system(SystemError("open the pid file \(path)")))
            }
            try PidFile.refuseOtherFiles(file, path)
            var lock = PidFile.wholeFile(F_WRLCK)
            guard fcntl(file.number, F_SETLK, &lock) == 0 else {
                guard errno == EACCES || errno == EAGAIN else {
                    throw PidFileError(path, .system(SystemError("lock the pid file \(path)")))
                }
                switch PidFile.holder(of: file) {
                case .nobody:
                    // Whoever may read a file may lock it against writers. A daemon that was killed leaves one; the next one needs not
                    // share it.
                    if PidFile.isLockedByReaders(file), PidFile.isStillNamed(path, file) { unlink(path) }
                    continue
                case let holder: throw PidFileError(path, .held(holder))
                }
            }
            guard PidFile.isStillNamed(path, file) else { continue }
            let text = Array("\(getpid())\n".utf8)
            guard ftruncate(file.number, 0) == 0, pwrite(file.number, text, text.count, 0) == text.count else {
                throw PidFileError(path, .system(SystemError("write the pid file \(path)")))
            }
            // Anyone may ask for the status, whatever umask says.
            fchmod(file.number, 0o644)
            self.path = path
            self.file = file
            return
        }
        throw PidFileError(path, .system(SystemError("lock the pid file \(path), which others take and leave", code: EAGAIN)))
    }

    deinit {
        // Before the lock goes: whoever locks it next must find it gone.
        if PidFile.isStillNamed(path, file) { unlink(path) }
    }

    /// Who holds the lock of a pid file, by the kernel's word. Never call it in the process that holds it.
    public static func holder(of path: String) throws(PidFileError) -> Holder {
        guard let file = OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) else {
            if errno == ENOENT || errno == ENOTDIR { return .nobody }
            throw PidFileError(path, .system(SystemError("open the pid file \(path)")))
        }
        return holder(of: file)
    }

    /// A daemon's lock is a writer's; a reader's, which anyone may hold, is none.
    private static func holder(of file: borrowing OwnedDescriptor) -> Holder {
        var lock = wholeFile(F_RDLCK)
        guard fcntl(file.number, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK) else { return .nobody }
        return lock.l_pid > 0 ? .process(lock.l_pid) : .unseen
    }

    private static func isLockedByReaders(_ file: borrowing OwnedDescriptor) -> Bool {
        var lock = wholeFile(F_WRLCK)
        return fcntl(file.number, F_GETLK, &lock) == 0 && lock.l_type == Int16(F_RDLCK)
    }

    private static func wholeFile(_ type: Int32) -> flock {
        var lock = flock()
        lock.l_type = Int16(type)
        lock.l_whence = Int16(SEEK_SET)
        return lock
    }

    private static func isStillNamed(_ path: String, _ file: borrowing OwnedDescriptor) -> Bool {
        var named = stat()
        var opened = stat()
        return lstat(path, &named) == 0 && fstat(file.number, &opened) == 0 && named.st_ino == opened.st_ino
            && named.st_dev == opened.st_dev
    }

    /// A pidfile key that names some other file by mistake must not cost that file.
    private static func refuseOtherFiles(_ file: borrowing OwnedDescriptor, _ path: String) throws(PidFileError) {
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw PidFileError(path, .system(SystemError("read the pid file \(path)"))) }
        var bytes: InlineArray<32, UInt8> = .init(repeating: 0)
        var span = bytes.mutableSpan
        let count = span.withUnsafeMutableBytes { pread(file.number, $0.baseAddress, $0.count, 0) }
        let isNumber = (0..<max(0, count)).allSatisfy { (0x30...0x39).contains(bytes[$0]) || bytes[$0] == 0x20 || bytes[$0] == 0x0a }
        guard status.st_mode & S_IFMT == S_IFREG, (0..<bytes.count).contains(count), isNumber else { throw PidFileError(path, .notPidFile) }
    }

    private static func createFolder(of path: String) throws(PidFileError) {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
        do {
            try createFolders(String(path[..<slash]), mode: 0o755)
        } catch {
            throw PidFileError(path, .system(error))
        }
    }
}

/// Why a pid file cannot be had.
public struct PidFileError: ExitError, Equatable {
    public enum Reason: Equatable, Sendable {
        case held(PidFile.Holder)
        /// The file has something else in it than a process id.
        case notPidFile
        case system(SystemError)
    }

    public let path: String
    public let reason: Reason

    init(_ path: String, _ reason: Reason) {
        self.path = path
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .held(.process(let pid)): "already runs as process \(pid), which holds \(path); end that one first"
        case .held: "already runs in another PID namespace, by the lock on \(path); stop it there, or set another pidfile"
        case .notPidFile: "\(path) is no pid file: it is not a file with a number in it; change pidfile, or move the file away"
        case .system(let error) where error.exitStatus == .permission:
            "\(error). Run it as the user who may, or set pidfile to a folder of this user's"
        case .system(let error): error.description
        }
    }

    public var exitStatus: ExitStatus {
        switch reason {
        case .held: .failed
        case .notPidFile: .configuration
        case .system(let error): error.exitStatus
        }
    }
}
