// Fuzzing: how the bytes of one input become several, and a file for a parser that reads one.

import Glibc

extension [UInt8] {
    /// What stands between the frames of a message: a control character that no text may hold.
    static let frameSeparator: UInt8 = 0x1e
    /// What stands between messages.
    static let messageSeparator: UInt8 = 0x1d

    /// Messages of frames.
    var messages: [[[UInt8]]] {
        split(separator: Self.messageSeparator, omittingEmptySubsequences: false).map { message in
            message.split(separator: Self.frameSeparator, omittingEmptySubsequences: false).map { Array($0) }
        }
    }

    /// The bytes as text for a finding.
    var text: String { String(decoding: self, as: UTF8.self) }
}

/// A file that is nowhere but in memory, under a path that opens it anew for as long as the value lives.
struct MemoryFile: ~Copyable {
    let descriptor: Int32

    /// - Parameter mode: who may read and write it.
    init(_ bytes: [UInt8], mode: mode_t = 0o600) throws(Finding) {
        var template = Array("/dev/shm/fail2ban-cluster-fuzz-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        guard descriptor >= 0, unlink(template) == 0, fchmod(descriptor, mode) == 0, write(descriptor, bytes, bytes.count) == bytes.count
        else {
            throw Finding("no file in memory: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    var path: String { "/proc/self/fd/\(descriptor)" }
}
