// The operator's command: `fail2ban-cluster bans`, what is banned now, until when and by whom, and what is allowed.

import ArgumentParser
import Daemon
import Foundation
import Wire

struct BansCommand: OperatorCommand {
    static let configuration = CommandConfiguration(commandName: "bans", abstract: "Show what is banned now, until when, and who holds it.")

    @Flag(help: "Show instead what `unban --for` allows, and until when.")
    var allowed = false
    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        var conversation = try Conversation(configuration)
        var rows: [String] = []
        var after: String?
        repeat {
            let answer = try conversation.ask { [after] in
                var header: Header = ["what": allowed ? "allowed" : "bans"]
                header["after"] = after
                return Message(.query, header)
            }
            let page = try JSONDecoder().decode(BanPage.self, from: Data(answer.body))
            rows += page.rows
            after = page.next
        } while after != nil
        guard !rows.isEmpty else { return allowed ? "nothing is allowed\n" : "nothing is banned\n" }
        let head = allowed ? BanPage.row("ADDRESS", "ALLOWED FOR") : BanPage.row("ADDRESS", "ENDS IN", "HELD BY")
        return ([head] + rows).map { $0 + "\n" }.joined()
    }
}

/// The answer to `QUERY what=bans` or `what=allowed`; fields that this program doesn't know are ignored.
struct BanPage: Decodable {
    struct Ban: Decodable {
        struct Holder: Decodable {
            var host: String
            var jail: String
        }

        var address: String
        /// Milliseconds since the epoch; `nil` is permanent.
        var end: Int64?
        var holders: [Holder]
    }

    struct Allowed: Decodable {
        var address: String
        /// Milliseconds since the epoch; `nil` is permanent.
        var end: Int64?
    }

    /// The publisher's clock, in milliseconds since the epoch.
    var now: Int64
    var bans: [Ban]?
    var allowed: [Allowed]?
    /// Where the next page begins; `nil` on the last one.
    var next: String?

    var rows: [String] {
        func left(_ end: Int64?, _ never: String) -> String { end.map { BanPage.timeLeft(seconds: max($0 - now, 0) / 1000) } ?? never }
        let bans = (bans ?? []).map { ban in
            BanPage.row(ban.address, left(ban.end, "never"), ban.holders.map { "\($0.host)/\($0.jail)" }.joined(separator: " "))
        }
        return bans + (allowed ?? []).map { BanPage.row($0.address, left($0.end, "ever")) }
    }

    static func row(_ address: String, _ end: String, _ holders: String? = nil) -> String {
        func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(width - text.count, 0)) }
        return padded(address, 39) + "  " + (holders.map { padded(end, 9) + "  " + $0 } ?? end)
    }

    /// The two largest units: `6d 3h`, `12m 5s`.
    static func timeLeft(seconds: Int64) -> String {
        let units = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")]
        let parts = units.drop { $0.0 == 0 }.prefix(2).filter { $0.0 > 0 }
        return parts.isEmpty ? "0s" : parts.map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }
}
