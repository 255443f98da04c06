// The operator's command: `fail2ban-cluster bans`, what is banned now, until when and by whom, and what is allowed.

import ArgumentParser
import Daemon
import Wire

struct BansCommand: OperatorCommand {
    static let configuration = CommandConfiguration(commandName: "bans", abstract: "Show what is banned now, until when, and who holds it.")

    @Flag(help: "Show instead what `unban --for` allows, and until when.")
    var allowed = false
    @OptionGroup var options: ConfigurationOption

    func perform(_ configuration: Configuration) throws -> String {
        var conversation = try Conversation(configuration)
        var rows: [String] = []
        var after: Address?
        repeat {
            let answer = try conversation.ask { [after] in
                var header: Header = ["what": allowed ? "allowed" : "bans"]
                header["after"] = after?.description
                return Message(.query, header)
            }
            let page = try BanPage(json: answer.body, after: after)
            rows += page.rows
            after = page.next
        } while after != nil
        guard !rows.isEmpty else { return allowed ? "nothing is allowed\n" : "nothing is banned\n" }
        let head = allowed ? BanPage.row("ADDRESS", "ALLOWED FOR") : BanPage.row("ADDRESS", "ENDS IN", "HELD BY")
        return ([head] + rows).map { $0 + "\n" }.joined()
    }
}
