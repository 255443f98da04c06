// Tests of what travels: every example in docs/wire-protocol.md reads, means what it says, and is what the code prints.

import Foundation
import Testing
import Wire

@Suite struct ProtocolExampleTests {
    private let document: ProtocolDocument

    init() throws { document = try ProtocolDocument() }

    /// A message as the document shows it: frames parted by `---`, without the newline that ends the last line of a body.
    private func shown(_ message: Message) -> String {
        message.frames.map { frame in
            let text = frame.text
            return text.isEmpty ? "(empty)" : text.hasSuffix("\n") ? String(text.dropLast()) : text
        }.joined(separator: "\n---\n")
    }

    private func message(_ block: ProtocolDocument.Block) throws -> Message {
        let frames = block.lines.split(separator: "---", omittingEmptySubsequences: false).map { lines in
            lines.elementsEqual(["(empty)"]) ? [] : Array(lines.joined(separator: "\n").utf8)
        }
        return try Message(frames: frames)
    }

    /// What the verb's own reader makes of the message, printed again; the message itself where its form is not this module's.
    private func read(_ message: Message) throws -> Message {
        switch message.verb {
        case .report:
            let report = try Report(message)
            for entry in report.entries { _ = try entry.content.get() }
            return report.message
        case .order: return try Order(message).message
        case .refused:
            let refusal = try #require(RequestRefusal(message))
            #expect(refusal.code.rawValue == message.header["code"])
            return refusal.message(term: message.header.term)
        case .acknowledged where message.header["position"] != nil: return try Acknowledgement(message).message
        case .acknowledged:
            #expect(message.header.term != nil && message.header.number("number") != nil)
            return message
        case .sync: return try SyncRequest(message).message
        case .events, .snapshot: return try SyncAnswer(message).message(first: message.header.number("first") ?? 0)
        case .query:
            #expect(["bans", "allowed", "status", "address", "history"].contains(message.header["what"]))
            #expect(message.header["after"].map { Address($0) != nil } ?? true)
            return message
        case .json:
            try check(list: message.body)
            return message
        case .holds: return try HoldsPage(message).message
        case .state:
            _ = try JSONSerialization.jsonObject(with: Data(message.body))
            return try DaemonState(message).message
        case .ok: return DaemonState.answer(term: try DaemonState.term(of: message))
        }
    }

    private struct BanList: Decodable {
        struct Ban: Decodable {
            struct Holder: Decodable {
                var host: String
                var jail: String
                var end: Int64?
            }
            var address: String
            var end: Int64?
            var holders: [Holder]
        }
        struct Allowed: Decodable {
            var address: String
            var end: Int64?
        }
        var bans: [Ban]?
        var allowed: [Allowed]?
        var next: String?
        var now: Int64
        var term: String
    }

    private func check(list body: [UInt8]) throws {
        let list = try JSONDecoder().decode(BanList.self, from: Data(body))
        #expect(Term(list.term) != nil && list.now == Timestamp(milliseconds: list.now).milliseconds)
        #expect((list.bans == nil) != (list.allowed == nil))
        for allowed in list.allowed ?? [] { #expect(Address(allowed.address)?.description == allowed.address) }
        for ban in list.bans ?? [] {
            #expect(Address(ban.address)?.description == ban.address && !ban.holders.isEmpty)
            for holder in ban.holders { #expect(Hostname(holder.host) != nil && Jail(holder.jail) != nil) }
        }
    }

    @Test func everyEventInTheDocumentIsWhatTheCodePrints() throws {
        let lines = document.blocks("event").flatMap(\.lines)
        #expect(lines.count >= 3)
        for line in lines { #expect(try parseEvent(line).line == line) }
    }

    @Test func everyBroadcastInTheDocumentIsWhatTheCodePrints() throws {
        let blocks = document.blocks("broadcast")
        #expect(blocks.count >= 3)
        for block in blocks {
            let bytes = Array(block.text.utf8)
            let broadcast = try Broadcast(frame: bytes.span)
            #expect(broadcast.frame.text == block.text, "line \(block.line)")
        }
        #expect(blocks.contains { $0.lines.count == 1 }, "there is a beat")
    }

    @Test func everyMessageInTheDocumentIsWhatTheCodePrints() throws {
        let blocks = document.blocks("message")
        for block in blocks {
            let message = try message(block)
            #expect(shown(try read(message)) == block.text, "line \(block.line)")
        }
        let verbs = try Set(blocks.map { try message($0).verb })
        #expect(verbs == [.report, .holds, .sync, .state, .order, .query, .acknowledged, .refused, .events, .snapshot, .ok, .json])
    }

    @Test func everyPlainFrameInTheDocumentIsWhatTheCodePrints() throws {
        let requests = document.blocks("plain-request").flatMap(\.lines)
        #expect(!requests.isEmpty)
        for (request, answer) in zip(requests, document.blocks("plain").flatMap(\.lines)) {
            let bytes = Array(request.utf8)
            let read = try PlainRequest(frame: bytes.span)
            #expect(read.token != nil && read.echo.text == answer)
            var line: [UInt8] = []
            read.event.appendPlainLine(to: &line)
            #expect(line.text == answer)
        }
    }

    @Test func theDocumentHasNoBlockThatNobodyChecks() {
        let known: Set = ["abnf", "event", "broadcast", "message", "plain-request", "plain"]
        for block in document.blocks { #expect(known.contains(block.kind), "line \(block.line)") }
    }

    @Test func theDocumentNamesTheLimitsOfTheCode() {
        #expect(Event.longestLine == 512 && PlainRequest.sizeLimit == 512 && Message.frameCount == 4)
        #expect(Message.sizeLimit == 64 * 1024 && Broadcast.sizeLimit == 64 * 1024)
        #expect(Header.lineLimit == 32 && Order.addressLimit == 1000)
        #expect(Message.version == "F2BC/1" && Broadcast.prefix == "F2BC/1|")
    }
}
