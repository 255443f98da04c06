// Stage 1, log line -> event -> report: the checkpoint on disk, replaced as a whole, and when it is worth replacing.

import Daemon
import Wire

/// `statedir/monitor.checkpoint`.
struct CheckpointFile {
    /// What the system calls this machine: `/etc/machine-id` (machine-id(5)), or `-`.
    let machine: String
    private let file: StateFile

    var path: String { file.path }

    /// Longer than any: 100,000 Unbans that wait, 20,000 bans and 1,000 lines, each of at most 600 bytes.
    private static let longest = 80 << 20

    init(stateDirectory: String, machineIDPath: String = "/etc/machine-id") {
        file = StateFile(path: stateDirectory + "/monitor.checkpoint", longest: CheckpointFile.longest, mode: 0o600)
        let id = (try? readFile(machineIDPath, atMost: 256)).map { $0.prefix { $0 != UInt8(ascii: "\n") } } ?? []
        let isID = (1...64).contains(id.count) && id.allSatisfy { (0x21...0x7e).contains($0) }
        machine = isID ? String(decoding: id, as: UTF8.self) : "-"
    }

    /// - Throws: when there is none to go on with, for this machine, host and log.
    func read(host: Hostname, logPath: String) throws(NoCheckpoint) -> Checkpoint {
        let text: [UInt8]?
        do throws(SystemError) {
            text = try file.readBytes()
        } catch {
            throw .unreadable(SystemError.text(of: error.code))
        }
        guard let text else { throw .missing }
        guard let checkpoint = Checkpoint(text: text) else { throw .damaged }
        guard checkpoint.machine == machine else { throw .otherMachine }
        guard checkpoint.host == host else { throw .otherHost("\(checkpoint.host)") }
        guard checkpoint.logPath == logPath else { throw .otherLog(checkpoint.logPath) }
        return checkpoint
    }

    /// Replaces the file; on disk when this returns. Makes its folder when it is missing.
    func write(_ checkpoint: Checkpoint) throws(SystemError) { try file.replace(checkpoint.text) }
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
