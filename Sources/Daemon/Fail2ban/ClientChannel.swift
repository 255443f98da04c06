// What the daemons share: fail2ban-client as a child that stays, one command in, one answer out.

import ZeroMQ

/// A running `fail2ban-client -i`: it prints a prompt when it waits for a command, and its answer before the next prompt.
///
/// It is started once, because each start takes 60 ms and a command 0.4 ms; it makes a new connection to fail2ban for each command, so it
/// outlives any number of restarts of fail2ban. It ends when this process does, since its input is closed then.
public struct ClientChannel: ~Copyable {
    public enum Arrival: Hashable, Sendable {
        case nothing
        /// The answer's text, without the prompt.
        case answer([UInt8])
        /// The program is gone, and the last it said.
        case ended(String)
    }

    /// What the client prints when it waits (fail2ban/client/fail2banclient.py, input_command), at the start of a line.
    private static let prompt = Array("fail2ban> ".utf8)
    /// Bytes of an answer that are kept: the list of a million bans with their ends has half of it.
    private static let mostBytes = 128 * 1024 * 1024
    /// Bytes read in one turn of the loop.
    private static let mostBytesPerTurn = 1024 * 1024

    private var child: ChildProcess
    private var received: [UInt8] = []
    /// A command that waits for the first prompt.
    private var waiting: [UInt8]?
    private var hasPrompt = false

    /// - Parameter command: The command with its arguments, to which `-i` is added.
    public init(_ command: [String]) throws(SystemError) { child = try ChildProcess(command + ["-i"], input: true) }

    /// Readable when ``receive()`` has something.
    public var descriptor: Int32 { child.outputDescriptor }

    /// Sends one command. The one before must have been answered.
    ///
    /// - Parameter line: At most 4095 bytes, without a newline.
    public mutating func send(_ line: String) {
        let bytes = Array(line.utf8) + [UInt8(ascii: "\n")]
        if hasPrompt { write(bytes) } else { waiting = bytes }
    }

    /// Sends a command and waits for its answer, for a program that does nothing else meanwhile.
    ///
    /// - Returns: `nothing` when the deadline came first.
    public mutating func ask(_ line: String, by deadline: ContinuousClock.Instant) throws(ZeroMQError) -> Arrival {
        send(line)
        var polled = PollSet()
        while ContinuousClock.now < deadline {
            let arrival = receive()
            guard arrival == .nothing else { return arrival }
            polled.removeAll()
            polled.add(descriptor: descriptor)
            try polled.wait(until: deadline)
        }
        return .nothing
    }

    /// Takes what the client has printed.
    public mutating func receive() -> Arrival {
        let reading = child.read(into: &received, limit: ClientChannel.mostBytesPerTurn)
        if endsInPrompt {
            let answer = Array(received.dropLast(ClientChannel.prompt.count))
            received = []
            let isBanner = !hasPrompt
            hasPrompt = true
            guard isBanner else { return .answer(answer) }
            if let line = waiting.take() { write(line) }
            return .nothing
        }
        if reading == .closed { return .ended(lastWords) }
        if received.count > ClientChannel.mostBytes { return .ended("its answer has more than \(ClientChannel.mostBytes) bytes") }
        return .nothing
    }

    /// A client that does not take a command has ended or hangs: its output, or the command's timeout, will tell.
    private func write(_ bytes: [UInt8]) { _ = child.write(bytes) }

    private var endsInPrompt: Bool {
        guard received.count >= ClientChannel.prompt.count, received.suffix(ClientChannel.prompt.count).elementsEqual(ClientChannel.prompt)
        else { return false }
        return received.dropLast(ClientChannel.prompt.count).last.map { $0 == UInt8(ascii: "\n") } ?? true
    }

    private var lastWords: String {
        let line = received.split(separator: UInt8(ascii: "\n")).last.map { brief($0) } ?? ""
        return line.isEmpty ? "it ended without a word" : line
    }
}
