// What the daemons share: how `start` sends a daemon into the background and learns that it is ready, or why it is not.

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
    /// other descriptor.
    init(arguments: [String]) throws(SystemError) {
        let readyPipe = try Pipe()
        let outputPipe = try Pipe()
        let outputEnd = outputPipe.write.number
        setenv(Starter.variable, "3", 1)
        defer { unsetenv(Starter.variable) }
        let pid = try spawn(
            "/proc/self/exe", arguments, descriptors: [nil, outputEnd, outputEnd, readyPipe.write.number], leaving: .session,
            attempt: "start this program again in the background")
        process = try ProcessDescriptor(pid)
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
        switch ChildProcess.Ending(waitStatus: reapAtEnd(process.pid)) {
        case .exited(let status): .ended(status: status)
        case .killed(let signal): .endedBySignal(signal)
        }
    }
}
