// Stage 1, log line -> event: a place in the stream of log lines that outlives files' names and inodes, and the process.

/// How far the log has been read. Inodes are reused and compression makes new ones, so a file is known by its first bytes.
public struct LogPlace: Hashable, Sendable {
    /// Bytes of complete lines in the stream so far, over all files: the position of reports.
    public var position: UInt64
    /// The files that are being read, the oldest first; several while a renamed log is not yet quiet.
    public var files: [File]
    /// What was read before and is done with, the newest last; so many that a file which came just now is told from those before it.
    public var past: [LogHead]

    static let pastLimit = 8

    public struct File: Hashable, Sendable {
        public var head: LogHead
        /// Where the next line begins.
        public var offset: UInt64
        /// When the file was last written to, in nanoseconds since the epoch: tells which files are newer when it is gone, or was empty.
        public var modified: Int64
        /// Whether lines before it are missing, so that the next position must be beyond any that those could have had.
        public var isAfterGap: Bool

        public init(head: LogHead, offset: UInt64, modified: Int64, isAfterGap: Bool = false) {
            self.head = head
            self.offset = offset
            self.modified = modified
            self.isAfterGap = isAfterGap
        }
    }

    /// How far positions leap over lines of an unknown number: more bytes than any log has.
    static let leap: UInt64 = 1 << 40

    public init(position: UInt64, files: [File], past: [LogHead] = []) {
        self.position = position
        self.files = files
        self.past = past
    }
}

/// What a file is recognised by: its first bytes, which differ between any two logs of fail2ban by their time stamps.
public struct LogHead: Hashable, Sendable {
    /// How many bytes were hashed: 256, or all there were.
    public var count: Int
    /// FNV-1a, 64 bits.
    public var hash: UInt64

    public static let longest = 256

    public init(count: Int, hash: UInt64) {
        self.count = count
        self.hash = hash
    }

    /// - Parameter bytes: the beginning of a file; only the first 256 count.
    public init(_ bytes: Span<UInt8>) {
        count = min(bytes.count, LogHead.longest)
        hash = fnv1a(bytes.extracting(0..<count))
    }

    /// Whether a file that begins with `bytes` is this one or has grown from it. Nothing is known of a file that was empty.
    public func isBeginning(of bytes: Span<UInt8>) -> Bool {
        count > 0 && bytes.count >= count && LogHead(bytes.extracting(0..<count)) == self
    }
}

/// FNV-1a, 64 bits (draft-eastlake-fnv): tells bytes apart that nobody forges.
func fnv1a(_ bytes: Span<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for i in bytes.indices { hash = (hash ^ UInt64(bytes[i])) &* 0x100_0000_01b3 }
    return hash
}
