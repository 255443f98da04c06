// Stage 3, enforcement: runs the operator's own command for each change, one at a time.

import Daemon
import Logging
import Wire
import ZeroMQ

/// Enforces by a command: it is told each Ban, each Ban with another end, and each Unban. It runs once for each; its exit status is logged
/// and not acted on. It must bear to be told the same twice.
final class ExecEnforcer: Enforcer {
    let name = "exec"

    /// How long the command may run. 30 s; then it and what it started are killed.
    static let timeout: Duration = .seconds(30)
    /// Bytes of its output that are kept for the log.
    private static let mostOutput = 4096

    private let command: ExecCommand
    private let prefix: [UInt8]
    private let log: Logger
    private var queue = LatestChanges()
    private var child: ChildProcess?
    private var about: (change: WantedSet.Change, since: ContinuousClock.Instant)?
    private var output: [UInt8] = []
    private var isSilenced = false
    private var applied: [Address] = []
    private var isDraining = false
    private var failures = RateLimit(burst: 10, interval: .seconds(10))

    /// - Parameter prefix: Only announcements whose `host|jail|action|address` begins so are told; all, when it is empty.
    init(command: ExecCommand, prefix: String, log: Logger) {
        self.command = command
        self.prefix = Array(prefix.utf8)
        self.log = log
    }

    func take(_ change: WantedSet.Change) { if change.matches(prefix) { queue.take(change) } }

    func add(to polled: inout PollSet) {
        switch child {
        case .some(let child):
            polled.add(descriptor: child.endDescriptor)
            // A closed pipe stays readable; the end is what is waited for then.
            if !isSilenced { polled.add(descriptor: child.outputDescriptor) }
        case .none: break
        }
    }

    var deadline: ContinuousClock.Instant? { about.map { $0.since + ExecEnforcer.timeout } }

    func advance(wanted: WantedSet, now: ContinuousClock.Instant) {
        finish(now)
        // A command that cannot be started fails for all that waits, but not in one turn of the loop.
        for _ in 0..<16 {
            guard about == nil, let change = queue.popFirst() else { return }
            start(change, wanted, now)
        }
    }

    var isSettled: Bool { about == nil && queue.isEmpty }

    var waiting: Int { queue.count + (about == nil ? 0 : 1) }

    let hasUnexplained = false
    let version: String? = nil
    let trouble: String? = nil
    let server: JSONText? = nil

    func takeApplied() -> [Address] {
        defer { applied = [] }
        return applied
    }

    func drain() { isDraining = true }

    var isDrained: Bool { isDraining && about == nil && queue.isEmpty }

    private func start(_ change: WantedSet.Change, _ wanted: WantedSet, _ now: ContinuousClock.Instant) {
        let isBan = change.kind != .lifted
        let subject = ExecCommand.Subject(
            action: isBan ? .ban : .unban, address: change.address, announcement: change.announcement,
            remaining: isBan ? wanted.end(of: change.address).map { now.duration(to: $0) } : nil)
        do throws(SystemError) {
            child = try ChildProcess(command.arguments(for: subject), input: false)
            about = (change, now)
            output = []
            isSilenced = false
        } catch {
            report("\(error)", change, now)
        }
    }

    private func finish(_ now: ContinuousClock.Instant) {
        guard let (change, since) = about else { return }
        readOutput()
        if let ending = child?.reap() {
            if ending == .exited(0) {
                if change.kind != .lifted { applied.append(change.address) }
                log.debug("told \(change.address)", metadata: ["took_ms": "\(since.duration(to: now).milliseconds)"])
            } else {
                report("it \(ending): \(brief(output))", change, now)
            }
        } else if now >= since + ExecEnforcer.timeout {
            report("it was killed after \(ExecEnforcer.timeout.components.seconds) s", change, now)
        } else {
            return
        }
        child = nil
        about = nil
    }

    private func readOutput() {
        guard !isSilenced else { return }
        var printed: [UInt8] = []
        // More than is kept is read too, so that the command is not held up by a full pipe.
        if child?.read(into: &printed, limit: 64 * 1024) == .closed { isSilenced = true }
        output.append(contentsOf: printed.prefix(ExecEnforcer.mostOutput - output.count))
    }

    private func report(_ failure: String, _ change: WantedSet.Change, _ now: ContinuousClock.Instant) {
        guard let note = failures.heldBackNote(at: now) else { return }
        log.error("the command of exec failed for \(change.kind == .lifted ? "Unban" : "Ban") \(change.address): \(failure)\(note)")
    }
}

extension WantedSet.Change {
    /// Whether `zmqprefixfilter` lets it through. The end of a ban by its own time has no announcement, and is let through: a command must
    /// not keep a ban for ever.
    func matches(_ prefix: [UInt8]) -> Bool {
        guard !prefix.isEmpty, let announcement else { return true }
        var line: [UInt8] = []
        announcement.appendPlainLine(to: &line)
        return line.starts(with: prefix)
    }
}
