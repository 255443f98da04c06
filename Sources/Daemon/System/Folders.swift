// What the daemons share: folders that a program makes for itself, and what is in a folder.

import Glibc

/// Creates a folder and those above it that are missing, with this mode whatever umask says. One that is there stays as it is.
public func createFolders(_ path: String, mode: mode_t) throws(SystemError) {
    if mkdir(path, mode) != 0 {
        if errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw SystemError("create the folder \(path)")
        }
        try createFolders(String(path[..<slash]), mode: mode)
        guard mkdir(path, mode) == 0 else {
            // Someone else was faster, and its mode is theirs.
            if errno == EEXIST { return }
            throw SystemError("create the folder \(path)")
        }
    }
    chmod(path, mode)
}

/// The names of what is in a folder, in no order, without `.` and `..`.
public func listFolder(_ path: String) throws(SystemError) -> [String] {
    guard let stream = opendir(path) else { throw SystemError("read the folder \(path)") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
            field.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: field.pointee)) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}
