// The operator's command: `fail2ban-cluster bans`, what is banned now, until when and by whom.

import ArgumentParser
import Daemon
import Foundation
import Wire

struct BansCommand: OperatorCommand {
    static let configuration = CommandConfiguration(commandName: "bans", abstract: "Show what is banned now, until when, and who holds it.")

    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        var conversation = try Conversation(configuration)
        var rows: [String] = []
        var after: String?
        repeat {
            let answer = try conversation.ask { [after] in
                var header: Header = ["what": "bans"]
                header["after"] = after
                return Message(.query, header)
            }
            let page = try JSONDecoder().decode(BanPage.self, from: Data(answer.body))
            rows += page.bans.map { $0.row(now: page.now) }
            after = page.next
        } while after != nil
        guard !rows.isEmpty else { return "nothing is banned\n" }
        return ([BanPage.row("ADDRESS", "ENDS IN", "HELD BY")] + rows).map { $0 + "\n" }.joined()
    }
}

/// The answer to `QUERY what=bans`; fields that this program doesn't know are ignored.
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

        func row(now: Int64) -> String {
            let left = end.map { BanPage.timeLeft(seconds: max($0 - now, 0) / 1000) } ?? "never"
            return BanPage.row(address, left, holders.map { "\($0.host)/\($0.jail)" }.joined(separator: " "))
        }
    }

    /// The publisher's clock, in milliseconds since the epoch.
    var now: Int64
    var bans: [Ban]
    /// Where the next page begins; `nil` on the last one.
    var next: String?

    static func row(_ address: String, _ end: String, _ holders: String) -> String {
        func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(width - text.count, 0)) }
        return "\(padded(address, 39))  \(padded(end, 9))  \(holders)"
    }

    /// The two largest units: `6d 3h`, `12m 5s`.
    static func timeLeft(seconds: Int64) -> String {
        let units = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")]
        let parts = units.drop { $0.0 == 0 }.prefix(2).filter { $0.0 > 0 }
        return parts.isEmpty ? "0s" : parts.map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }
}
