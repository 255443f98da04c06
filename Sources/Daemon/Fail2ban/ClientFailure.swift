// What the daemons share: what went wrong with a command of fail2ban-client. All its failures end with the same exit code, so the text
// tells.

/// Why a command was not carried out.
public enum ClientFailure: Error, Hashable, Sendable {
    /// No server listens: it is stopped, or has not started yet. Nothing was done.
    case down
    /// The server went away while it worked. What was asked may have been done.
    case lost
    /// This user may not use the server's socket. Nothing was done.
    case permission(String)
    /// The server has no such jail. While it starts it says so too, before its jails are there. Nothing was done.
    case unknownJail
    /// The server refused, in its own words. What stood before the refused address was done.
    case refused(String)
    /// The program could not be started, or ended by itself, or cannot be used in this way. What was asked may have been done.
    case ended(String)
    /// No answer in time. fail2ban may still do what was asked, even after the program was killed.
    case silent
    /// An answer that is not understood. What was asked may have been done.
    case unclear(String)
}

extension ClientFailure {
    /// What the client's log puts before its errors: `2026-11-21 02:05:54,185 fail2ban   [21488]: ERROR   NOK: ('x',)`.
    private static let mark = "]: ERROR "

    /// - Parameter text: all that was printed for a command; `nil` when no error is in it.
    public init?(_ text: [UInt8]) { self.init(heads: text.split(separator: UInt8(ascii: "\n")).map(ClientFailure.head)) }

    /// - Parameter heads: The beginnings of the lines of an answer; `nil` when none of them is an error.
    public init?(heads: [String]) {
        let noJail = heads.contains { $0.hasPrefix("Sorry but the jail '") }
        guard let error = heads.lazy.compactMap({ line in line.firstRange(of: ClientFailure.mark).map { line[$0.upperBound...] } }).first
        else {
            guard noJail else { return nil }
            self = .unknownJail
            return
        }
        let words = brief(error.drop { $0 == " " }.utf8)
        if words.contains("Permission denied to socket") {
            self = .permission(words)
        } else if words.contains("Failed to access socket path") || words.contains("Connection refused") {
            self = .down
        } else if words.contains("Unable to contact server") || words.contains("[Errno ") {
            self = .lost
        } else if noJail {
            self = .unknownJail
        } else if words.hasPrefix("NOK: ") {
            // The line behind it has the same in a form for people.
            self = .refused(heads.last.map { brief($0.utf8) } ?? words)
        } else {
            self = .unclear(words)
        }
    }

    /// What is enough of a line to tell what it is, without the blanks around it.
    public static func head(_ line: ArraySlice<UInt8>) -> String {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r") }
        var rest = line.drop(while: isBlank).prefix(400)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return String(decoding: rest, as: UTF8.self)
    }
}

/// Foreign text for a log: at most 300 bytes on one line, without control characters.
public func brief(_ text: some Sequence<UInt8>) -> String {
    var kept: [UInt8] = []
    var isCut = false
    for byte in text {
        isCut = kept.count == 300
        if isCut { break }
        kept.append(byte)
    }
    // Terminals obey the second block of control characters, U+0080 to U+009F, as well.
    var safe = String(decoding: kept, as: UTF8.self).unicodeScalars.map { scalar in
        scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) ? " " : scalar
    }
    while !isCut, safe.last == " " { safe.removeLast() }
    return String(String.UnicodeScalarView(safe)) + (isCut ? "…" : "")
}
