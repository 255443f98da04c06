// What a subscriber tells of itself, and what it learns by that.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Subscriber

@Suite struct SubscriberStateTests {
    @Test func theStateNamesWhereTheHostIsAndHowItEnforces() throws {
        var latency = LatencyHistogram()
        latency.add(milliseconds: 1)
        var server = JSONText()
        server.set("loglevel", "INFO")
        let state = SubscriberState(
            position: CatchUp.Position(term: Term(id: 7), last: 42), wanted: 3, refused: try addresses("192.0.2.1"), refusedCount: 1,
            enforcers: [
                .init(name: "fail2ban-client", isSettled: true, server: server, version: "1.0.2"),
                .init(name: "log", isSettled: false, waiting: 7, trouble: "syslog is slow", version: nil),
            ], latency: latency)
        let text = String(decoding: state.json, as: UTF8.self)
        #expect(text.contains(#""term":"\#(Term(id: 7))","number":42,"bans":3,"refused":["192.0.2.1"],"refusedCount":1"#))
        #expect(
            text.hasSuffix(
                """
                "enforcers":{"fail2ban-client":{"settled":true,"waiting":0,"trouble":null,"version":"1.0.2","server":{"loglevel":"INFO"}},\
                "log":{"settled":false,"waiting":7,"trouble":"syslog is slow","version":null}},\
                "latency":{"count":1,"p50":2,"p99":2},"hearing":true}
                """))
    }

    @Test func theStateFitsIntoAMessageHoweverManyAddressesAreRefused() throws {
        let longest = try address("2001:db88:ffff:ffff:ffff:ffff:ffff:fffe/127")
        let state = SubscriberState(
            position: nil, wanted: 1_000_000, refused: Array(repeating: longest, count: 10_000), refusedCount: 10_000, enforcers: [])
        #expect(state.json.count < Message.sizeLimit / 4)
        #expect(String(decoding: state.json, as: UTF8.self).contains(#""refusedCount":10000"#))
    }

    @Test func aTermThatIsNotOursMakesAnIdleHostAsk() throws {
        var catchUp = CatchUp()
        _ = catchUp.begin()
        let here = Term(id: 1)
        _ = catchUp.take(SyncAnswer(term: here, now: publisherStart, .snapshot([], number: 5, next: nil, isKnownPlace: true)))
        #expect(catchUp.noticed(Term(id: 2)).isEmpty, "it asks already")
        _ = catchUp.take(SyncAnswer(term: here, now: publisherStart, .announcements([], isLast: true)))
        #expect(catchUp.noticed(here).isEmpty)
        let steps = catchUp.noticed(Term(id: 2))
        #expect(steps == [.ask(SyncRequest(term: here, last: 5))])
    }
}
