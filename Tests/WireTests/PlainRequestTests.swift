// Tests of what travels: the one frame of fail2ban-zmq-tools's clients.

import Testing
import Wire

@Suite struct PlainRequestTests {
    private func parse(_ frame: String) throws(PlainRequest.Failure) -> PlainRequest {
        let bytes = Array(frame.utf8)
        return try PlainRequest(frame: bytes.span)
    }

    @Test func fourFieldsAreAnEvent() throws {
        let request = try parse("web1|sshd|Ban|203.0.113.9")
        #expect(request.token == nil)
        #expect(request.echo.text == "web1|sshd|Ban|203.0.113.9")
        #expect(request.event.line == "web1|sshd|Ban|203.0.113.9|-|-|-|-|detected")
    }

    @Test func fiveFieldsBeginWithAToken() throws {
        let request = try parse("s3cret token!|web1|sshd|Unban|203.0.113.9")
        #expect(request.token == "s3cret token!")
        #expect(request.echo.text == "web1|sshd|Unban|203.0.113.9")
        #expect(request.event.line == "web1|sshd|Unban|203.0.113.9|-|-|-|-|lifted")
    }

    @Test func anEmptyTokenIsAToken() throws {
        #expect(try parse("|web1|sshd|Ban|203.0.113.9").token == "")
    }

    @Test func theEchoIsWhatTheClientSentByteForByte() throws {
        let request = try parse("t|WEB1.Example|sshd|Ban|2001:DB8:0::7")
        #expect(request.echo.text == "WEB1.Example|sshd|Ban|2001:DB8:0::7")
        #expect(request.event.host.description == "web1.example" && request.event.address.description == "2001:db8::7")
    }

    @Test(
        "Each refusal has its reason",
        arguments: [
            ("", .fields), ("HELLO", .fields), ("web1|sshd|Ban", .fields), ("a|b|web1|sshd|Ban|203.0.113.9", .fields),
            ("web1|sshd|Ban|203.0.113.9|-|-|-|-|detected", .fields),
            ("wéb|sshd|Ban|203.0.113.9", .text), ("web1|sshd|Ban|203.0.113.9\n", .text), ("web1|sshd|Ban|203.0.113.9\0", .text),
            ("tokén|web1|sshd|Ban|203.0.113.9", .text), ("web1|sshd|Ban|203.0.113.9\r\nweb1|sshd|Ban|203.0.113.10", .text),
            ("|sshd|Ban|203.0.113.9", .host), ("-web1|sshd|Ban|203.0.113.9", .host), ("t|web_1|sshd|Ban|203.0.113.9", .host),
            ("web1||Ban|203.0.113.9", .jail), ("web1|my jail|Ban|203.0.113.9", .jail), ("t|web1|$(id)|Ban|203.0.113.9", .jail),
            ("web1|sshd|ban|203.0.113.9", .action), ("web1|sshd||203.0.113.9", .action), ("t|web1|sshd|Found|203.0.113.9", .action),
            ("web1|sshd|Ban|999.1.1.1", .address), ("web1|sshd|Ban|", .address), ("t|web1|sshd|Ban|fe80::1%eth0", .address),
            ("web1|sshd|Ban|localhost", .address), ("web1|sshd|Ban|203.0.113.9 ", .address),
        ] as [(String, PlainRequest.Failure)])
    func eachRefusalHasItsReason(frame: String, failure: PlainRequest.Failure) {
        #expect(throws: failure) { try parse(frame) }
    }

    @Test func anOversizedFrameIsRefusedUnread() {
        let event = "|web1|sshd|Ban|203.0.113.9"
        let room = PlainRequest.sizeLimit - event.utf8.count
        #expect(throws: Never.self) { try parse(String(repeating: "t", count: room) + event) }
        #expect(throws: PlainRequest.Failure.oversized) { try parse(String(repeating: "t", count: room + 1) + event) }
        #expect(throws: PlainRequest.Failure.oversized) { try parse(String(repeating: "é", count: 1_000_000)) }
    }

    @Test func anyEventFitsBesideATokenOf128Bytes() throws {
        var frame = Array((String(repeating: "t", count: 128) + "|").utf8)
        try EventTests.longest(number: 1).appendPlainLine(to: &frame)
        #expect(throws: Never.self) { try PlainRequest(frame: frame.span) }
    }

    @Test func aDamagedFrameIsRefusedOrMeansWhatItSays() {
        forRandomCases(20_000) { random in
            let event = random.event()
            var frame = random.once(in: 2) ? Array("token|".utf8) : []
            event.appendPlainLine(to: &frame)
            frame = mutated(frame, alphabet: random.once(in: 2) ? anyByte : Array("||0.:-".utf8), &random)
            guard let request = try? PlainRequest(frame: frame.span) else { return }
            #expect((request.token.map { Array("\($0)|".utf8) } ?? []) + request.echo == frame)
            #expect((try? PlainRequest(frame: request.echo.span))?.event == request.event)
        }
    }
}
