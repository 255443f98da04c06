// What the daemons share: how `start` sends a daemon into the background and learns that it is ready, or why it is not.

import CLinux
import Glibc

/// A daemon that was started in a session of its own, until it is ready or has ended.
struct Launch: ~Copyable {
    enum Outcome: Equatable {
        /// It does its work, as this process.
        case ready(pid_t)
        /// It ended before it was ready, with this exit status; what it said is on standard error.
        case ended(status: Int32)
        case endedBySignal(Int32)
        /// It is still starting after the time limit.
        case late(pid_t)
    }

    private let process: ProcessDescriptor
    private let ready: OwnedDescriptor
    private let output: OwnedDescriptor

    /// Starts this very program with other arguments.
    ///
    /// The child has /dev/null as input, a pipe to this process as output and error, the other end of the ready pipe, and no
    /// other descriptor; no blocked signals, and `/` as its folder, so that it keeps no file system busy.
    init(arguments: [String]) throws(SystemError) {
        let readyPipe = try Pipe()
        let outputPipe = try Pipe()
        process = try ProcessDescriptor(try Launch.spawn(arguments: arguments, output: outputPipe.write, ready: readyPipe.write))
        ready = readyPipe.takeReadingEnd()
        output = outputPipe.takeReadingEnd()
    }

    /// Waits for the outcome, and meanwhile passes on what the daemon says.
    borrowing func awaitOutcome(upTo limit: Duration) -> Outcome {
        let deadline = ContinuousClock.now + limit
        var outputIsOpen = true
        var isReady = false
        while true {
            // poll(2) skips negative descriptors.
            var waited = [ready.number, outputIsOpen ? output.number : -1, process.descriptor].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            guard awaitReadable(&waited, until: deadline) else { return .late(process.pid) }
            if waited[1].revents != 0 { outputIsOpen = passOnOutput() }
            if waited[2].revents != 0 {
                if outputIsOpen { _ = passOnOutput() }
                return exitStatus()
            }
            guard waited[0].revents != 0 else { continue }
            var byte: UInt8 = 0
            if read(ready.number, &byte, 1) == 1 {
                // The pipe's end follows at once: then the daemon has let go of everything that was ours.
                isReady = true
            } else if isReady {
                if outputIsOpen { _ = passOnOutput() }
                return .ready(process.pid)
            } else {
                // The pipe's end without a word: the daemon is ending. Only its end is news.
                _ = process.awaitEnd(upTo: deadline - .now)
            }
        }
    }

    /// Copies what waits in the output pipe to standard error.
    ///
    /// - Returns: whether the daemon can still say something.
    private borrowing func passOnOutput() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(output.number, &buffer, buffer.count)
            guard count > 0 else { return count < 0 && (errno == EAGAIN || errno == EINTR) }
            writeAll(Array(buffer[..<count]), to: 2)
        }
    }

    private borrowing func exitStatus() -> Outcome {
        var status: Int32 = 0
        while waitpid(process.pid, &status, 0) < 0, errno == EINTR {}
        // As WIFEXITED, WEXITSTATUS and WTERMSIG, which are macros (wait(2)).
        let signal = status & 0x7f
        return signal == 0 ? .ended(status: status >> 8 & 0xff) : .endedBySignal(signal)
    }

    private static func spawn(
        arguments: [String], output: borrowing OwnedDescriptor, ready: borrowing OwnedDescriptor
    ) throws(SystemError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output.number, 1)
        posix_spawn_file_actions_adddup2(&actions, output.number, 2)
        posix_spawn_file_actions_adddup2(&actions, ready.number, 3)
        posix_spawn_file_actions_addclosefrom_np(&actions, 4)
        posix_spawn_file_actions_addchdir_np(&actions, "/")

        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | Int32(CLINUX_POSIX_SPAWN_SETSID)))

        setenv(Starter.variable, "3", 1)
        defer { unsetenv(Starter.variable) }
        var pid: pid_t = 0
        var words = arguments.map { strdup($0) }
        defer { words.forEach { free($0) } }
        words.append(nil)
        let code = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, words, environ)
        guard code == 0 else { throw SystemError("start this program again in the background", code: code) }
        return pid
    }
}
