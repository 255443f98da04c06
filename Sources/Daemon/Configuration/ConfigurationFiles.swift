// What the daemons share: which files make up a configuration, and what stands in them once later ones have overridden.

import Glibc

/// The files of one configuration in fail2ban's order of precedence, read and merged: later ones win, key by key.
struct ConfigurationFiles {
    /// Those that were read, in order.
    private(set) var paths: [String] = []
    private(set) var entries: [String: [String: IniFile.Entry]] = [:]
    /// Every section header of every file.
    private(set) var headers: [IniFile.Header] = []
    private(set) var problems: [ConfigurationProblem] = []

    /// Reads `/x/a.conf`, `/x/a.d/*.conf`, `/x/a.local` and `/x/a.d/*.local`, the folders' files sorted by name.
    ///
    /// - Throws: when the first file is missing, or any of them cannot be read.
    init(path: String) throws(ConfigurationError) {
        try add(path)
        let base = path.hasSuffix(".conf") ? String(path.dropLast(".conf".count)) : path
        for overlay in try ConfigurationFiles.names(in: base + ".d", endingWith: ".conf") { try add(overlay) }
        if access(base + ".local", F_OK) == 0, base + ".local" != path { try add(base + ".local") }
        for overlay in try ConfigurationFiles.names(in: base + ".d", endingWith: ".local") { try add(overlay) }
    }

    private mutating func add(_ path: String) throws(ConfigurationError) {
        let file = IniFile(bytes: try ConfigurationFiles.bytes(of: path), path: path)
        paths.append(path)
        headers += file.headers
        problems += file.problems
        for entry in file.entries { entries[entry.section, default: [:]][entry.key] = entry }
    }

    private static func bytes(of path: String) throws(ConfigurationError) -> [UInt8] {
        do {
            return try readFile(path, atMost: 1 << 20)
        } catch {
            let hint =
                switch error.code {
                case ENOENT: "give another with -c FILE"
                case EACCES, EPERM: "run the command as root, or as the user whose file it is"
                case EFBIG: "a configuration has at most 1 MiB"
                default: nil as String?
                }
            throw ConfigurationError(
                [ConfigurationProblem(error.description, hint: hint)],
                exitStatus: error.exitStatus == .permission ? .permission : .configuration)
        }
    }

    /// The full names of a folder's files with this ending, sorted by their bytes; hidden ones are skipped, as a shell's `*` does.
    /// Empty when there is no such folder.
    private static func names(in folder: String, endingWith ending: String) throws(ConfigurationError) -> [String] {
        do throws(SystemError) {
            let names = try listFolder(folder).filter { $0.hasSuffix(ending) && !$0.hasPrefix(".") }
            return names.map { "\(folder)/\($0)" }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return [] }
            throw ConfigurationError(
                [ConfigurationProblem(error.description)], exitStatus: error.exitStatus == .permission ? .permission : .configuration)
        }
    }
}

/// The contents of a regular file.
///
/// - Throws: ``SystemError``; EFBIG when it has more than `limit` bytes, and EINVAL when it is no regular file.
public func readFile(_ path: String, atMost limit: Int) throws(SystemError) -> [UInt8] {
    // Without O_NONBLOCK opening a pipe would wait for a writer.
    let file = OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))
    guard let file else { throw SystemError("read \(path)") }
    var status = stat()
    guard fstat(file.number, &status) == 0 else { throw SystemError("read \(path)") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw SystemError("read \(path), which is no regular file", code: EINVAL) }
    var bytes: [UInt8] = []
    while true {
        let room = min(65536, limit + 1 - bytes.count)
        var count = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
            repeat { count = read(file.number, buffer.baseAddress, room) } while count < 0 && errno == EINTR
            initialized = max(0, count)
        }
        guard count >= 0 else { throw SystemError("read \(path)") }
        if count == 0 { return bytes }
        bytes += chunk
        guard bytes.count <= limit else { throw SystemError("read \(path)", code: EFBIG) }
    }
}
