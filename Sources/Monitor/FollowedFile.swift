// Stage 1, log line -> event: one open log file and how far its lines have been taken.

import Glibc

/// Owns the descriptor of one log file. It stays readable when the file is renamed or unlinked, and keeps its inode from being reused.
///
/// Of a file that gzip has compressed, all offsets and the head are of the decompressed bytes. It has an end and does not grow.
final class FollowedFile {
    struct Identity: Hashable {
        var device: UInt
        var inode: UInt

        init(_ status: stat) {
            device = UInt(status.st_dev)
            inode = UInt(status.st_ino)
        }
    }

    let descriptor: Int32
    let identity: Identity
    let isCompressed: Bool
    /// What it was opened as; it may have another name by now.
    let path: String
    /// Its inotify watch.
    var watch: Int32 = -1
    /// Where the first line that was not taken yet begins.
    private(set) var lineStart: Int64 = 0
    /// Behind `lineStart` when the unfinished line there is already longer than any that counts.
    private var scanned: Int64 = 0
    /// How far its bytes were looked at; behind `lineStart` by an unfinished line.
    private var seen: Int64 = 0
    /// Its size when a truncation was last looked for, and when it had been written to.
    private var knownSize: Int64 = 0
    private(set) var knownModified: Int64 = 0
    /// Its first bytes, up to 256, by which a truncation is noticed even when the file has already grown again.
    private(set) var head: [UInt8] = []
    /// While it is read, if it is compressed.
    private var gzip: GzipStream?
    /// Whether its compressed form was found to be damaged or too short.
    private(set) var isDamaged = false
    /// Whether it is compressed and was read to its end.
    private(set) var isFinished = false
    /// See ``LogPlace/File/isAfterGap``.
    var isAfterGap = false
    /// When it last had a line, or began to be an old one.
    var lastActive: ContinuousClock.Instant

    enum Step {
        /// All complete lines before the limit are taken.
        case drained
        /// The taker had enough.
        case stopped
        /// The bytes of this turn are used up.
        case exhausted
        /// It was truncated since the last look, or was empty then: what it has now must be looked at first.
        case unknown
    }

