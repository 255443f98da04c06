// What a host holds and how its daemons are doing travel whole, and nothing else is taken for them.

import Testing
import Wire

@Suite struct HoldsTests {
    private let now = Timestamp(milliseconds: 1_795_212_000_131)

    private func page(_ bans: [Event], page: UInt64 = 1, isLast: Bool = true, isComplete: Bool = true) -> HoldsPage {
        HoldsPage(
            stream: "5f2c-1", position: 48287, now: now, madeAt: Timestamp(milliseconds: 1_795_212_000_090), id: "7d0c-1", page: page,
            isLast: isLast, isComplete: isComplete, bans: bans)
    }

    private func held(_ text: String, _ action: Event.Action = .ban, _ cause: Event.Cause = .held) throws -> Event {
        Event(
            host: try #require(Hostname("web1")), jail: try #require(Jail("sshd")), action: action, address: try #require(Address(text)),
            seen: now, end: .permanent, cause: cause)
    }

    @Test func aPageTravelsWhole() throws {
        for page in [
            page([]), page([try held("192.0.2.1"), try held("2001:db8::/64")], page: 7, isLast: false),
            page([try held("::1")], isComplete: false),
        ] {
            #expect(try HoldsPage(Message(frames: page.message.frames)) == page)
        }
    }

    @Test(arguments: ["stream", "position", "now", "at", "id", "page", "last", "complete"])
    func aPageWithoutAFieldIsRefused(key: String) throws {
        var message = page([]).message
        message.header[key] = nil
        #expect(throws: MessageError.malformed(key)) { try HoldsPage(message) }
        message.header[key] = "?"
        #expect(throws: MessageError.malformed(key)) { try HoldsPage(message) }
    }

    @Test func pagesCountFromOne() {
        #expect(throws: MessageError.malformed("page")) { try HoldsPage(page([], page: 0).message) }
    }

    @Test func onlyBansThatAreHeldStandOnAList() throws {
        for event in [try held("192.0.2.1", .unban), try held("192.0.2.1", .ban, .detected)] {
            #expect(throws: MessageError.malformed("line 2: not a ban that is held")) {
                try HoldsPage(page([try held("192.0.2.2"), event]).message)
            }
        }
        #expect(throws: MessageError.malformed("line 1: not nine fields")) {
            try HoldsPage(Message(.holds, page([]).message.header, body: Array("nonsense".utf8)))
        }
    }

    @Test func aStateTravelsWhole() throws {
        for component in DaemonState.Component.allCases {
            let state = DaemonState(component, now: now, json: Array(#"{"version":"1"}"#.utf8))
            #expect(try DaemonState(Message(frames: state.message.frames)) == state)
        }
        #expect(throws: MessageError.malformed("component")) {
            try DaemonState(Message(.state, ["component": "publisher", "now": now.description]))
        }
        #expect(throws: MessageError.malformed("now")) { try DaemonState(Message(.state, ["component": "monitor"])) }
    }

    @Test func theAnswerToAStateHasTheTerm() throws {
        let term = Term(id: 42)
        #expect(try DaemonState.term(of: Message(frames: DaemonState.answer(term: term).frames)) == term)
        #expect(throws: MessageError.malformed("term")) { try DaemonState.term(of: Message(.ok, [:])) }
        #expect(throws: MessageError.verb) { try DaemonState.term(of: Message(.json, ["term": term.description])) }
    }
}
