// What the daemons share: a child process whose input and output are pipes that the loop polls.

import Glibc

/// A running program: its one owner reads it, ends it and takes its exit status. It never blocks, but for the moment that a killed process
/// needs to end.
///
/// posix_spawn(3) and not swift-subprocess: the loop must poll the pipes of a child that stays, beside its ZeroMQ socket and on the same
/// thread, and Subprocess hands output to tasks on threads of its own.
public struct ChildProcess: ~Copyable {
    /// How it ended.
    public enum Ending: Hashable, Sendable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        /// - Parameter status: As waitpid(2) gives it for a process that has ended.
        init(waitStatus status: Int32) {
            // As WIFEXITED, WEXITSTATUS and WTERMSIG, which are macros (wait(2)).
            let signal = status & 0x7f
            self = signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
        }

        public var description: String {
            switch self {
            case .exited(let status): "exited with status \(status)"
            case .killed(let signal): "was ended by signal \(signal)"
            }
        }
    }

    public enum Reading: Hashable, Sendable {
        /// What was there has been read, or as much as was asked for.
        case open
        /// Nobody writes any more.
        case closed
    }

    /// What children get to know of the environment. No locale but C, no terminal: their output is parsed.
    static let environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TERM=dumb", "HOME=/"]

    private let process: ProcessDescriptor
    private let input: OwnedDescriptor?
    private let output: OwnedDescriptor
    private var ending: Ending?

    /// Starts a program in a process group of its own, so that a Ctrl-C for the daemon is not for its children, and ``kill()`` ends theirs.
    ///
    /// - Parameters:
    ///   - arguments: The program, found on this process's PATH unless it has a slash, and its arguments.
    ///   - input: Whether ``write(_:)`` is wanted; without, the child reads an empty input.
    public init(_ arguments: [String], input wantsInput: Bool) throws(SystemError) {
        let outputPipe = try Pipe()
        var inputPipe = wantsInput ? try Pipe() : nil
        let inputEnd: Int32?
        switch inputPipe {
        case .some(let pipe): inputEnd = pipe.read.number
        case .none: inputEnd = nil
        }
        guard let program = arguments.first else { throw SystemError("start a program without a name", code: EINVAL) }
        let outputEnd = outputPipe.write.number
        let pid = try spawn(
            program, arguments, environment: ChildProcess.environment, descriptors: [inputEnd, outputEnd, outputEnd], leaving: .group,
            attempt: "start \(program)")
        do throws(SystemError) {
            process = try ProcessDescriptor(pid)
        } catch {
            endProcess(pid)
            throw error
        }
        output = outputPipe.takeReadingEnd()
        input = inputPipe.take()?.takeWritingEnd()
    }

    deinit { if ending == nil { endProcess(process.pid) } }

    /// Readable when ``read(into:limit:)`` has something to say.
    public var outputDescriptor: Int32 { output.number }
    /// Readable when ``reap()`` has.
    public var endDescriptor: Int32 { process.descriptor }

    /// Writes all of it at once. At most 4096 bytes, and only when what was written before has been read: then a pipe takes it (pipe(7)).
    ///
    /// - Returns: `false` when the child does not read, or has ended.
    public borrowing func write(_ bytes: [UInt8]) -> Bool {
        switch input {
        case .none: return false
        case .some(let input):
            var count = 0
            repeat { count = Glibc.write(input.number, bytes, bytes.count) } while count < 0 && errno == EINTR
            return count == bytes.count
        }
    }

    /// Appends what the child has printed, on standard output and standard error.
    ///
    /// - Parameter limit: The most bytes to read; what is left keeps the descriptor readable.
    public borrowing func read(into bytes: inout [UInt8], limit: Int) -> Reading {
        var rest = limit
        return withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 1) { buffer in
            while rest > 0 {
                let count = Glibc.read(output.number, buffer.baseAddress, min(buffer.count, rest))
                if count > 0 {
                    bytes.append(contentsOf: buffer[..<count])
                    rest -= count
                } else if count == 0 {
                    return .closed
                } else if errno != EINTR {
                    return errno == EAGAIN ? .open : .closed
                }
            }
            return .open
        }
    }

    /// How it ended; `nil` while it runs.
    public mutating func reap() -> Ending? {
        if let ending { return ending }
        var status: Int32 = 0
        guard waitpid(process.pid, &status, WNOHANG) == process.pid else { return nil }
        ending = Ending(waitStatus: status)
        return ending
    }

    /// Ends it and what it started. Its end is seen by ``reap()``.
    public borrowing func kill() { if ending == nil { _ = Glibc.kill(-process.pid, SIGKILL) } }
}

/// Kills a process group and waits until its leader is gone.
private func endProcess(_ pid: pid_t) {
    kill(-pid, SIGKILL)
    reapAtEnd(pid)
}
