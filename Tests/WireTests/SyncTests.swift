// What a subscriber asks for and gets: both travel whole, and nothing else is taken for them.

import Testing
import Wire

@Suite struct SyncTests {
    private let term = Term(id: 42)
    private let now = Timestamp(milliseconds: 1_795_212_000_000)

    private func event(_ text: String, number: UInt64?) throws -> Event {
        Event(
            host: try #require(Hostname("web1")), jail: try #require(Jail("sshd")), action: .ban, address: try #require(Address(text)),
            number: number, end: .permanent, cause: .held)
    }

    @Test func aQuestionTravelsWhole() throws {
        let after = try #require(Address("2001:db8::/56"))
        for request in [
            SyncRequest(term: nil, last: 0, wantsAll: true), SyncRequest(term: term, last: 7),
            SyncRequest(term: term, last: 7, wantsAll: true, after: after),
        ] {
            #expect(try SyncRequest(Message(frames: request.message.frames)) == request)
        }
    }

    @Test(arguments: [
        ["term": "42", "last": "1"], ["term": "-"], ["term": "-", "last": "-1"], ["term": "-", "last": "1", "after": "x"],
        ["term": "-", "last": "1", "all": "maybe"],
    ])
    func aBadQuestionIsRefused(fields: [String: String]) {
        var header: Header = [:]
        for (key, value) in fields { header[key] = value }
        #expect(throws: MessageError.self) { try SyncRequest(Message(.sync, header)) }
    }

    @Test func anAnswerTravelsWhole() throws {
        let next = try #require(Address("192.0.2.1"))
        let answers = [
            SyncAnswer(
                term: term, now: now, .announcements([try event("192.0.2.1", number: 8), try event("::1", number: 9)], isLast: false)),
            SyncAnswer(term: term, now: now, .announcements([], isLast: true)),
            SyncAnswer(
                term: term, now: now,
                .snapshot([try event("192.0.2.1", number: nil)], number: 7, next: next, isKnownPlace: true)),
            SyncAnswer(term: term, now: now, .snapshot([], number: 0, next: nil, isKnownPlace: false)),
        ]
        for answer in answers { #expect(try SyncAnswer(Message(frames: answer.message(first: 8).frames)) == answer) }
    }

    @Test func announcementsWithAGapAndSnapshotsWithNumbersAreRefused() throws {
        let gap = SyncAnswer(term: term, now: now, .announcements([try event("192.0.2.1", number: 9)], isLast: true)).message(first: 8)
        #expect(throws: MessageError.self) { try SyncAnswer(gap) }
        let numbered = SyncAnswer(
            term: term, now: now, .snapshot([try event("192.0.2.1", number: 9)], number: 9, next: nil, isKnownPlace: true)
        ).message(first: 0)
        #expect(throws: MessageError.self) { try SyncAnswer(numbered) }
        #expect(throws: MessageError.self) { try SyncAnswer(Message(.ok, ["term": term.description, "now": now.description])) }
    }
}
