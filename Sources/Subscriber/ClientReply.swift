// Stage 3, enforcement: what fail2ban-client's text means. All its failures end with the same exit code, so the text must tell them apart.

import Glibc
import Wire

/// The answer to one command, from the text that `fail2ban-client -i` prints for it before its next prompt.
enum ClientReply: Hashable, Sendable {
    case version(ClientVersion)
    /// The addresses that the jail bans. Texts that are no addresses, which fail2ban bans too, are left out.
    case banned([Address])
    /// How long the jail bans, in seconds; `nil` for ever.
    case limit(Int?)
    /// The same with what is left of each ban.
    case listed([Address: Duration])
    /// The names of the jail's actions, separated by commas.
    case actions(String)
    /// How many bans were made or lifted.
    case count(Int)
    case failure(ClientFailure)
}

/// Why a command was not carried out.
enum ClientFailure: Hashable, Sendable {
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

extension ClientReply {
    /// - Parameters:
    ///   - text: All that was printed on standard output and standard error since the command, without the prompt.
    ///   - localNow: The wall clock as fail2ban prints it, see ``localNow()``.
    init(_ text: [UInt8], to command: ClientCommand, localNow: Int64 = ClientReply.localNow()) {
        let lines = text.split(separator: UInt8(ascii: "\n"))
        if let failure = ClientFailure(heads: lines.map(head)) {
            self = .failure(failure)
            return
        }
        // Warnings of Python or of the client may precede the answer.
        let last = lines.last ?? []
        switch command {
        case .version:
            self = ClientVersion(head(last)).map(ClientReply.version) ?? .failure(.unclear(brief(text)))
        case .limit:
            self = Int(head(last)).map { .limit($0 < 0 ? nil : $0) } ?? .failure(.unclear(brief(text)))
        case .list:
            self = .listed(bans(in: lines, localNow: localNow))
        case .status:
            guard let line = lines.last(where: { head($0).contains("Banned IP list:") }) else {
                self = .failure(.unclear(brief(text)))
                return
            }
            self = .banned(addresses(in: line))
        case .actions:
            self = .actions(brief(last))
        case .ban(let asked), .renew(let asked), .unban(let asked), .unbanEverywhere(let asked):
            if let count = Int(head(last)), count >= 0 {
                self = .count(count)
            } else if Address(head(last)) != nil {
                // Versions before 0.10.5 print the address.
                self = .count(asked.count)
            } else {
                self = .failure(.unclear(brief(text)))
            }
        }
    }
}

extension ClientReply {
    /// The wall clock in this process's time zone, as if it were UTC, in seconds since the epoch: fail2ban prints local times without a zone.
    static func localNow() -> Int64 {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        return Int64(now) + Int64(parts.tm_gmtoff)
    }
}

extension ClientFailure {
    /// What the client's log puts before its errors: `2026-11-21 02:05:54,185 fail2ban   [21488]: ERROR   NOK: ('x',)`.
    private static let mark = "]: ERROR "

    /// - Parameter heads: The beginnings of the lines of an answer; `nil` when none of them is an error.
    fileprivate init?(heads: [String]) {
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
}

/// What is enough of a line to tell what it is, without the blanks around it.
private func head(_ line: ArraySlice<UInt8>) -> String {
    func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r") }
    var rest = line.drop(while: isBlank).prefix(400)
    while let last = rest.last, isBlank(last) { rest.removeLast() }
    return String(decoding: rest, as: UTF8.self)
}

/// Those words of the line that are addresses.
private func addresses(in line: ArraySlice<UInt8>) -> [Address] {
    line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.compactMap { Address(bytes: $0.span) }
}

/// The bans of a list with times, one a line: `192.0.2.1 \t2026-11-21 05:27:33 + 86400 = 2026-11-22 05:27:33`.
private func bans(in lines: [ArraySlice<UInt8>], localNow: Int64) -> [Address: Duration] {
    var bans: [Address: Duration] = [:]
    bans.reserveCapacity(lines.count)
    for line in lines {
        let word = line.prefix { $0 != UInt8(ascii: " ") }
        guard let address = Address(bytes: word.span) else { continue }
        // A ban whose end can't be read is one all the same; it counts as renewed.
        bans[address] = localTime(line.suffix(19)).map { .seconds($0 - localNow) } ?? .seconds(Int64(Int32.max))
    }
    return bans
}

/// `2026-11-22 05:27:33` as if it were UTC, in seconds since the epoch.
private func localTime(_ text: ArraySlice<UInt8>) -> Int64? {
    guard text.count == 19, text.elementsEqual("0000-00-00 00:00:00".utf8, by: { isDigit($0) == isDigit($1) }) else { return nil }
    var numbers: [Int32] = []
    for part in text.split(whereSeparator: { !isDigit($0) }) {
        numbers.append(part.reduce(0) { $0 * 10 + Int32($1 - UInt8(ascii: "0")) })
    }
    var parts = tm()
    (parts.tm_year, parts.tm_mon, parts.tm_mday) = (numbers[0] - 1900, numbers[1] - 1, numbers[2])
    (parts.tm_hour, parts.tm_min, parts.tm_sec) = (numbers[3], numbers[4], numbers[5])
    return Int64(timegm(&parts))
}

private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// Foreign text for a log: at most 300 bytes on one line, without control characters.
func brief(_ text: some Sequence<UInt8>) -> String {
    var kept: [UInt8] = []
    for byte in text {
        guard kept.count < 300 else { return String(decoding: kept, as: UTF8.self) + "…" }
        kept.append(byte < 0x20 || byte == 0x7f ? UInt8(ascii: " ") : byte)
    }
    while kept.last == UInt8(ascii: " ") { kept.removeLast() }
    return String(decoding: kept, as: UTF8.self)
}
