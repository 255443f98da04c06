// Who may ask what of the publisher, and what is answered to anything else.

import Daemon
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Publisher

@Suite struct ReceptionTests {
    let term = Term(id: 7)
    var ledger = Ledger(
        admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week))
    let reception: Reception
    let folder: TemporaryFolder
    let journal: Journal
    var desk: AnswerDesk

    init() throws {
        folder = try TemporaryFolder()
        journal = try Journal(path: folder("journal.sqlite"))
        let facts = PublisherFacts(of: try host("web1"), term, at: [], journal: journal.path, now: at(0))
        desk = AnswerDesk(terms: [(term, 1)], facts: facts)
        var hosts = AuthorizedHosts()
        for (name, roles) in [("web1", [.monitor]), ("web2", [.subscriber]), ("admin", [.operator])]
            as [(String, Set<AuthorizedHosts.Role>)]
        {
            _ = try hosts.authorize(AuthorizedHosts.Host(name: try host(name), roles: roles, key: try KeyPair.generate().publicKey))
        }
        reception = Reception(hosts: hosts)
    }

    mutating func ask(_ message: Message, from name: String?) throws -> Message { try ask(frames: message.frames, from: name) }

    mutating func ask(frames: [[UInt8]], from name: String?) throws -> Message {
        let outcome = reception.take(frames, from: try name.map { try host($0) }, ledger: &ledger, term: term, now: at(0))
        return try desk.answer(outcome, ledger: ledger, journal: journal, hosts: reception.hosts, now: at(0))
    }

    func report() throws -> Message {
        Report(stream: "s", now: at(0), entries: [.init(position: 9, try ban("web1", "192.0.2.1", until: 600))]).message
    }

    func order() throws -> Message { Order(.ban, now: at(0), addresses: [try address("192.0.2.1")]).message }

    @Test mutating func aMonitorsReportIsAcknowledgedWithItsPosition() throws {
        #expect(try Acknowledgement(ask(report(), from: "web1")) == Acknowledgement(term: term, position: 9, refused: []))
        #expect(ledger.pending.entries.count == 1)
    }

    @Test mutating func onlyMonitorsReportAndOnlyOperatorsOrder() throws {
        for (message, sender) in [(try report(), "web2"), (try report(), "admin"), (try order(), "web1"), (try order(), "web2")] {
            #expect(RequestRefusal(try ask(message, from: sender))?.code == .role)
        }
        #expect(ledger.pending.isEmpty)
        #expect(try ask(order(), from: "admin").verb == .acknowledged)
    }

    @Test mutating func onlyMonitorsSayWhatTheyHoldAndEachDaemonSpeaksForItself() throws {
        let page = HoldsPage(
            stream: "s", position: 9, now: at(0), madeAt: at(0), id: "l", page: 1, isLast: true, isComplete: true, bans: [])
        #expect(try ask(page.message, from: "web1").verb == .acknowledged)
        #expect(RequestRefusal(try ask(page.message, from: "web2"))?.code == .role)
        for (name, component) in [("web1", DaemonState.Component.monitor), ("web2", .subscriber)] {
            let states = try DaemonState.Component.allCases.map {
                try ask(DaemonState($0, now: at(0), json: Array("{}".utf8)).message, from: name).verb
            }
            #expect(states == DaemonState.Component.allCases.map { $0 == component ? .ok : .refused })
        }
    }

    @Test mutating func aKeyThatWasRemovedAfterItConnectedIsHeardNoMore() throws {
        #expect(RequestRefusal(try ask(report(), from: "gone"))?.code == .host)
        #expect(RequestRefusal(try ask(report(), from: nil))?.code == .host)
    }

    @Test mutating func nonsenseIsAnsweredWithTheReason() throws {
        let good = try report().frames
        let cases: [(frames: [[UInt8]], code: RefusalCode)] = [
            ([], .version), (Array(good.dropLast()), .malformed), (good + [[]], .malformed),
            ([Array("F2BC/2".utf8)] + good.dropFirst(), .version), ([good[0], Array("SHOUT".utf8), good[2], good[3]], .verb),
            ([good[0], Array("ACK".utf8), good[2], good[3]], .verb), ([good[0], Array("STATE".utf8), good[2], good[3]], .malformed),
            ([good[0], good[1], [], good[3]], .malformed),
            ([good[0], good[1], good[2], [UInt8](repeating: 65, count: Message.sizeLimit + 1)], .toolarge),
        ]
        for (frames, code) in cases {
            let answer = try ask(frames: frames, from: "web1")
            #expect(RequestRefusal(answer)?.code == code)
            #expect(answer.header.term == term)
        }
        #expect(ledger.pending.isEmpty)
    }

    @Test mutating func bansAreListedPageByPageInKeyOrder() throws {
        let count = BanList.pageSize + 7
        for i in 0..<count {
            let order = Order(.ban, now: at(0), addresses: [try address("198.51.\(i / 250).\(i % 250)")])
            _ = try ask(order.message, from: "admin")
        }
        let first = try ask(Message(.query, ["what": "bans"]), from: "web2")
        #expect(first.verb == .json)
        let text = String(decoding: first.body, as: UTF8.self)
        #expect(text.contains(#""address":"198.51.0.0","end":"#))
        #expect(text.contains(#""next":"198.51.0.199""#))
        let second = try ask(Message(.query, ["what": "bans", "after": "198.51.0.199"]), from: "web2")
        #expect(String(decoding: second.body, as: UTF8.self).split(separator: #""address":"#).count == 8)
        #expect(RequestRefusal(try ask(Message(.query, ["what": "secrets"]), from: "web2"))?.code == .malformed)
    }

    @Test mutating func whatIsAllowedIsListedPageByPageInKeyOrder() throws {
        let addresses = try (0..<BanList.pageSize + 1).map { try address("198.51.\($0 / 250).\($0 % 250)") }
        _ = try ask(Order(.allow, now: at(0), end: .at(at(60)), addresses: Array(addresses.dropLast())).message, from: "admin")
        _ = try ask(Order(.allow, now: at(0), end: .permanent, addresses: addresses.suffix(1)).message, from: "admin")
        func page(after: String?) throws -> String {
            var header: Header = ["what": "allowed"]
            header["after"] = after
            return String(decoding: try ask(Message(.query, header), from: "web2").body, as: UTF8.self)
        }
        let first = try page(after: nil)
        #expect(first.hasPrefix(#"{"allowed":[{"address":"198.51.0.0","end":\#(at(60))},"#))
        #expect(first.contains(#""next":"198.51.0.199""#))
        #expect(try page(after: "198.51.0.199") == #"{"allowed":[{"address":"198.51.0.200"}],"now":\#(at(0)),"term":"\#(term)"}"#)
    }

    @Test mutating func anAllowanceThatCannotBeIsRefusedAsAWhole() throws {
        let texts = ["192.0.2.0/24", "192.0.2.1"]
        let allow = Order(.allow, now: at(0), end: .at(at(60)), addresses: [try address(texts[0])])
        #expect(try ask(allow.message, from: "admin").verb == .acknowledged)
        let refused = try ask(Order(.ban, now: at(0), addresses: [try address(texts[1])]).message, from: "admin")
        #expect(RequestRefusal(refused)?.code == .malformed)
        #expect(RequestRefusal(refused)?.reason.contains("192.0.2.0/24 is allowed by an operator until") == true)
        #expect(RequestRefusal(try ask(allow.message, from: "web1"))?.code == .role)
    }
}

