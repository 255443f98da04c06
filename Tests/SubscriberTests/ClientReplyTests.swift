// The meaning of fail2ban-client's text. Each text was printed by fail2ban 1.0.2 (`observed`), or is what the source of another version
// would print (`source`).

import Daemon
import Testing
import Wire

@testable import Subscriber

@Suite struct ClientReplyTests {
    private static let head = "2026-11-21 02:05:54,185 fail2ban                [21488]: ERROR   "

    struct Sample: Sendable, CustomTestStringConvertible {
        var text: String
        var command: String
        var reply: ClientReply
        var testDescription: String { "\(command): \(text.prefix(60))" }
    }

    /// Observed, with standard output and standard error in one pipe.
    static let samples: [Sample] = [
        Sample(text: "3\n", command: "ban", reply: .count(3)),
        Sample(text: "0\n", command: "ban", reply: .count(0)),
        Sample(text: "1\n", command: "unban", reply: .count(1)),
        Sample(
            text: "The jail fail2ban-cluster has the following actions:\nnftables-allports\n", command: "actions",
            reply: .actions("nftables-allports")),
        Sample(text: "2\n", command: "unbanEverywhere", reply: .count(2)),
        Sample(
            text: head + "NOK: (\"not banned: ['192.0.2.1']\",)\nnot banned: ['192.0.2.1']\n", command: "unban",
            reply: .failure(.refused("not banned: ['192.0.2.1']"))),
        Sample(text: head + "NOK: ('nix',)\nSorry but the jail 'nix' does not exist\n", command: "ban", reply: .failure(.unknownJail)),
        Sample(text: head + "NOK: ('nix',)\nSorry but the jail 'nix' does not exist\n", command: "list", reply: .failure(.unknownJail)),
        Sample(
            text: head + "NOK: (\"invalid literal for int() with base 10: 'b'\",)\ninvalid literal for int() with base 10: 'b'\n",
            command: "ban", reply: .failure(.refused("invalid literal for int() with base 10: 'b'"))),
        Sample(
            text: head + "NOK: ('Invalid command (no get action or not yet implemented)',)\n"
                + "Invalid command (no get action or not yet implemented)\n",
            command: "list", reply: .failure(.refused("Invalid command (no get action or not yet implemented)"))),
        Sample(
            text: head + "Failed to access socket path: /run/fail2ban/fail2ban.sock. Is fail2ban running?\n", command: "version",
            reply: .failure(.down)),
        Sample(
            text: head + "[[Errno 111] Connection refused] Unable to contact server. Is it running?\n", command: "ban",
            reply: .failure(.down)),
        Sample(
            text: head + "[[Errno 104] Connection reset by peer] Unable to contact server. Is it running?\n", command: "ban",
            reply: .failure(.lost)),
        Sample(
            text: head + "Permission denied to socket: /run/fail2ban/fail2ban.sock, (you must be root)\n", command: "version",
            reply: .failure(.permission("Permission denied to socket: /run/fail2ban/fail2ban.sock, (you must be root)"))),
        Sample(text: head + "No closing quotation\n", command: "ban", reply: .failure(.unclear("No closing quotation"))),
        Sample(text: "Server replied: pong\n", command: "ban", reply: .failure(.unclear("Server replied: pong"))),
        Sample(text: "", command: "ban", reply: .failure(.unclear(""))),
        Sample(text: "\u{1b}[31m\n", command: "version", reply: .failure(.unclear(" [31m"))),
        Sample(text: "\u{9b}31m\u{85}\n", command: "version", reply: .failure(.unclear(" 31m"))),
    ]

    @Test(arguments: samples) func eachTextIsToldApart(_ sample: Sample) throws {
        let addresses = try addresses("192.0.2.1", "192.0.2.2")
        let command: ClientCommand =
            switch sample.command {
            case "ban": .ban(addresses)
            case "unban": .unban(addresses)
            case "unbanEverywhere": .unbanEverywhere(addresses)
            case "list": .list
            case "limit": .limit
            case "actions": .actions
            default: .version
            }
        #expect(ClientReply(Array(sample.text.utf8), to: command) == sample.reply)
    }

    @Test func theListHoldsAddressesAndPrefixesAndSkipsWhatIsNeither() throws {
        let text = """
            <frozen importlib>: DeprecationWarning: asyncore is deprecated
            192.0.2.2 \t2026-11-21 05:27:33 + 3600 = 2026-11-21 06:27:33
            2001:db8::1 \t2024-02-29 23:59:59 + 3600 = 2024-03-01 00:59:59
            bob@example.com \t2026-11-21 05:27:33 + 3600 = 2026-11-21 06:27:33
            198.51.100.0/24 \t2026-11-21 05:27:33 + -1 = 9999-12-31 23:59:59
            999.1.1.1 \t2026-11-21 05:27:33 + 3600 = 2026-11-21 06:27:33

            """
        // 2026-11-21 05:27:33, if it were UTC.
        let now: Int64 = 1_795_238_853
        let expected: [Address: Duration] = [
            try address("192.0.2.2"): .seconds(3600), try address("2001:db8::1"): .seconds(1_709_254_799 - now),
            try address("198.51.100.0/24"): .seconds(253_402_300_799 - now),
        ]
        #expect(ClientReply(Array(text.utf8), to: .list, localNow: now) == .listed(expected))
    }