    /// Opens what `path` names.
    ///
    /// - Parameter isCompressed: whether it is in gzip's form.
    init(path: String, isCompressed: Bool = false, now: ContinuousClock.Instant) throws(LogTailError) {
        // O_NONBLOCK: a FIFO in the log's place must not stop the loop. It is refused below.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw LogTailError("open \(path)", errno) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw LogTailError("open \(path)", EINVAL)
        }
        self.descriptor = descriptor
        self.path = path
        self.isCompressed = isCompressed
        identity = Identity(status)
        lastActive = now
    }

    deinit { close(descriptor) }

    /// Its size now, 0 when it can't be told. That of a compressed file is only known at its end.
    var size: Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return 0 }
        return isCompressed ? Int64.max : Int64(status.st_size)
    }

    /// When it was last written to, in nanoseconds since the epoch. Renaming and gzip keep it.
    var modified: Int64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return 0 }
        return FollowedFile.modified(status)
    }

    static func modified(_ status: stat) -> Int64 { Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec) }

    /// Whether nothing was written to it since it was read.
    var isQuiet: Bool { isCompressed ? isFinished : seen >= size }

    /// Where it is, to go on there.
    var place: LogPlace.File {
        LogPlace.File(head: LogHead(head.span), offset: UInt64(lineStart), modified: knownModified, isAfterGap: isAfterGap)
    }

    /// Whether one has grown from the other, or is its copy.
    func isSame(as other: FollowedFile) -> Bool { hasSameBeginning(as: other.head) }

    /// Whether it begins with these bytes.
    func hasGrown(from beginning: LogHead) -> Bool {
        let bytes = head
        return beginning.isBeginning(of: bytes.span)
    }

    func hasSameBeginning(as other: [UInt8]) -> Bool {
        !head.isEmpty && !other.isEmpty && (head.starts(with: other) || other.starts(with: head))
    }

    /// Goes on at `offset`, the beginning of a line.
    func start(at offset: Int64) {
        lineStart = offset
        scanned = offset
        seen = offset
    }

    /// Goes on at the last line that has no newline yet, or at the end.
    func startAtEnd(_ buffer: UnsafeMutableBufferPointer<UInt8>) {
        let size = size
        let from = max(0, size - Int64(LogTail.longestLine))
        let count = read(into: buffer, Int(size - from), at: from)
        let last = count > 0 ? buffer[..<count].lastIndex(of: UInt8(ascii: "\n")) : nil
        if let last {
            start(at: from + Int64(last) + 1)
        } else {
            // Without a newline in reach the unfinished line is too long to count; marked so that its end is not taken for a line.
            lineStart = from
            scanned = from == 0 ? 0 : size
            seen = size
        }
    }

    enum Truncation {
        case none
        /// All that was known of was read.
        case read
        /// Lines were lost.
        case unread
    }

    /// Starts again at the beginning when the file was truncated: it is shorter than what was read, or begins differently.
    func noticeTruncation() -> Truncation {
        if isCompressed { return .none }
        // Size and time before the first bytes: a truncation in between shows in the bytes, and what is written in between does not
        // seem to be known. The other way round the old log's first bytes would be kept as those of the one that begins anew.
        var status = stat()
        let size = fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
        knownModified = FollowedFile.modified(status)
        let isOther = withFirstBytes { now in
            let isOther = !now.starts(with: head)
            if isOther || now.count > head.count { head = Array(now) }
            return isOther
        }
        guard isOther || size < seen else {
            knownSize = size
            return .none
        }
        let truncation = knownSize > seen ? Truncation.unread : .read
        start(at: 0)
        // The size above may be the one before the truncation.
        knownSize = self.size
        return truncation
    }

    /// Whether it is still the file that the last look saw, and not truncated since, whatever was written to it then.
    private var isAsSeen: Bool { isCompressed || withFirstBytes { !head.isEmpty && $0.starts(with: head) } }

    private func withFirstBytes<Result>(_ use: (Slice<UnsafeMutableBufferPointer<UInt8>>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: LogHead.longest) { buffer in
            use(buffer[..<max(0, read(into: buffer, LogHead.longest, at: 0))])
        }
    }

    /// Reads the first bytes of a compressed file. Those of another one come with ``noticeTruncation()``.
    func readCompressedHead() {
        let gzip = GzipStream(descriptor: descriptor)
        knownModified = modified
        head = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: LogHead.longest) { buffer in
            Array(buffer[..<gzip.read(into: buffer, at: 0)])
        }
        isDamaged = head.isEmpty && gzip.ending == .damaged
    }

    /// Takes complete lines that end before `limit`, in order.
    ///
    /// - Parameters:
    ///   - budget: bytes that may still be read in this turn.
    ///   - buffer: longer than ``LogTail/longestLine``.
    ///   - take: gets a line without its newline, `nil` for one that is too long to count, and its bytes with the newline; returns
    ///     whether it wants more.
    func takeLines(
        before limit: Int64, budget: inout Int, _ buffer: UnsafeMutableBufferPointer<UInt8>,
        _ take: (borrowing Span<UInt8>?, Int64) -> Bool
    ) throws(LogTailError) -> Step {
        while true {
            let from = scanned
            let wanted = Int(min(Int64(buffer.count), limit - from))
            guard wanted > 0 else { return .drained }
            guard budget > 0, isReady(at: from, budget: &budget) else { return .exhausted }
            let count = read(into: buffer, wanted, at: from)
            guard count >= 0 else { throw LogTailError("read the log", errno) }
            // After the bytes were read: what comes now does not change what they are.
            guard isAsSeen else { return .unknown }
            budget -= count
            guard takeLines(UnsafeBufferPointer(rebasing: buffer[..<count]), at: from, take) else { return .stopped }
            if count < wanted { finish() }
            if count < wanted || from + Int64(count) >= limit { return .drained }
        }
    }

    /// A compressed file has to be decompressed up to where it is read.
    private func isReady(at offset: Int64, budget: inout Int) -> Bool {
        guard isCompressed, !isFinished else { return true }
        let gzip = gzip ?? GzipStream(descriptor: descriptor)
        self.gzip = gzip
        return gzip.skip(to: offset, budget: &budget)
    }

    private func finish() {
        guard let gzip else { return }
        isFinished = true
        isDamaged = gzip.ending == .damaged || gzip.isShort(of: lineStart)
        self.gzip = nil
    }

    /// - Returns: whether the taker wants more.
    private func takeLines(_ bytes: UnsafeBufferPointer<UInt8>, at from: Int64, _ take: (borrowing Span<UInt8>?, Int64) -> Bool) -> Bool {
        var start = 0
        while let newline = FollowedFile.newline(in: bytes, from: start) {
            let end = from + Int64(newline) + 1
            let length = end - lineStart
            let wantsMore =
                length - 1 > LogTail.longestLine
                ? take(nil, length) : take(UnsafeBufferPointer(rebasing: bytes[start..<newline]).span, length)
            start = newline + 1
            self.start(at: end)
            if !wantsMore { return false }
        }
        // A partial line is read again when it has grown, instead of being kept, unless it is too long to count.
        seen = from + Int64(bytes.count)
        scanned = seen - lineStart > LogTail.longestLine ? seen : lineStart
        return true
    }

    private static func newline(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count,
            let found = memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start)
        else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    private func read(into buffer: UnsafeMutableBufferPointer<UInt8>, _ wanted: Int, at offset: Int64) -> Int {
        if isCompressed {
            return gzip?.read(into: UnsafeMutableBufferPointer(rebasing: buffer[..<min(wanted, buffer.count)]), at: offset) ?? 0
        }
        while true {
            let count = pread(descriptor, buffer.baseAddress, min(wanted, buffer.count), off_t(offset))
            if count >= 0 || errno != EINTR { return count }
        }
    }
}
