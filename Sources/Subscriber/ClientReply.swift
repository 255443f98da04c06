// Stage 3, enforcement: what fail2ban-client's text means. All its failures end with the same exit code, so the text must tell them apart.

import Daemon
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

extension ClientReply {
    /// - Parameters:
    ///   - text: All that was printed on standard output and standard error since the command, without the prompt.
    ///   - localNow: The wall clock as fail2ban prints it, see ``localNow()``.
    init(_ text: [UInt8], to command: ClientCommand, localNow: Int64 = ClientReply.localNow()) {
        if let failure = ClientFailure(text) {
            self = .failure(failure)
            return
        }
        let lines = text.split(separator: UInt8(ascii: "\n"))
        // Warnings of Python or of the client may precede the answer.
        let last = lines.last ?? []
        switch command {
        case .version:
            self = ClientVersion(ClientFailure.head(last)).map(ClientReply.version) ?? .failure(.unclear(brief(text)))
        case .limit:
            self = Int(ClientFailure.head(last)).map { .limit($0 < 0 ? nil : $0) } ?? .failure(.unclear(brief(text)))
        case .list:
            self = .listed(rests(in: lines, localNow: localNow))
        case .status:
            guard let line = lines.last(where: { ClientFailure.head($0).contains("Banned IP list:") }) else {
                self = .failure(.unclear(brief(text)))
                return
            }
            self = .banned(addresses(in: line))
        case .actions:
            self = .actions(brief(last))
        case .ban(let asked), .renew(let asked), .unban(let asked), .unbanEverywhere(let asked):
            if let count = Int(ClientFailure.head(last)), count >= 0 {
                self = .count(count)
            } else if Address(ClientFailure.head(last)) != nil {
                // Versions before 0.10.5 print the address.
                self = .count(asked.count)
            } else {
                self = .failure(.unclear(brief(text)))
            }
        }
    }
}

extension ClientReply {
    /// The wall clock in this process's time zone, as if it were UTC, in seconds since the epoch: fail2ban prints local times without a
    /// zone.
    static func localNow() -> Int64 {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        return Int64(now) + Int64(parts.tm_gmtoff)
    }
}

/// Those words of the line that are addresses.
private func addresses(in line: ArraySlice<UInt8>) -> [Address] {
    line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.compactMap { Address(bytes: $0.span) }
}

/// What is left of each ban of a list with times.
private func rests(in lines: [ArraySlice<UInt8>], localNow: Int64) -> [Address: Duration] {
    var rests: [Address: Duration] = [:]
    rests.reserveCapacity(lines.count)
    for ban in lines.lazy.compactMap(TimedBan.init(line:)) {
        // A ban whose end can't be read is one all the same; it counts as renewed.
        rests[ban.address] =
            ban.end.map { .milliseconds($0.timestamp(offsetSeconds: 0).milliseconds) - .seconds(localNow) } ?? .seconds(Int64(Int32.max))
    }
    return rests
}
