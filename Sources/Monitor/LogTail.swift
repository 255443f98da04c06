// Stage 1, log line -> event: follows fail2ban's log through every kind of rotation and hands out its complete lines in order.

import Glibc

/// Follows a log file by inotify. The loop polls ``descriptor``, then calls ``look(now:)`` and ``readLines(now:_:)``.
///
/// fail2ban goes on writing to a renamed log until it is told to reopen it, and for ever if telling it fails. So an old file is kept
/// open and read until the new one has data and the old one has been quiet for a minute. What was in the old file when the new one
/// got its data is always handed out before that. What happened between two looks, or before a start from a ``LogPlace``, is found
/// beside the log (``LogSuccession``): rotated files, gzip's too, and the copies of `copytruncate`. Lines that `copytruncate` drops
/// between its copy and its truncation are lost, as they are for everyone who reads.
public struct LogTail: ~Copyable {
    /// Longer lines are passed over. fail2ban's own are under 200 bytes, unless a filter takes a long id.
    public static let longestLine = 4096
    /// Bytes read in one turn at most, so that one long log does not hold up what else the loop has to do.
    static let turnLimit = 256 * 1024
    /// Rotated logs that are kept open, at most, while they are not read or not quiet. The oldest is let go when there is one more.
    static let oldFileLimit = 64
    /// Longer than logrotate takes from the rename to the end of its postrotate script.
    static let quietTime = Duration.seconds(60)

    /// Where a tail begins.
    public enum Start: Sendable {
        /// At the end of the file that is there now; at the beginning of one that comes later.
        case end
        /// At a place of an earlier tail, through all files that came since.
        case place(LogPlace)
    }

    public enum Progress: Sendable {
        /// There is nothing more until ``LogTail/descriptor`` is readable.
        case upToDate
        /// This turn's limit was reached.
        case more
        /// The taker wanted no more.
        case stopped
    }

    public let path: String
    /// Bytes of all complete lines so far, those of files before this one too: the end of the line handed out last. It leaps where
    /// lines of an unknown number are missing, so that no position ever means two lines.
    public private(set) var position: UInt64
    /// Why there is no log to follow at this moment; what is open already is read all the same.
    public private(set) var problem: LogTailError?
    /// Lines passed over because they were longer than ``longestLine``.
    public private(set) var longLines = 0
    /// How often lines were lost.
    public private(set) var gaps = 0
    /// How often a file came, went or was truncated. While this is the same and one file is open, reading again from an earlier
    /// place gives the same lines the same positions.
    public private(set) var changes = 0

