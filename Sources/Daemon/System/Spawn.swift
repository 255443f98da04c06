// What the daemons share: how a child process is started, and how its end is read.

import CLinux
import Glibc

/// What a child leaves, so that a signal for its parent is not for it.
enum SpawnScope {
    /// Its parent's process group: it has one of its own.
    case group
    /// Its parent's session, and with it the terminal: it has one of its own.
    case session

    fileprivate var flag: Int32 {
        switch self {
        case .group: POSIX_SPAWN_SETPGROUP
        case .session: Int32(CLINUX_POSIX_SPAWN_SETSID)
        }
    }
}

/// Starts a program by posix_spawn(3), in the folder `/`, so that it keeps no file system busy, and with every signal as it is by default:
/// a daemon's are blocked for its signal descriptor, and a child must be one that a signal ends.
///
/// - Parameters:
///   - program: Found on this process's PATH unless it has a slash.
///   - arguments: With the program's name as the first.
///   - environment: Words `NAME=value`; by default this process's.
///   - descriptors: What becomes descriptors 0, 1 and so on of the child, which has no others; `nil` is an empty input.
///   - attempt: What a failure says.
/// - Returns: The child's process, which the caller must reap.
func spawn(
    _ program: String, _ arguments: [String], environment: [String]? = nil, descriptors: [Int32?], leaving scope: SpawnScope,
    attempt: String
) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
        posix_spawn_file_actions_destroy(&actions)
        posix_spawnattr_destroy(&attributes)
    }
    for (number, descriptor) in zip(Int32(0)..., descriptors) {
        if let descriptor {
            posix_spawn_file_actions_adddup2(&actions, descriptor, number)
        } else {
            posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDONLY, 0)
        }
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, Int32(descriptors.count))
    posix_spawn_file_actions_addchdir_np(&actions, "/")

    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | scope.flag))

    var pid: pid_t = 0
    let code = withStrings(arguments) { words in
        guard let environment else { return posix_spawnp(&pid, program, &actions, &attributes, words, environ) }
        return withStrings(environment) { posix_spawnp(&pid, program, &actions, &attributes, words, $0) }
    }
    guard code == 0 else { throw SystemError(attempt, code: code) }
    return pid
}

/// Calls `body` with the null-terminated array of C strings that exec(3) wants.
private func withStrings<R>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    return body(copies + [nil])
}

/// Waits until a child is gone, and reaps it.
///
/// - Returns: Its wait status, for ``ChildProcess/Ending/init(waitStatus:)``.
@discardableResult
func reapAtEnd(_ pid: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return status
}
