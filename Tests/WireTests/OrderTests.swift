// Tests of what travels: an operator's orders.

import Testing
import Wire

@Suite struct OrderTests {
    private func parse(_ header: Header, _ body: String = "203.0.113.9\n") throws(MessageError) -> Order {
        try Order(Message(.order, header, body: Array(body.utf8)))
    }

    @Test func anOrderNamesItsAddresses() throws {
        let order = try parse(
            ["command": "ban", "now": "1795212000131", "end": "*", "note": "botnet, ticket 42"],
            "203.0.113.9\n2001:DB8::/64\n::ffff:192.0.2.1")
        #expect(order.command == .ban && order.end == .permanent && order.note == "botnet, ticket 42")
        #expect(order.addresses.map(\.description) == ["203.0.113.9", "2001:db8::/64", "192.0.2.1"])
    }

    @Test func anOrderGivesTheSameOrderAgain() throws {
        try forRandomCases(1_000) { random in
            let addresses = (0..<random.number(1...20)).map { _ in random.address() }
            let order = Order(
                random.pick([.ban, .unban, .allow]), now: random.timestamp(), end: random.banEnd(), note: "\(random.number(0...99)) ü",
                addresses: addresses)
            guard order.command != .allow || order.end != .unknown else { return }
            let again = try Order(Message(frames: order.message.frames))
            #expect(again == order)
        }
    }

    @Test(
        "An order with a bad field is refused and the field named",
        arguments: [
            (["now": "1", "end": "-"], "command"), (["command": "drop", "now": "1", "end": "-"], "command"),
            (["command": "Ban", "now": "1", "end": "-"], "command"), (["command": "allow", "now": "1", "end": "-"], "end"),
            (["command": "ban", "end": "-"], "now"), (["command": "ban", "now": "-", "end": "-"], "now"),
            (["command": "ban", "now": "1"], "end"), (["command": "ban", "now": "1", "end": "1h"], "end"),
        ] as [(Header, String)])
    func aBadFieldIsNamed(header: Header, field: String) {
        #expect(throws: MessageError.malformed(field)) { try parse(header) }
    }

    @Test func oneBadAddressMakesTheWholeOrderBad() {
        let header: Header = ["command": "unban", "now": "1", "end": "-"]
        #expect(throws: MessageError.malformed("address in line 2")) { try parse(header, "203.0.113.9\n999.1.1.1\n203.0.113.10\n") }
        #expect(throws: MessageError.malformed("address in line 1")) { try parse(header, " 203.0.113.9") }
    }

    @Test func anOrderHasOneToAThousandAddresses() throws {
        let longest = try #require(Address("2001:db8:ffff:ffff:ffff:ffff:ffff:fffe/127"))
        func order(_ count: Int) -> Order { Order(.ban, now: .latest, addresses: Array(repeating: longest, count: count)) }
        let most = try Order(Message(frames: order(Order.addressLimit).message.frames))
        #expect(most.addresses.count == Order.addressLimit)
        #expect(throws: MessageError.malformed("1001 addresses")) { try Order(order(Order.addressLimit + 1).message) }
        #expect(throws: MessageError.malformed("0 addresses")) { try Order(order(0).message) }
    }

    @Test func aWithdrawalNamesAHostAndNoAddress() throws {
        let host = try #require(Hostname("web7"))
        let order = Order(withdrawing: host, now: Timestamp(milliseconds: 1), note: "stolen")
        #expect(try Order(Message(frames: order.message.frames)) == order)
        let header: Header = ["command": "withdraw", "now": "1", "end": "-"]
        #expect(throws: MessageError.malformed("host")) { try parse(header, "") }
        #expect(throws: MessageError.malformed("1 addresses")) { try parse(header) }
    }

    @Test func aNoteIsOptional() throws {
        #expect(try parse(["command": "ban", "now": "1", "end": "-"]).note.isEmpty)
    }

    @Test func anotherVerbIsNoOrder() {
        #expect(throws: MessageError.verb) { try Order(Message(.query, ["command": "ban", "now": "1", "end": "-"])) }
    }
}
