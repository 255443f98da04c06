// Stage 3, enforcement: transactions as the kernel carries them out. Called on a thread beside the loop.

import CNetfilter
import Daemon
import Glibc

/// Carries out transactions. What it is told is done, or refused as a whole, when it returns.
final class NftablesWriter: Sendable {
    private let socket: NetlinkSocket

    /// Room for the longest transaction with all that the kernel counts on top, and for the refusal of each of its messages.
    private static let room: Int32 = 8 << 20

    init() throws(SystemError) {
        socket = try NetlinkSocket()
        try socket.reserve(sending: NftablesWriter.room, receiving: NftablesWriter.room)
    }

    /// By which the kernel names this one's changes to those who follow them.
    var port: UInt32 { socket.port }

    /// - Throws: the first thing that the kernel refused; then nothing of it was done.
    func perform(_ write: NftablesWrite) throws(SystemError) {
        var messages = NetlinkMessages()
        write.append(to: &messages, now: .now)
        // What an earlier transaction left, which nobody waited for.
        _ = try answers()
        try socket.send(messages.bytes)
        let answers = try answers()
        if let refusal = answers.first(where: { $0 != 0 }) { throw SystemError("change nftables", code: refusal) }
        guard !answers.isEmpty else { throw SystemError("hear what nftables did", code: ENOBUFS) }
    }

    /// The answers that are there. The kernel gives one for each message that it refuses, and for the one that asks for it.
    private func answers() throws(SystemError) -> [Int32] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: NetlinkSocket.longestPart, alignment: Int(MNL_ALIGNTO))
        defer { buffer.deallocate() }
        var answers: [Int32] = []
        while let count = try socket.receive(into: buffer) {
            for message in NetlinkMessageSequence(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
                if let code = message.acknowledged { answers.append(code) }
            }
        }
        return answers
    }
}