    @Test(arguments: ["", "+ 5", "2026-11-21T", "2026-11-21 05:27:33 + 5 = never", "2026-11-21 05:27"])
    func aBanWhoseEndCannotBeReadIsOneAllTheSame(_ times: String) throws {
        let reply = ClientReply(Array("192.0.2.2 \t\(times)\n".utf8), to: .list, localNow: 0)
        #expect(reply == .listed([try address("192.0.2.2"): .seconds(Int64(Int32.max))]))
    }

    @Test func theTextOfAVersionCanBeShown() {
        #expect(ClientVersion("1.0.\u{9b}31m2\u{1b}[0m")?.description == "1.0. 31m2 [0m")
    }

    @Test func anEmptyJailListsAnEmptyLine() { #expect(ClientReply(Array("\n".utf8), to: .list) == .listed([:])) }

    @Test func theLimitOfAJailIsANumberOfSecondsOrForEver() {
        #expect(ClientReply(Array("86400\n".utf8), to: .limit) == .limit(86_400))
        #expect(ClientReply(Array("-1\n".utf8), to: .limit) == .limit(nil))
        #expect(ClientReply(Array("1d\n".utf8), to: .limit) == .failure(.unclear("1d")))
    }

    @Test func theListOfVersionsWithoutOneIsReadFromTheStatus() throws {
        let text = """
            Status for the jail: fail2ban-cluster
            |- Filter
            |  |- Currently failed:\t0
            |  |- Total failed:\t0
            |  `- File list:\t
            `- Actions
               |- Currently banned:\t2
               |- Total banned:\t6
               `- Banned IP list:\t2001:db8::1 192.0.2.4

            """
        #expect(ClientReply(Array(text.utf8), to: .status) == .banned(try addresses("2001:db8::1", "192.0.2.4")))
    }

    @Test func aWarningBeforeTheAnswerDoesNotHideIt() throws {
        let text = "<frozen importlib>: DeprecationWarning: asyncore is deprecated\n1\n"
        #expect(ClientReply(Array(text.utf8), to: .ban(try addresses("192.0.2.1"))) == .count(1))
    }

    @Test("versions before 0.10.5 print the address (source)") func oldVersionsPrintTheAddress() throws {
        #expect(ClientReply(Array("192.0.2.1\n".utf8), to: .ban(try addresses("192.0.2.1"))) == .count(1))
    }

    @Test func versionsAreReadAndCompared() throws {
        #expect(ClientReply(Array("1.0.2\n".utf8), to: .version) == .version(try #require(ClientVersion("1.0.2"))))
        #expect(ClientReply(Array("1.1.2.dev1\n".utf8), to: .version) == .version(try #require(ClientVersion("1.1.2.dev1"))))
        #expect(ClientVersion("") == nil)
        #expect(ClientVersion("banana") == nil)
    }

    @Test(arguments: [
        ("0.9.7", false, false, false), ("0.10.0", false, false, true), ("0.10.4", false, false, true), ("0.10.5", true, false, true),
        ("0.10.6", true, false, true), ("0.11.0", false, false, true), ("0.11.1", true, true, true), ("1.0.2", true, true, true),
        ("1.1.2.dev1", true, true, true),
    ]) func whatAVersionCanDo(_ text: String, _ several: Bool, _ lists: Bool, _ everywhere: Bool) throws {
        let version = try #require(ClientVersion(text))
        #expect(version.takesSeveral == several)
        #expect(version.listsBans == lists)
        #expect(version.unbansEverywhere == everywhere)
    }

    @Test func aCommandIsOneLineOfPlainWords() throws {
        let some = try addresses("192.0.2.1", "2001:db8::/48")
        #expect(ClientCommand.version.line(jail: .cluster) == "version")
        #expect(ClientCommand.list.line(jail: .cluster) == "get fail2ban-cluster banip --with-time")
        #expect(ClientCommand.limit.line(jail: .cluster) == "get fail2ban-cluster bantime")
        #expect(ClientCommand.renew(some).line(jail: .cluster) == ClientCommand.ban(some).line(jail: .cluster))
        #expect(ClientCommand.status.line(jail: .cluster) == "status fail2ban-cluster")
        #expect(ClientCommand.ban(some).line(jail: .cluster) == "set fail2ban-cluster banip 192.0.2.1 2001:db8::/48")
        #expect(ClientCommand.unban(some).line(jail: .cluster) == "set fail2ban-cluster unbanip 192.0.2.1 2001:db8::/48")
        #expect(ClientCommand.unbanEverywhere(some).line(jail: .cluster) == "unban 192.0.2.1 2001:db8::/48")
    }

    @Test func theLargestCommandFitsIntoAPipeAtOnce() throws {
        let longest = try address("2001:db88:ffff:ffff:ffff:ffff:ffff:fffe/127")
        let jail = try #require(Jail(String(repeating: "j", count: 64)))
        let line = ClientCommand.unban(Array(repeating: longest, count: ChunkSize.most)).line(jail: jail)
        #expect(line.utf8.count < 4096)
    }
}