@Suite struct PlainReceptionTests {
    var ledger = Ledger(
        admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week))

    /// The answer as text, and why it is NAK.
    mutating func ask(_ text: String, tokens: [String] = [], unbansCount: Bool = false) -> (String, String?) {
        let reception = PlainReception(tokens: tokens, unbansCount: unbansCount)
        let (frame, refusal) = reception.answer(
            [Array(text.utf8)], ledger: &ledger, isAuthorized: { $0.description == "web1" }, now: at(0))
        return (String(decoding: frame, as: UTF8.self), refusal)
    }

    @Test mutating func aGoodFrameIsAnsweredWithItselfWithoutItsToken() {
        #expect(ask("s3cret|old1|sshd|Ban|192.0.2.1", tokens: ["other", "s3cret"]) == ("old1|sshd|Ban|192.0.2.1", nil))
        #expect(ask("old1|sshd|Ban|2001:db8::1") == ("old1|sshd|Ban|2001:db8::1", nil))
        #expect(ledger.pending.entries.count == 2)
    }

    @Test(arguments: [
        ("old1|sshd|Ban|192.0.2.1", "wrong token"), ("s3creT|old1|sshd|Ban|192.0.2.1", "wrong token"),
        ("s3cret2|old1|sshd|Ban|192.0.2.1", "wrong token"), ("|old1|sshd|Ban|192.0.2.1", "wrong token"),
        ("s3cret|old1|sshd|Ban", "bad action"), ("s3cret|old1|sshd|Ban|192.0.2.1|x", "not four fields, or five with a token"),
        ("s3cret|-old|sshd|Ban|192.0.2.1", "bad host"), ("s3cret|old1|ss hd|Ban|192.0.2.1", "bad jail"),
        ("s3cret|old1|sshd|ban|192.0.2.1", "bad action"), ("s3cret|old1|sshd|Ban|999.0.2.1", "bad address"),
        ("s3cret|web1|sshd|Ban|192.0.2.1", "web1 has a key"), ("s3cret|old1|sshd|Ban|127.0.0.1", "loopback"),
        ("s3cret|old1|fail2ban-cluster|Ban|192.0.2.1", "own bans"),
    ])
    mutating func anythingElseIsNakWithItsReason(frame: String, reason: String) {
        let (answer, refusal) = ask(frame, tokens: ["s3cret"])
        #expect(answer == "NAK")
        #expect(refusal?.contains(reason) == true, "\(refusal ?? "-")")
        #expect(ledger.commit().announcements == [])
    }

    @Test mutating func anOversizedFrameIsNak() {
        #expect(ask(String(repeating: "x", count: 4000)) == ("NAK", "oversized frame"))
    }

    @Test mutating func anUnbanIsEchoedButCountsOnlyWhenTheOperatorWantsIt() {
        _ = ask("old1|sshd|Ban|192.0.2.1")
        #expect(brief(ledger.commit().announcements).count == 1)
        #expect(ask("old1|sshd|Unban|192.0.2.1").0 == "old1|sshd|Unban|192.0.2.1")
        #expect(ledger.commit().announcements == [])
        #expect(ask("old1|sshd|Unban|192.0.2.1", unbansCount: true).0 == "old1|sshd|Unban|192.0.2.1")
        #expect(brief(ledger.commit().announcements).count == 1)
    }
}
