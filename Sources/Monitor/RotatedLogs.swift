// Stage 1, log line -> event: which rotated files stand beside the log, from the oldest to the newest.

import Daemon
import Glibc

/// A rotated log beside the log: `fail2ban.log.1`, `fail2ban.log.2.gz`, `fail2ban.log-20261121.gz`.
struct RotatedLog {
    /// The file's name without its folder.
    let name: String
    /// In nanoseconds since the epoch. Renaming, gzip and xz keep it, so it says which file is older.
    let modified: Int64
    /// Its bytes, opened and with its head; `nil` when it is compressed in a form that is not read, or may not be opened.
    let file: FollowedFile?
}

/// A look into the log's folder.
enum RotatedLogs {
    /// Files that are opened, at most: the newest. A daily rotation makes as many in half a year.
    static let limit = 200
    /// Other compressors' endings, which logrotate's `compressext` has.
    private static let unreadEndings = [".xz", ".bz2", ".zst", ".lz4", ".lzma", ".lz", ".Z", ".br"]

    /// What a name stands for at a moment.
    private struct Entry: Equatable {
        let name: String
        let identity: FollowedFile.Identity
        let modified: Int64
    }

    /// The rotated logs of `path`, the oldest first. A file that is being compressed or copied counts once.
    static func look(besides path: String, now: ContinuousClock.Instant) -> [RotatedLog] {
        let path = target(of: path)
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? "./"
        let base = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.index(after: $0)...]) } ?? path
        var entries = list(folder, base)
        // A rotation that goes on meanwhile renames files, so the look is repeated until nothing has changed. Its renames and one
        // compression follow one another within milliseconds; after more looks than that, what was seen must do.
        for _ in 0..<5 {
            let logs = entries.compactMap { open($0, in: folder, now) }
            let again = list(folder, base)
            if again == entries { return distinct(logs) }
            entries = again
        }
        return distinct(entries.compactMap { open($0, in: folder, now) })
    }

    /// Without what is there twice because it is being compressed or copied.
    private static func distinct(_ logs: [RotatedLog]) -> [RotatedLog] {
        let names = Set(logs.map(\.name))
        return logs.indices.filter { i in
            guard let file = logs[i].file, !file.isDamaged else { return stem(logs[i].name).map { !names.contains($0) } ?? true }
            return !logs.indices.contains { other in
                guard other != i, let better = logs[other].file, better.isSame(as: file) else { return false }
                if better.isCompressed != file.isCompressed { return file.isCompressed }
                return (better.size, other) > (file.size, i)
            }
        }.map { logs[$0] }
    }

    private static func list(_ folder: String, _ base: String) -> [Entry] {
        let names = ((try? listFolder(folder)) ?? []).filter { isRotated($0, base) }
        let entries = names.compactMap { name -> Entry? in
            var status = stat()
            // One that is gone was renamed or removed; the next list shows what became of it.
            guard stat(folder + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            return Entry(name: name, identity: FollowedFile.Identity(status), modified: FollowedFile.modified(status))
        }
        return Array(entries.sorted(by: isOlder).suffix(limit))
    }

    /// Whether a rotation can have given the name: `base`, a dot or dash, and at least a digit or a known ending behind it. `old`, `save`
    /// and the like may be anybody's copies; what a rotation makes has a number or a date.
    static func isRotated(_ name: String, _ base: String) -> Bool {
        guard name.hasPrefix(base), !base.isEmpty else { return false }
        let suffix = (stem(name) ?? name).dropFirst(base.count)
        guard let first = suffix.first, first == "." || first == "-" else { return false }
        return suffix.contains(where: \.isNumber) && suffix.allSatisfy { $0.isNumber || ".-_:T".contains($0) }
    }

    /// The name without the ending of a compressor; `nil` when it has none.
    private static func stem(_ name: String) -> String? {
        (unreadEndings + [".gz"]).first { name.hasSuffix($0) }.map { String(name.dropLast($0.count)) }
    }

    private static func open(_ entry: Entry, in folder: String, _ now: ContinuousClock.Instant) -> RotatedLog? {
        let isGzip = entry.name.hasSuffix(".gz")
        let unread = RotatedLog(name: entry.name, modified: entry.modified, file: nil)
        guard isGzip || stem(entry.name) == nil else { return unread }
        do throws(LogTailError) {
            let file = try FollowedFile(path: folder + entry.name, isCompressed: isGzip, now: now)
            if isGzip { file.readCompressedHead() } else { _ = file.noticeTruncation() }
            return RotatedLog(name: entry.name, modified: file.modified, file: file)
        } catch {
            return error.code == ENOENT ? nil : unread
        }
    }

    /// By time; files of the same moment by name: of numbers the higher is older, of dates the lower.
    private static func isOlder(_ a: Entry, _ b: Entry) -> Bool {
        if a.modified != b.modified { return a.modified < b.modified }
        let (first, second) = (number(a.name), number(b.name))
        if let first, let second { return first > second }
        return a.name < b.name
    }

    /// 12 of `fail2ban.log.12.gz`. A date has more digits than any count of rotations.
    private static func number(_ name: String) -> Int? {
        let digits = (stem(name) ?? name).reversed().prefix { $0.isNumber }
        return digits.count < 6 ? Int(String(digits.reversed())) : nil
    }

    /// Where the rotated files are when the log is a symbolic link: beside its target.
    private static func target(of path: String) -> String {
        var path = path
        for _ in 0..<WatchedFolders.linkLimit {
            guard let link = WatchedFolders.link(at: path) else { break }
            path = link.hasPrefix("/") ? link : "\(WatchedFolders.parent(of: path))/\(link)"
        }
        return path
    }
}
