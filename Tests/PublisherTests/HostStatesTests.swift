// What the publisher keeps of what daemons tell of themselves, and how it is asked for.

import Daemon
import Testing
import Wire
import ZeroMQ

@testable import Publisher

@Suite struct HostStatesTests {
    let term = Term(id: 7)
    var states = HostStates()

    mutating func tell(
        _ json: String, as component: DaemonState.Component = .subscriber, of name: String = "web1", hostClock: Double = 0,
        lastNumber: UInt64 = 0, now: Double = 0
    ) throws {
        let state = DaemonState(component, now: at(now + hostClock), json: Array(json.utf8))
        try states.take(state, from: try host(name), term: term, lastNumber: lastNumber, now: at(now))
    }

    @Test mutating func theLastStateOfEachDaemonIsKeptWithItsTimeAndClock() throws {
        try tell(#"{"version":"1"}"#)
        try tell(#"{ "version" : "2" }"#, hostClock: 3600, now: 30)
        try tell(#"{"version":"3"}"#, as: .monitor)
        let told = try #require(states.told(by: .subscriber, of: try host("web1")))
        #expect(told == HostStates.Told(json: #"{"version":"2"}"#, at: at(30), clock: 3_600_000, lag: nil))
        #expect(states.told(by: .monitor, of: try host("web1"))?.json == #"{"version":"3"}"#)
        #expect(states.told(by: .monitor, of: try host("web2")) == nil)
    }

    @Test(arguments: ["", "[]", "1", #""text""#, "{", #"{"a":1}{}"#, "{\"a\":\"\u{0}\"}", #"{"a":NaN}"#, "{'a':1}"])
    mutating func whatIsNoObjectIsRefusedAndChangesNothing(_ json: String) throws {
        try tell(#"{"good":true}"#)
        #expect(throws: RequestRefusal(.malformed, "the state is not a JSON object")) { try tell(json) }
        #expect(states.told(by: .subscriber, of: try host("web1"))?.json == #"{"good":true}"#)
    }

    @Test mutating func bytesThatAreNotUTF8AndStatesThatAreTooLongAreRefused() throws {
        let name = try host("web1")
        let bytes = Array(#"{"a":""#.utf8) + [0xff] + Array(#""}"#.utf8)
        #expect(throws: RequestRefusal.self) {
            try states.take(DaemonState(.monitor, now: at(0), json: bytes), from: name, term: term, lastNumber: 0, now: at(0))
        }
        let long = #"{"a":""# + String(repeating: "x", count: HostStates.longestState) + #""}"#
        #expect(throws: RequestRefusal(.toolarge, "a state of more than \(HostStates.longestState) bytes")) { try tell(long) }
        #expect(states.told(by: .monitor, of: name) == nil)
    }

    @Test mutating func aSubscribersLagIsCountedInAnnouncementsAndFromTheFirstThatItLacks() throws {
        for (number, time) in [(1, 0.0), (2, 0.2), (3, 10), (4, 20)] {
            var event = try ban("web2", "192.0.2.\(number)", until: 600)
            event.number = UInt64(number)
            states.note(Ledger.Batch(entries: [(admitted: at(time), entry: .announced(event))]))
        }
        func lag(_ number: Int) throws -> HostStates.Lag? {
            try tell(#"{"term":"\#(term)","number":\#(number)}"#, lastNumber: 4, now: 25)
            return states.told(by: .subscriber, of: try host("web1"))?.lag
        }
        #expect(try lag(4) == HostStates.Lag(events: 0, milliseconds: 0))
        #expect(try lag(3) == HostStates.Lag(events: 1, milliseconds: 5000))
        #expect(try lag(2) == HostStates.Lag(events: 2, milliseconds: 15_000))
        // The first two were made within a second.
        #expect(try lag(1) == HostStates.Lag(events: 3, milliseconds: 25_000))
        try tell(#"{"term":"\#(Term(id: 8))","number":4}"#, lastNumber: 4, now: 25)
        #expect(states.told(by: .subscriber, of: try host("web1"))?.lag == nil)
    }

    @Test mutating func theTimesOfAnnouncementsAreBounded() {
        var times = AnnouncementTimes()
        let seconds = 3 * AnnouncementTimes.most
        for second in 1...seconds { times.note(UInt64(second), at: at(Double(second))) }
        let last = UInt64(seconds)
        #expect(times.lag(behind: last - 1, lastNumber: last, now: at(Double(seconds))).milliseconds == 0)
        let oldest = times.lag(behind: 0, lastNumber: last, now: at(Double(seconds)))
        #expect(oldest.events == last)
        #expect(oldest.milliseconds <= Int64(AnnouncementTimes.most) * 1000)
    }

    @Test mutating func onlyWhatAHostFoundItselfIsItsLastBan() throws {
        var held = try ban("web1", "192.0.2.3", until: 600)
        held.cause = .held
        let entries: [JournalEntry] = [
            .admitted(try ban("web1", "192.0.2.1", until: 600), isPlain: false, isMove: false),
            .admitted(try ban("web1", "192.0.2.2", until: 600), isPlain: true, isMove: false),
            .admitted(held, isPlain: false, isMove: false),
            .admitted(try unban("web1", "192.0.2.4"), isPlain: false, isMove: false),
            .refused(host: try host("web1"), event: try ban("web1", "192.0.2.5", until: 600), reason: "no"),
        ]
        states.note(Ledger.Batch(entries: entries.map { (admitted: at(0), entry: $0) }))
        #expect(states.lastBans.mapValues(\.address) == [try host("web1"): try address("192.0.2.1")])
    }

    @Test mutating func whoBelongsToTheClusterNoMoreIsForgotten() throws {
        try tell("{}", of: "web1")
        try tell("{}", of: "web2")
        let stays = try host("web2")
        states.keep { $0 == stays }
        #expect(states.told(by: .subscriber, of: try host("web1")) == nil)
        #expect(states.told(by: .subscriber, of: stays) != nil)
    }
}

@Suite struct StatusPageTests {
    let facts: PublisherFacts
    let ledger = Ledger(
        admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week))

    init() throws {
        facts = PublisherFacts(
            of: try host("web1"), Term(id: 7), at: ["tcp://*:5678", "tcp://*:5680", "tcp://*:5681"], journal: "/nowhere", now: at(0))
    }

    @Test func theStatusNamesThePublisherAndEachHost() throws {
        var hosts = AuthorizedHosts()
        for name in ["web2", "web1"] {
            _ = try hosts.authorize(
                AuthorizedHosts.Host(name: try host(name), roles: [.monitor, .subscriber], key: try KeyPair.generate().publicKey))
        }
        var states = HostStates()
        let state = DaemonState(.monitor, now: at(9), json: Array(#"{"version":"1"}"#.utf8))
        try states.take(state, from: try host("web1"), term: facts.term, lastNumber: 0, now: at(10))
        let text = StatusPage(facts: facts, states: states, hosts: hosts).json(after: nil, ledger: ledger, lastRow: 3, now: at(20)).text
        #expect(
            text == """
                {"now":\(at(20)),"publisher":{"role":"active","host":"web1","version":"\(packageVersion)","started":\(at(0)),"number":0,"bans":0,\
                "allowed":0,"quorum":1,"plain":["tcp://*:5681"],"journal":{"bytes":0,"row":3,"trouble":null}},"term":"\(facts.term)","hosts":[\
                {"host":"web1","roles":["monitor","subscriber"],"holds":0,"lastBan":null,\
                "monitor":{"at":\(at(10)),"clock":-1000,"lag":null,"state":{"version":"1"}},"subscriber":null},\
                {"host":"web2","roles":["monitor","subscriber"],"holds":0,"lastBan":null,"monitor":null,"subscriber":null}],"next":null}
                """)
    }

    @Test func manyHostsComeOnPagesThatFitAMessageAndNoneIsLeftOut() throws {
        var hosts = AuthorizedHosts()
        var states = HostStates()
        let filler = #"{"a":""# + String(repeating: "x", count: HostStates.longestState - 10) + #""}"#
        let names = (10..<30).map { "web\($0)" }
        for name in names {
            _ = try hosts.authorize(
                AuthorizedHosts.Host(name: try host(name), roles: [.monitor], key: try KeyPair.generate().publicKey))
            for component in DaemonState.Component.allCases {
                let state = DaemonState(component, now: at(0), json: Array(filler.utf8))
                try states.take(state, from: try host(name), term: facts.term, lastNumber: 0, now: at(0))
            }
        }
        let page = StatusPage(facts: facts, states: states, hosts: hosts)
        var found: [String] = []
        var after: Hostname?
        for _ in names {
            let text = page.json(after: after, ledger: ledger, lastRow: 0, now: at(0)).text
            #expect(text.utf8.count <= Message.sizeLimit)
            found += names.filter { text.contains(#"{"host":"\#($0)","roles""#) }
            guard let next = names.first(where: { text.hasSuffix(#""next":"\#($0)"}"#) }) else { break }
            after = try host(next)
        }
        #expect(found == names)
    }
}
