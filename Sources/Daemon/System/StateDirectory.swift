// What the daemons share: the folder of checkpoints and of the publisher's journal, made when it is missing.

import Glibc

extension Configuration {
    /// Makes `statedir` and the folders above it that are missing, for the daemon's user and group alone.
    ///
    /// - Throws: when it can't be made, or the daemon may not write in it.
    public func makeStateDirectory() throws(ConfigurationError) {
        do {
            try createFolders(general.stateDirectory, mode: 0o750)
        } catch {
            throw stateDirectoryError(error)
        }
        if let error = obstacle(in: general.stateDirectory) { throw stateDirectoryError(error) }
    }

    /// Why ``makeStateDirectory()`` would fail; `nil` when nothing is in its way. It changes nothing.
    public func stateDirectoryFinding() -> Finding? {
        var folder = general.stateDirectory[...]
        while access(String(folder), F_OK) != 0, errno == ENOENT, let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
            folder = folder[..<slash]
        }
        return obstacle(in: String(folder)).map { Finding(stateDirectoryError($0)) }
    }

    /// Why files can't be made in a folder.
    private func obstacle(in folder: String) -> SystemError? {
        var status = stat()
        guard stat(folder, &status) == 0 else { return SystemError("use the folder \(folder)") }
        guard status.st_mode & S_IFMT == S_IFDIR else { return SystemError("use the folder \(folder)", code: ENOTDIR) }
        return access(folder, W_OK | X_OK) == 0 ? nil : SystemError("write in the folder \(folder)")
    }

    private func stateDirectoryError(_ error: SystemError) -> ConfigurationError {
        let isDenied = error.exitStatus == .permission
        let problem = problem(
            with: "statedir", in: .general, error.description,
            hint: isDenied ? "make it the daemon's user's, with chown, or set statedir to a folder that is" : nil)
        return ConfigurationError([problem], exitStatus: isDenied ? .permission : .configuration)
    }
}
