// Stage 3, enforcement: one line of syslog for each announcement, as fail2ban-zmq-tools writes it, for a jail that reads such lines.

import Daemon
import Glibc
import Wire
import ZeroMQ

/// Writes `fail2ban-zmq-tools Subscriber: Got broadcast message: host|jail|Ban|address`, facility AUTH, for announcements of other hosts.
final class LogEnforcer: Enforcer {
    let name = "log"

    /// Lines written in one turn of the loop: syslog takes some 20 µs for each, so 5 ms at most.
    static let mostLinesPerTurn = 250
    /// Lines that wait. Beyond, the newest are dropped, and a line says how many.
    static let mostWaiting = 100_000

    private let hostname: Hostname
    private let prefix: [UInt8]
    private let write: (String) -> Void
    private var lines: [String] = []
    private var written = 0
    private var dropped = 0
    private var isDraining = false

    /// - Parameters:
    ///   - hostname: This host, whose own announcements are not logged: its fail2ban has banned them already.
    ///   - prefix: Only announcements whose `host|jail|action|address` begins so are logged; all, when it is empty.
    ///   - write: Writes one line to syslog.
    init(hostname: Hostname, prefix: String, write: @escaping (String) -> Void = LogEnforcer.writeToSyslog) {
        self.hostname = hostname
        self.prefix = Array(prefix.utf8)
        self.write = write
    }

    static func writeToSyslog(_ line: String) { Syslog.send(line, as: "fail2ban-subscriber", priority: LOG_INFO, facility: .auth) }

    func take(_ change: WantedSet.Change) {
        guard let announcement = change.announcement, announcement.host != hostname, change.matches(prefix) else { return }
        guard waiting < LogEnforcer.mostWaiting else {
            dropped += 1
            return
        }
        var fields: [UInt8] = []
        announcement.appendPlainLine(to: &fields)
        lines.append("fail2ban-zmq-tools Subscriber: Got broadcast message: " + String(decoding: fields, as: UTF8.self))
    }

    func add(to polled: inout PollSet) {}

    /// Lines that wait for the next turn call for it at once.
    var deadline: ContinuousClock.Instant? { waiting > 0 ? .now : nil }

    func advance(wanted: WantedSet, now: ContinuousClock.Instant) {
        for line in lines[written...].prefix(LogEnforcer.mostLinesPerTurn) {
            write(line)
            written += 1
        }
        guard waiting == 0 else { return }
        lines.removeAll(keepingCapacity: lines.capacity <= LogEnforcer.mostLinesPerTurn)
        written = 0
        if dropped > 0 {
            write("fail2ban-zmq-tools Subscriber: \(dropped) broadcast messages were not logged, syslog was too slow")
            dropped = 0
        }
    }

    func drain() { isDraining = true }

    var isSettled: Bool { lines.isEmpty }

    var waiting: Int { lines.count - written }

    let hasUnexplained = false
    let version: String? = nil
    let trouble: String? = nil
    let server: JSONText? = nil

    /// What becomes of a line is not heard here.
    func takeApplied() -> [Address] { [] }

    var isDrained: Bool { isDraining && lines.isEmpty }
}
