// Stage 1, log line -> event: what of a log would be reported, and why the rest would not, for the operator.

import Daemon
import Glibc
import Wire

/// `fail2ban-monitor check --log`: the parser and the choice of jails on a whole log, told line by line.
struct LogCheck {
    private let host: Hostname
    private let jails: ReportedJails
    private var time = LogTime()
    private(set) var lines = 0
    private(set) var bans = 0
    private(set) var unbans = 0
    private(set) var increases = 0
    private(set) var refused = 0

    init(host: Hostname, jails: ReportedJails) {
        self.host = host
        self.jails = jails
    }

    /// Reads a whole log and tells of it.
    ///
    /// - Parameter path: `-` for standard input.
    mutating func run(_ path: String, _ tell: (String) -> Void) throws {
        let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else {
            let error = LogTailError("open \(path)", errno)
            throw ServiceError("\(error)", exitStatus: error.code == EACCES ? .permission : .failed)
        }
        defer { if descriptor != 0 { close(descriptor) } }
        var rest: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ServiceError("\(LogTailError("read \(path)", errno))") }
            guard count > 0 else { break }
            for byte in buffer[..<count] {
                guard byte == UInt8(ascii: "\n") else {
                    // One byte more than counts, so that it is known to be too long; the rest of it is not kept.
                    if rest.count <= LogTail.longestLine { rest.append(byte) }
                    continue
                }
                finish(rest)
                rest.removeAll(keepingCapacity: true)
            }
        }
        if !rest.isEmpty { finish(rest) }
        tell(summary)

        func finish(_ line: [UInt8]) {
            if let verdict = verdict(line.span) { tell("\(lines): \(verdict)\n") }
        }
    }

    /// What becomes of the next line; `nil` when it does not speak of a ban.
    mutating func verdict(_ line: Span<UInt8>) -> String? {
        lines += 1
        let read: LogLine
        do throws(LogLine.Nothing) {
            read = try LogLineParser.parse(line)
        } catch {
            guard LogCheck.speaksOfABan(line, error) else { return nil }
            return refusal(error.rawValue, line)
        }
        if let reason = jails.refusal(of: read.jail) { return refusal(reason, line) }
        if let reason = LogCheck.reasonAgainst(read.message) { return refusal(reason, line) }
        guard let sighting = Sighting(read, position: 0, arrival: .now, &time) else { return nil }
        return report(sighting)
    }

    var summary: String {
        """
        \(lines) lines: \(bans) bans reported, \(increases) longer ban times, \(unbans) unbans reported where fail2ban's database proves \
        that an admin lifted the ban, \(refused) lines of bans not reported, \(lines - bans - increases - unbans - refused) that say \
        nothing of a ban.

        """
    }

    private mutating func report(_ sighting: Sighting) -> String {
        var event = Event(
            host: host, jail: sighting.key.jail, action: .ban, address: sighting.address, seen: sighting.seen, cause: .detected)
        switch sighting.what {
        case .ban:
            bans += 1
            return "reported as \(event.line)"
        case .increase(let end):
            increases += 1
            event.end = end
            return "reported, unless the database told this end already, as \(event.line)"
        case .unban:
            unbans += 1
            event.action = .unban
            event.cause = .lifted
            return "reported, if the database proves that an admin lifted the ban, as \(event.line)"
        }
    }

    private mutating func refusal(_ reason: String, _ line: Span<UInt8>) -> String {
        refused += 1
        return "not reported: \(reason): \(LogCheck.printable(line))"
    }

    private static func reasonAgainst(_ message: LogLine.Message) -> String? {
        switch message {
        case .ban, .unban, .increase: nil
        case .restore: "fail2ban read this ban back from its database; it was reported when it was made"
        case .repeal: "fail2ban stops; the ban goes on in the cluster until it ends"
        case .reban: "the ban stands already; its actions ran again"
        case .alreadyBanned: "the ban stands already"
        case .expired: "too old to be a ban"
        case .flush: "says how an action drops its bans; an Unban line for each follows"
        }
    }

    /// Whether somebody who looks for bans would stumble over the line.
    private static func speaksOfABan(_ line: Span<UInt8>, _ reason: LogLine.Nothing) -> Bool {
        switch reason {
        case .jail, .address, .level, .tooLong: return true
        case .form, .logger, .message: break
        }
        for i in line.indices {
            switch line[i] {
            case UInt8(ascii: "B") where starts("Ban ", line, i), UInt8(ascii: "U") where starts("Unban ", line, i): return true
            case UInt8(ascii: "R") where starts("Reban ", line, i), UInt8(ascii: "a") where starts("already banned", line, i): return true
            default: continue
            }
        }
        return false
    }

    /// The line for a terminal: at most 200 bytes, and nothing that a terminal obeys.
    private static func printable(_ line: Span<UInt8>) -> String {
        let text = line.extracting(0..<min(200, line.count)).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
        let safe = String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || (0x7f..<0xa0).contains($0.value) ? "?" : $0 }))
        return line.count > 200 ? safe + "…" : safe
    }
}
