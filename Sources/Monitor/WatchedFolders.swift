// Stage 1, log line -> event: the folders whose changes can give the log's path another file, or a first one.

import Glibc

/// Keeps inotify watches on the folder of a path, or on the nearest parent that exists, and on the same of each file that the
/// path's last component links to. A symbolic link in place of a folder on the way is followed, but not watched for being changed.
struct WatchedFolders {
    private let path: String
    private var watches: [String: Int32] = [:]

    /// As the kernel: more links in a row are a loop (path_resolution(7)).
    static let linkLimit = 40

    init(path: String) { self.path = path }

    /// Brings the watches up to date. To be called after each event that is not a file's growth, and before the path is looked at.
    mutating func refresh(_ inotify: borrowing Inotify) throws(LogTailError) {
        var wanted = WatchedFolders.folders(to: path)
        // A folder can come or go while its watch is set; each round needs one more such change. Then an event is waiting anyway.
        for _ in 0..<WatchedFolders.linkLimit {
            var next: [String: Int32] = [:]
            for folder in wanted {
                do throws(LogTailError) {
                    next[folder] = try inotify.watch(folder, Inotify.folder)
                } catch  where error.code == ENOENT || error.code == ENOTDIR {
                    continue
                }
            }
            for (_, watch) in watches where !next.values.contains(watch) { inotify.remove(watch) }
            watches = next
            let now = WatchedFolders.folders(to: path)
            if now == wanted, next.count == wanted.count { return }
            wanted = now
        }
    }

    /// What has to be watched at this moment.
    static func folders(to path: String) -> Set<String> {
        var folders: Set<String> = []
        var next = path
        for _ in 0..<linkLimit {
            let folder = parent(of: next)
            folders.insert(nearestExisting(folder))
            guard let target = link(at: next) else { break }
            next = target.hasPrefix("/") ? target : "\(folder)/\(target)"
        }
        return folders
    }

    static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func nearestExisting(_ folder: String) -> String {
        var folder = folder
        while true {
            var status = stat()
            if stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return folder }
            if folder == "/" || folder == "." { return folder }
            folder = parent(of: folder)
        }
    }

    static func link(at path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress else { return nil }
            let count = readlink(path, base, buffer.count)
            return count > 0
                ? String(decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), as: UTF8.self) : nil
        }
    }
}
