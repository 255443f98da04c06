// What an operator finds in the journal: which rows, on which pages, and how much of it one request costs.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct JournalHistoryTests {
    let folder: TemporaryFolder
    let journal: Journal

    init() throws {
        folder = try TemporaryFolder()
        journal = try Journal(path: folder("journal.sqlite"))
    }

    /// Writes entries, one second after the other.
    func write(_ entries: [JournalEntry], from second: Double = 0) throws {
        let timed = entries.enumerated().map { (admitted: at(second + Double($0)), entry: $1) }
        try journal.append(Ledger.Batch(entries: timed))
    }

    func admitted(_ event: Event, number: UInt64? = nil) -> JournalEntry {
        .admitted(event, isPlain: false, isMove: false, announced: number.map { .same(number: $0) } ?? .nothing)
    }

    /// The rows that a filter finds, newest first, over all pages.
    func rows(_ header: Header, limit: Int = HistoryPage.most) throws -> [Int64] {
        var rows: [Int64] = []
        var before: Int64?
        let filter = try HistoryFilter(header)
        repeat {
            let page = try journal.history(filter, before: before, limit: limit)
            rows += page.events.compactMap { event in
                event.text.split(separator: ",").first.flatMap { Int64($0.dropFirst(#"{"row":"#.count)) }
            }
            before = page.next
        } while before != nil
        return rows
    }

    func sample() throws {
        try write([
            admitted(try ban("web1", "192.0.2.1", until: 600), number: 1),
            admitted(try ban("web2", "192.0.2.0/24", until: 600, jail: "nginx"), number: 2),
            .refused(host: try host("web1"), event: try ban("web1", "10.0.0.7", until: 600), reason: "ignoreip has 10.0.0.0/8"),
            admitted(try order(.unban, "192.0.2.1"), number: 3),
            .refused(host: try host("web2"), event: nil, reason: "not nine fields"),
            admitted(try ban("web1", "2001:db8::1", until: 600), number: 4),
        ])
    }

    @Test(
        arguments: [
            ([:], [6, 5, 4, 3, 2, 1]), (["host": "web1"], [6, 3, 1]), (["jail": "nginx"], [2]), (["kind": "ban"], [6, 2, 1]),
            (["kind": "unban"], [4]), (["kind": "refused"], [5, 3]), (["kind": "order"], [4]), (["address": "192.0.2.1"], [4, 2, 1]),
            (["address": "192.0.2.9"], [2]), (["address": "192.0.2.0/25"], [4, 2, 1]), (["address": "2001:db8::/32"], [6]),
            (["address": "10.0.0.7", "kind": "ban"], []), (["since": "\(start + 2000)", "until": "\(start + 3000)"], [4, 3]),
            (["address": "192.0.2.1", "host": "web1", "jail": "sshd", "kind": "ban"], [1]),
        ] as [(Header, [Int64])])
    func aFilterFindsExactlyWhatItSays(_ header: Header, _ expected: [Int64]) throws {
        try sample()
        #expect(try rows(header) == expected)
        #expect(try rows(header, limit: 1) == expected, "page by page")
    }

    @Test(arguments: [
        ("address", "an address"), ("jail", "a jail"), ("host", "a host"), ("kind", "one of ban, unban, refused, order"),
        ("since", "a time"), ("until", "a time"),
    ])
    func aFilterThatIsNoneIsRefused(_ key: String, _ kind: String) {
        #expect(throws: RequestRefusal(.malformed, "\(key): not \(kind)")) {
            try HistoryFilter((["what": "history"] as Header).with(key, "?"))
        }
    }

    @Test func aRowTellsAllThatTheJournalHasOfIt() throws {
        try sample()
        let events = try journal.history(HistoryFilter(), before: 4, limit: 2).events.map(\.text)
        #expect(
            events == [
                """
                {"row":3,"number":null,"kind":"refused","at":\(at(2)),"seen":\(at(0)),"host":"web1","jail":"sshd","action":"Ban",\
                "address":"10.0.0.7","end":\(at(600)),"permanent":false,"cause":"detected","plain":false,"move":false,\
                "refusal":"ignoreip has 10.0.0.0/8"}
                """,
                """
                {"row":2,"number":2,"kind":"admitted","at":\(at(1)),"seen":\(at(0)),"host":"web2","jail":"nginx","action":"Ban",\
                "address":"192.0.2.0/24","end":\(at(600)),"permanent":false,"cause":"detected","plain":false,"move":false,"refusal":null}
                """,
            ])
    }

    @Test func oneRequestSearchesABoundedPartOfALongJournal() throws {
        let count = Int(HistoryPage.comparedPortion) + 10
        try write(try (0..<count).map { _ in admitted(try ban("web1", "198.51.100.1", until: 600)) })
        var filter = HistoryFilter()
        filter.address = try address("203.0.113.0/24")
        let page = try journal.history(filter, before: nil, limit: 10)
        #expect(page.events.isEmpty)
        #expect(page.searched == HistoryPage.comparedPortion)
        #expect(page.next == Int64(count) + 1 - HistoryPage.comparedPortion)
        #expect(try journal.history(filter, before: page.next, limit: 10).next == nil)
    }

    @Test func whatIsOlderThanAskedForIsNotSearched() throws {
        let count = Int(HistoryPage.comparedPortion) + 10
        try write(try (0..<count).map { _ in admitted(try ban("web1", "198.51.100.1", until: 600)) }, from: -200_000)
        try write([admitted(try ban("web1", "198.51.100.1", until: 600))])
        let all = try HistoryFilter(["address": "203.0.113.0/24"])
        #expect(try journal.history(all, before: nil, limit: 10).next != nil)
        let recent = try HistoryFilter(["address": "203.0.113.0/24", "since": "\(start)"])
        #expect(try journal.history(recent, before: nil, limit: 10).next == nil)
    }

    @Test func aPageFitsAMessageHoweverLongItsTextsAre() throws {
        let reason = String(repeating: "x", count: 1000)
        try write(try (0..<HistoryPage.most).map { _ in .refused(host: try host("web1"), event: nil, reason: reason) })
        let page = try journal.history(HistoryFilter(), before: nil, limit: HistoryPage.most)
        #expect(page.events.reduce(0) { $0 + $1.text.utf8.count + 1 } <= Message.sizeLimit - 512)
        #expect(page.next != nil)
        #expect(try rows([:]).count == HistoryPage.most)
    }
}

extension Header {
    fileprivate func with(_ key: String, _ value: String) -> Header {
        var header = self
        header[key] = value
        return header
    }
}
