// What the operator's program makes of a publisher's list of bans, which it shows on a terminal.

import Testing
import Wire

@testable import Operator

@Suite struct BanPageTests {
    private let now = Timestamp(milliseconds: 1_795_212_000_000)

    private func page(_ text: String, after: Address? = nil) throws -> BanPage { try BanPage(json: Array(text.utf8), after: after) }

    private func page(address: String = "192.0.2.1", host: String = "web1", jail: String = "sshd") throws -> BanPage {
        try page(#"{"now":1795212000000,"bans":[{"address":"\#(address)","end":null,"holders":[{"host":"\#(host)","jail":"\#(jail)"}]}]}"#)
    }

    @Test func aPageIsRead() throws {
        let text = """
            {"term":"00","now":1795212000000,"bans":[{"address":"192.0.2.1","end":1795215600000,"more":[{}],
            "holders":[{"end":null,"host":"web1","jail":"sshd"}]}],"next":"192.0.2.1"}
            """
        let page = try page(text)
        #expect(page.now == now && page.next == Address("192.0.2.1"))
        let ban = try #require(page.bans.first)
        #expect(page.bans.count == 1 && ban.address == page.next && ban.end == Timestamp(milliseconds: 1_795_215_600_000))
        #expect(ban.holders.map { "\($0.host)/\($0.jail)" } == ["web1/sshd"] && ban.holders.allSatisfy { $0.end == nil })
    }

    @Test func whatIsAllowedIsReadToo() throws {
        let page = try page(#"{"now":1795212000000,"allowed":[{"address":"192.0.2.1","end":null}]}"#)
        #expect(page.allowedTable(width: nil) == "ADDRESS    ALLOWED FOR\n192.0.2.1  ever\n")
        #expect(throws: (any Error).self) { try self.page(#"{"now":1,"allowed":[{"address":"\u001b[31m","end":null}]}"#) }
    }

    @Test("What is no address, host or jail is not shown", arguments: [#"\u001b[31m"#, #"\u009b31m"#, #"a\nb"#, "", "a b", "…"])
    func nothingReachesTheTerminalButNames(text: String) throws {
        #expect(throws: Never.self) { try page() }
        #expect(throws: (any Error).self) { try page(address: text) }
        #expect(throws: (any Error).self) { try page(host: text) }
        #expect(throws: (any Error).self) { try page(jail: text) }
    }

    @Test("No time is too far away to be shown", arguments: [Int64.min, -1, 0, Int64.max], [Int64.min, -1, 0, Int64.max])
    func noTimeIsTooFarAway(now: Int64, end: Int64) throws {
        let bans = try page(#"{"now":\#(now),"bans":[{"address":"192.0.2.1","end":\#(end),"holders":[]}]}"#)
        let status = try wellCluster()
        #expect(BansOutput(bans, status).table(width: nil).contains("\n192.0.2.1  "))
        let allowed = try page(#"{"now":\#(now),"allowed":[{"address":"192.0.2.1","end":\#(end)}]}"#)
        #expect(allowed.allowedTable(width: nil).contains("\n192.0.2.1  "))
    }

    @Test("A list whose pages do not go on would have no end", arguments: ["192.0.2.1", "192.0.2.0", "0.0.0.0"])
    func aListComesToItsEnd(next: String) throws {
        let text = #"{"now":1,"bans":[],"next":"\#(next)"}"#
        #expect(throws: Never.self) { try page(text, after: Address("0.0.0.0/1")) }
        #expect(throws: (any Error).self) { try page(text, after: Address("192.0.2.1")) }
    }

    @Test("JSON as deep as a message can be is refused", arguments: ["[", #"{"a":"#, #"{"now":1,"bans":[],"x":"#])
    func deepJSONIsRefused(opening: String) {
        let deep = opening + String(repeating: "[", count: Message.sizeLimit - opening.utf8.count)
        #expect(throws: (any Error).self) { try page(deep) }
        let closed = String(repeating: "[", count: 30_000) + String(repeating: "]", count: 30_000)
        #expect(throws: (any Error).self) { try page(#"{"now":1,"bans":[],"x":\#(closed)}"#) }
    }
}
