// What the daemons share: files that keys stand in, read with care and written whole or not at all.

import Glibc
import Wire
import ZeroMQ

/// A file whose owner alone may change it, and whose contents nobody else may see if it holds a secret.
struct KeyFile {
    enum Kind {
        case secret
        case open

        /// What others may have of it when it is made.
        var mode: mode_t { self == .secret ? 0o600 : 0o644 }
        /// What others may not have of it.
        var refused: mode_t { self == .secret ? 0o077 : 0o022 }
    }

    let path: String
    let kind: Kind
    /// What to do when it is missing.
    let origin: String
    /// How many keys it may hold.
    var mostKeys = 1

    /// The text of the file.
    ///
    /// - Parameter longest: Bytes; a longer file is refused.
    func read(longest: Int) throws(ConfigurationError) -> String {
        // Without O_NONBLOCK a pipe in its place would keep the program waiting for ever.
        guard let file = OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) else {
            throw errno == ENOENT ? problem("is missing", hint: origin) : systemProblem("cannot be read")
        }
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw systemProblem("cannot be read") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw problem("is no file") }
        guard status.st_mode & kind.refused == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw kind == .secret
                ? problem("is a secret that others may read (mode \(mode))", hint: "run: chmod 600 \(shellQuoted(path))")
                : problem("may be changed by others (mode \(mode))", hint: "run: chmod go-w \(shellQuoted(path))")
        }
        var bytes: [UInt8] = []
        var isAtEnd = false
        while !isAtEnd, bytes.count <= longest {
            var count = 0
            bytes.append(
                contentsOf: [UInt8](unsafeUninitializedCapacity: 4096) { buffer, filled in
                    repeat { count = Glibc.read(file.number, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
                    filled = max(count, 0)
                })
            guard count >= 0 else { throw systemProblem("cannot be read") }
            isAtEnd = count == 0
        }
        guard isAtEnd else { throw problem("is longer than \(longest) bytes") }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The one line of a key file, checked by `key`.
    func readKey<Key>(_ key: (String) -> Key?) throws(ConfigurationError) -> Key { try readKeys(key)[0] }

    /// The lines of a key file, each checked by `key`: one, or as many as it may hold.
    func readKeys<Key>(_ key: (String) -> Key?) throws(ConfigurationError) -> [Key] {
        let words = try read(longest: 4096).split { $0.isWhitespace }
        let keys = words.compactMap { key(String($0)) }
        // What it holds instead is not shown: it may be a secret.
        guard (1...mostKeys).contains(words.count), keys.count == words.count else {
            let several = mostKeys == 1 ? "" : ", or two while one key replaces the other"
            throw problem("holds no key", allowed: "one line of 40 characters of Z85" + several, hint: origin)
        }
        return keys
    }

    /// Whether there is something under its name.
    var isThere: Bool { FileStamp(path: path) != nil }

    /// Gives the file the name of another one, in place of that.
    func move(to other: KeyFile) throws(ConfigurationError) {
        guard rename(path, other.path) == 0 else { throw systemProblem("cannot be renamed to \(other.path)") }
        try syncFolder()
    }

    /// Removes the file if it is there.
    func remove() throws(ConfigurationError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw systemProblem("cannot be removed") }
        try syncFolder()
    }

    /// Makes the file with this text; after a crash it is there whole or not at all.
    ///
    /// - Parameter predecessor: Whose place it is to take, and whose owner it gets, if there is one.
    /// - Throws: When it exists; what is there stays.
    func create(_ text: String, after predecessor: KeyFile? = nil) throws(ConfigurationError) {
        var old = stat()
        let owner = predecessor.flatMap { stat($0.path, &old) == 0 ? (old.st_uid, old.st_gid) : nil }
        let temporary = try writeTemporary(text, mode: kind.mode, owner: owner)
        defer { unlink(temporary) }
        // Unlike rename, link never replaces a file.
        guard link(temporary, path) == 0 else {
            throw errno == EEXIST ? problem("exists already and was left as it is") : systemProblem("cannot be made")
        }
        try syncFolder()
    }

    /// Puts this text in place of what is there; readers see the old or the new, whole. Mode and owner stay.
    func replace(_ text: String) throws(ConfigurationError) {
        var old = stat()
        let isThere = stat(path, &old) == 0
        let temporary = try writeTemporary(
            text, mode: isThere ? old.st_mode & 0o777 & ~kind.refused : kind.mode, owner: isThere ? (old.st_uid, old.st_gid) : nil)
        guard rename(temporary, path) == 0 else {
            let error = systemProblem("cannot be replaced")
            unlink(temporary)
            throw error
        }
        try syncFolder()
    }

    private var folder: String { String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }

    /// A new file beside this one, with all its bytes on the disk.
    ///
    /// - Parameter owner: `nil` for the folder's, so that a publisher with a user of its own can read what root makes for it.
    private func writeTemporary(_ text: String, mode: mode_t, owner: (uid_t, gid_t)?) throws(ConfigurationError) -> String {
        let temporary = "\(path).\(String(UInt64.random(in: .min ... .max), radix: 36))"
        guard let file = OwnedDescriptor(open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)) else {
            throw systemProblem("cannot be made")
        }
        var status = stat()
        guard stat(folder, &status) == 0 else { throw systemProblem("cannot be made") }
        let (user, group) = owner ?? (status.st_uid, status.st_gid)
        var isWritten = geteuid() != 0 || fchown(file.number, user, group) == 0
        isWritten = isWritten && fchmod(file.number, mode) == 0
        var rest = Array(text.utf8)[...]
        while isWritten, !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file.number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            isWritten = count > 0
            rest = rest.dropFirst(max(count, 0))
        }
        guard isWritten, fsync(file.number) == 0 else {
            let error = systemProblem("cannot be written")
            unlink(temporary)
            throw error
        }
        return temporary
    }

    private func syncFolder() throws(ConfigurationError) {
        guard let directory = OwnedDescriptor(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)), fsync(directory.number) == 0 else {
            throw systemProblem("is made, but may not survive a power cut")
        }
    }

    private func problem(_ text: String, allowed: String? = nil, hint: String? = nil) -> ConfigurationError {
        ConfigurationError([ConfigurationProblem(subject: path, text, allowed: allowed, hint: hint)])
    }

    /// A system call failed; its errno says why.
    private func systemProblem(_ text: String) -> ConfigurationError { .system(path, text) }
}

extension ConfigurationError {
    /// A system call for a file failed; errno says why.
    static func system(_ path: String, _ text: String) -> ConfigurationError {
        let code = errno
        let isDenied = code == EACCES || code == EPERM
        return ConfigurationError(
            [
                ConfigurationProblem(
                    subject: path, "\(text): \(SystemError.text(of: code))", hint: isDenied && geteuid() != 0 ? "run it as root" : nil)
            ], exitStatus: isDenied ? .permission : .failed)
    }
}

/// A word as a POSIX shell reads it back, whatever it contains: in single quotes, unless it needs none.
public func shellQuoted(_ word: String) -> String {
    let isPlain =
        !word.isEmpty
        && word.utf8.allSatisfy {
            switch $0 {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
    return isPlain ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
