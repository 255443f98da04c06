// What the daemons share: a small file in statedir that is replaced as a whole, so that a kill leaves the old or the new one.

import Glibc

/// A file of a daemon's own.
public struct StateFile: Sendable {
    public let path: String
    private let longest: Int
    private let mode: mode_t

    /// - Parameters:
    ///   - longest: bytes that it may have.
    ///   - mode: who may use it, the daemon's user and group if nothing else is said.
    public init(path: String, longest: Int = 64 << 20, mode: mode_t = 0o640) {
        self.path = path
        self.longest = longest
        self.mode = mode
    }

    /// The text; `nil` when there is no such file.
    /// - Throws: when it can't be read, or is longer than it may be.
    public func read() throws(SystemError) -> String? { try readBytes().map { String(decoding: $0, as: UTF8.self) } }

    /// The same as it is on disk.
    public func readBytes() throws(SystemError) -> [UInt8]? {
        do throws(SystemError) {
            return try readFile(path, atMost: longest)
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
    }

    /// Puts this text in place of what is there: written and synced beside it, then renamed (rename(2) is atomic). Its
    /// folder is made when it is missing.
    public func replace(_ text: String) throws(SystemError) { try replace(Array(text.utf8)) }

    /// The same with any bytes.
    public func replace(_ bytes: [UInt8]) throws(SystemError) {
        if let slash = path.lastIndex(of: "/") { try createFolders(String(path[..<slash]), mode: 0o750) }
        let new = path + ".new"
        guard let file = OwnedDescriptor(open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)) else {
            throw SystemError("write \(new)")
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file.number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError("write \(new)") }
            rest = rest.dropFirst(count)
        }
        // A name that is on disk before its contents is an empty file after a power failure.
        guard fdatasync(file.number) == 0, rename(new, path) == 0 else { throw SystemError("replace \(path)") }
    }
}