    private let inotify: Inotify
    private var folders: WatchedFolders
    /// The oldest first. The last one is, or was, what `path` names.
    private var files: [FollowedFile] = []
    /// Whether the first file is begun at its end.
    private var beginsAtEnd: Bool
    /// Beginnings of files that were let go, so that they are not taken for new ones.
    private var past: [[UInt8]] = []
    /// The same of the tail whose place this one began at.
    private let earlier: [LogHead]
    private var losses: [LogLoss] = []
    private let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 * 1024)

    /// - Throws: when inotify is not to be had. A log that is missing or can't be read is awaited; see ``problem``.
    public init(path: String, from start: Start, now: ContinuousClock.Instant) throws(LogTailError) {
        self.path = path
        switch start {
        case .end: (beginsAtEnd, position, earlier) = (true, 0, [])
        case .place(let place): (beginsAtEnd, position, earlier) = (false, place.position, place.past)
        }
        folders = WatchedFolders(path: path)
        let inotify = try Inotify()
        try folders.refresh(inotify)
        self.inotify = inotify
        if case .place(let place) = start { resume(place, now) }
        openLog(now)
        // A file that comes later is new from its beginning.
        if problem?.code == ENOENT || problem?.code == ENOTDIR { beginsAtEnd = false }
    }

    deinit { buffer.deallocate() }

    /// To be polled for reading.
    public var descriptor: Int32 { inotify.descriptor }

    /// Whether a file is open: the log itself, or what it was until it was renamed or deleted.
    public var isFollowing: Bool { !files.isEmpty }

    /// How far the lines were handed out, to begin there again.
    public var place: LogPlace {
        var heads = earlier
        for head in past.suffix(LogPlace.pastLimit) { heads.append(LogHead(head.span)) }
        return LogPlace(position: position, files: files.map(\.place), past: Array(heads.suffix(LogPlace.pastLimit)))
    }

    /// How many files are open; more than one while a rotated one is not read to its end or not yet quiet.
    public var fileCount: Int { files.count }

    /// What was lost since this was last asked.
    public mutating func takeLosses() -> [LogLoss] {
        defer { losses = [] }
        return losses
    }

    /// Takes up what changed: a new file under the path, a truncation. To be called whenever ``descriptor`` is readable.
    /// - Throws: when the log's folder can't be watched.
    public mutating func look(now: ContinuousClock.Instant) throws(LogTailError) {
        if inotify.drain() { try folders.refresh(inotify) }
        openLog(now)
        for file in files {
            let (head, offset, modified) = (file.head, file.lineStart, file.knownModified)
            let truncation = file.noticeTruncation()
            if truncation != .none {
                takeUpTruncation(of: file, truncation, head, offset, now)
            } else if head.isEmpty, file.knownModified != modified {
                takeUpFirstLines(of: file, since: modified, now)
            }
        }
        letGoOfQuietFiles(now)
    }

    /// Hands out complete lines, the old files' first.
    ///
    /// - Parameter take: gets a line without its newline and the ``position`` behind it; returns whether it wants more.
    /// - Throws: when reading fails, which for a local file means a failing disk.
    public mutating func readLines(
        now: ContinuousClock.Instant, _ take: (borrowing Span<UInt8>, UInt64) -> Bool
    ) throws(LogTailError) -> Progress {
        letGoOfFinishedFiles()
        var budget = LogTail.turnLimit
        // Sizes of the newer files are taken before an older one is read to its end: then all that was written to the older one
        // before those bytes is handed out before them.
        var limits: [Int64] = []
        for file in files.reversed() { limits.append(file.size) }
        for (file, limit) in zip(files, limits.reversed()) {
            if file.isAfterGap {
                position += LogPlace.leap
                file.isAfterGap = false
            }
            let before = file.lineStart
            var position = position
            var longLines = longLines
            let step = try file.takeLines(before: limit, budget: &budget, buffer) { line, length in
                position += UInt64(length)
                guard let line else {
                    longLines += 1
                    return true
                }
                return take(line, position)
            }
            self.position = position
            self.longLines = longLines
            if file.lineStart != before { file.lastActive = now }
            switch step {
            case .drained where file.isDamaged: self.position += LogPlace.leap
            case .drained: continue
            case .stopped: return .stopped
            case .exhausted: return .more
            case .unknown:
                try look(now: now)
                return .more
            }
        }
        letGoOfFinishedFiles()
        return .upToDate
    }

    // MARK: - Which files are open

    private mutating func openLog(_ now: ContinuousClock.Instant) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            problem = LogTailError("open \(path)", errno)
            return
        }
        if let current = files.last, current.identity == FollowedFile.Identity(status) {
            problem = nil
            return
        }
        let file: FollowedFile
        do throws(LogTailError) {
            file = try FollowedFile(path: path, now: now)
            // Watched before it is read, so that no growth goes unnoticed. An inode has one watch, so this may be an old file's.
            file.watch = try inotify.watch(open: file.descriptor)
        } catch {
            problem = error
            return
        }
        problem = nil
        changes += 1
        for old in files { old.lastActive = now }
        if let again = files.firstIndex(where: { $0.identity == file.identity }) {
            // An old log got its name back. It is read on where it was.
            files.append(files.remove(at: again))
            return
        }
        _ = file.noticeTruncation()
        if beginsAtEnd { file.startAtEnd(buffer) }
        beginsAtEnd = false
        if let newest = files.last {
            let missed = LogSuccession(
                newerThan: newest.modified, rotated: RotatedLogs.look(besides: path, now: now), own: files + [file], past: past)
            insert(missed, at: files.count)
        }
        files.append(file)
        letGoOfTooMany()
    }

    /// Opens the files of an earlier tail's place, and those that came since.
    private mutating func resume(_ place: LogPlace, _ now: ContinuousClock.Instant) {
        // The log first: if it is renamed meanwhile it is found twice, and not at all the other way round.
        let live = try? FollowedFile(path: path, now: now)
        _ = live?.noticeTruncation()
        insert(LogSuccession(from: place, rotated: RotatedLogs.look(besides: path, now: now), live: live, buffer), at: 0)
        if files.isEmpty, gaps > 0 { position += LogPlace.leap }
        letGoOfTooMany()
    }

    private mutating func takeUpTruncation(
        of file: FollowedFile, _ truncation: FollowedFile.Truncation, _ head: [UInt8], _ offset: Int64, _ now: ContinuousClock.Instant
    ) {
        changes += 1
        file.lastActive = now
        let rotated = RotatedLogs.look(besides: path, now: now)
        defer { remember(head) }
        if let rest = LogSuccession(copyOf: head, from: offset, rotated: rotated, own: files, past: past) {
            insert(rest, at: files.firstIndex { $0 === file } ?? files.count)
            letGoOfTooMany()
        } else if truncation == .unread {
            lose(.truncated(file.path))
        }
    }

    /// A file that was empty may have been filled, copied and truncated since. Nothing else tells of it.
    private mutating func takeUpFirstLines(of file: FollowedFile, since modified: Int64, _ now: ContinuousClock.Instant) {
        let missed = LogSuccession(newerThan: modified - 1, rotated: RotatedLogs.look(besides: path, now: now), own: files, past: past)
        guard !missed.files.isEmpty || !missed.losses.isEmpty else { return }
        changes += 1
        insert(missed, at: files.firstIndex { $0 === file } ?? files.count)
        letGoOfTooMany()
    }

    private mutating func insert(_ succession: LogSuccession, at index: Int) {
        for loss in succession.losses { lose(loss) }
        // One that can't be watched is read as far as it is now.
        for file in succession.files where !file.isCompressed { file.watch = (try? inotify.watch(open: file.descriptor)) ?? -1 }
        files.insert(contentsOf: succession.files, at: index)
    }

    /// Positions up to this one are taken, by lines that the log has not: goes on behind it.
    mutating func leap(behind taken: UInt64) {
        guard taken > position else { return }
        position = taken
        changes += 1
        lose(.behind)
    }

    private mutating func lose(_ loss: LogLoss) {
        gaps += 1
        // What is not asked for must not grow.
        if losses.count < LogTail.oldFileLimit { losses.append(loss) }
    }

    private mutating func letGoOfQuietFiles(_ now: ContinuousClock.Instant) {
        guard files.count > 1 else { return }
        for i in files.indices.dropLast().reversed()
        where now - files[i].lastActive >= LogTail.quietTime && files[i].isQuiet && files[(i + 1)...].contains(where: { $0.size > 0 }) {
            letGo(of: i)
        }
    }

    /// A compressed file that was read to its end.
    private mutating func letGoOfFinishedFiles() {
        for i in files.indices.reversed() where files[i].isFinished {
            if files[i].isDamaged { lose(.damaged(files[i].path)) }
            letGo(of: i)
        }
    }

    private mutating func letGoOfTooMany() {
        while files.count > LogTail.oldFileLimit + 1 {
            if !files[0].isQuiet { lose(.tooMany(files[0].path)) }
            letGo(of: 0)
        }
    }

    private mutating func letGo(of index: Int) {
        let file = files.remove(at: index)
        changes += 1
        remember(file.head)
        if file.watch >= 0 { inotify.remove(file.watch) }
    }

    private mutating func remember(_ head: [UInt8]) {
        if !head.isEmpty { past.append(head) }
        if past.count > LogTail.oldFileLimit { past.removeFirst() }
    }
}
