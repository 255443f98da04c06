// Stage 1, log line -> event -> report: the checkpoint on disk, replaced as a whole, and when it is worth replacing.

import Daemon
import Glibc
import Wire

/// `statedir/monitor.checkpoint`.
struct CheckpointFile {
    let path: String
    /// What the system calls this machine: `/etc/machine-id` (machine-id(5)), or `-`.
    let machine: String

    /// Longer than any: 100,000 Unbans that wait, 10,000 bans and 1,000 lines, each of at most 600 bytes.
    private static let sizeLimit = 80 << 20

    init(stateDirectory: String, machineIDPath: String = "/etc/machine-id") {
        path = stateDirectory + "/monitor.checkpoint"
        let id = (try? CheckpointFile.contents(machineIDPath, limit: 256)).map { $0.prefix { $0 != UInt8(ascii: "\n") } } ?? []
        let isID = (1...64).contains(id.count) && id.allSatisfy { (0x21...0x7e).contains($0) }
        machine = isID ? String(decoding: id, as: UTF8.self) : "-"
    }

    /// - Throws: when there is none to go on with, for this machine, host and log.
    func read(host: Hostname, logPath: String) throws(NoCheckpoint) -> Checkpoint {
        let text: [UInt8]
        do {
            text = try CheckpointFile.contents(path, limit: CheckpointFile.sizeLimit)
        } catch {
            throw error.code == ENOENT ? .missing : .unreadable(SystemError.text(of: error.code))
        }
        guard let checkpoint = Checkpoint(text: text) else { throw .damaged }
        guard checkpoint.machine == machine else { throw .otherMachine }
        guard checkpoint.host == host else { throw .otherHost("\(checkpoint.host)") }
        guard checkpoint.logPath == logPath else { throw .otherLog(checkpoint.logPath) }
        return checkpoint
    }

    /// Replaces the file; on disk when this returns. Makes its folder when it is missing.
    func write(_ checkpoint: Checkpoint) throws(SystemError) {
        if let slash = path.lastIndex(of: "/") { try createFolders(String(path[..<slash]), mode: 0o750) }
        let new = path + ".new"
        guard let file = OwnedDescriptor(open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)) else {
            throw SystemError("write \(new)")
        }
        let text = checkpoint.text
        var written = 0
        while written < text.count {
            let count = text.withUnsafeBytes { Glibc.write(file.number, $0.baseAddress.map { $0 + written }, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw SystemError("write \(new)") }
            written += count
        }
        // A name that is on disk before its contents is an empty file after a power failure.
        guard fdatasync(file.number) == 0, rename(new, path) == 0 else { throw SystemError("write \(path)") }
    }

    private static func contents(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        guard let file = OwnedDescriptor(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) else {
            throw SystemError("open \(path)")
        }
        var contents: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while contents.count < limit {
            let count = Glibc.read(file.number, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError("read \(path)") }
            if count == 0 { break }
            contents += buffer[..<count]
        }
        return contents
    }
}

/// When a checkpoint is due. A value without a clock, and without a timer: nothing wakes up for it.
struct CheckpointSchedule {
    typealias Instant = ContinuousClock.Instant

    /// Between checkpoints that only lines which say nothing make necessary.
    static let quietInterval = Duration.seconds(5)
    /// A checkpoint may take this part of the time at most; one that is large or on a slow disk comes more rarely.
    private static let share = 20

    /// What was written last, as far as it decides.
    private var position: UInt64?
    private var changes: Int?
    private var lastWritten: Instant?
    private var notBefore: Instant?
    private var isOwed = false

    /// The publisher has acknowledged something.
    mutating func acknowledged() { isOwed = true }

    /// Whether it must be written before what was read is sent: read again from the last one, the lines would have other positions.
    func mustPrecedeReport(files: Int, changes: Int) -> Bool { files > 1 || changes != self.changes }

    /// Whether it is worth writing now.
    ///
    /// - Parameter isIdle: whether nothing is waiting to be sent or acknowledged.
    func isDue(position: UInt64, isIdle: Bool, now: Instant) -> Bool {
        if let notBefore, now < notBefore { return false }
        if isOwed || self.position == nil { return true }
        guard isIdle, position != self.position else { return false }
        return lastWritten.map { now - $0 >= CheckpointSchedule.quietInterval } ?? true
    }

    /// - Parameters:
    ///   - took: how long writing took.
    ///   - isWritten: `false` when it failed; then it is tried again at the next occasion, at a bounded rate.
    mutating func wrote(position: UInt64, changes: Int, took: Duration, isWritten: Bool, now: Instant) {
        notBefore = now + (isWritten ? took * CheckpointSchedule.share : max(took * CheckpointSchedule.share, .seconds(1)))
        guard isWritten else {
            isOwed = true
            return
        }
        (self.position, self.changes, lastWritten) = (position, changes, now)
        isOwed = false
    }
}
