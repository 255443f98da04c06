// What the daemons share: a small file in statedir that is replaced as a whole, so that a kill leaves the old or the new one.

import Glibc

/// A file of a daemon's own, of at most ``longest`` bytes.
public struct StateFile: Sendable {
    public static let longest = 64 << 20

    public let path: String

    public init(path: String) { self.path = path }

    /// The text; `nil` when there is no such file.
    /// - Throws: when it can't be read, or is longer than ``longest``.
    public func read() throws(SystemError) -> String? {
        do throws(SystemError) {
            return String(decoding: try readFile(path, atMost: StateFile.longest), as: UTF8.self)
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
    }

    /// Puts this text in place of what is there: written and synced beside it, then renamed (rename(2) is atomic). For the daemon's user and
    /// group alone.
    public func replace(_ text: String) throws(SystemError) {
        let new = path + ".new"
        guard let file = OwnedDescriptor(open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)) else {
            throw SystemError("write \(new)")
        }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file.number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError("write \(new)") }
            rest = rest.dropFirst(count)
        }
        guard fdatasync(file.number) == 0, rename(new, path) == 0 else { throw SystemError("replace \(path)") }
    }
}
