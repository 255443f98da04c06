// Stage 1, log line -> event: lines in which fail2ban says that it, or a jail, stops or starts.

import Wire

/// What tells Unbans of a stop from an admin's where there is no database to ask. The forms are in
/// `Tests/MonitorTests/Corpus/log-lines.txt`.
public enum ServerLine: Hashable, Sendable {
    /// `Jail 'J' stopped`: written after the Unbans of its bans.
    case stopped(Jail)
    /// `Creating new jail 'J'` and `Jail 'J' started`.
    case started(Jail)
    /// `Shutdown in progress...`, `Stopping all jails` and `Exiting Fail2ban`: Unbans that follow are of the stop.
    case stopping
    /// `Starting Fail2ban v1.0.2`.
    case starting

    /// - Parameter line: without its newline; any bytes.
    /// - Returns: `nil` when it is another line.
    public init?(_ line: Span<UInt8>) {
        guard line.count <= 400, let prefix = try? LogPrefix(line) else { return nil }
        guard prefix.writer == .server || prefix.writer == .unnamed else { return nil }
        let at = prefix.message
        if let jail = quoted(line, after: "Jail '", before: "' stopped", at) {
            self = .stopped(jail)
        } else if let jail = quoted(line, after: "Jail '", before: "' started", at) {
            self = .started(jail)
        } else if let jail = quoted(line, after: "Creating new jail '", before: "'", at) {
            self = .started(jail)
        } else if isWhole("Shutdown in progress...", line, at) || isWhole("Stopping all jails", line, at)
            || isWhole("Exiting Fail2ban", line, at)
        {
            self = .stopping
        } else if starts("Starting Fail2ban", line, at) {
            self = .starting
        } else {
            return nil
        }
    }
}

/// The jail's name when the message is exactly that.
private func quoted(_ line: Span<UInt8>, after start: StaticString, before end: StaticString, _ at: Int) -> Jail? {
    let from = at + start.utf8CodeUnitCount
    let to = line.count - end.utf8CodeUnitCount
    guard from < to, to - from <= 64, starts(start, line, at), starts(end, line, to) else { return nil }
    return Jail(line.extracting(from..<to).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) })
}

private func isWhole(_ text: StaticString, _ line: Span<UInt8>, _ at: Int) -> Bool {
    line.count == at + text.utf8CodeUnitCount && starts(text, line, at)
}
