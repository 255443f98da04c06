// What an operator's questions are answered with, and that each turn of the loop does a bounded part of it.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct AnswerDeskTests {
    let folder: TemporaryFolder
    let journal: Journal
    var desk: AnswerDesk
    var ledger: Ledger

    init() throws {
        folder = try TemporaryFolder()
        journal = try Journal(path: folder("journal.sqlite"))
        let term = Term(id: 7)
        let facts = PublisherFacts(of: try host("web1"), term, at: [], journal: journal.path, now: at(0))
        desk = AnswerDesk(terms: [(term, 1)], facts: facts)
        let rules = NeverBan(ignoreip: [.address(try address("10.0.0.0/8"))])
        ledger = Ledger(admission: Admission(neverBan: rules, maximumBanTime: week), table: BanTable(quorum: 2, maximumBanTime: week))
    }

    mutating func ask(_ header: Header) throws -> String {
        let answer = try desk.answer(
            .question(Message(.query, header)), ledger: ledger, journal: journal, hosts: AuthorizedHosts(), now: at(10))
        if let refusal = RequestRefusal(answer) { return "\(refusal)" }
        return String(decoding: answer.body, as: UTF8.self)
    }

    @Test mutating func anAddressIsToldWithItsHoldersAlsoBelowTheQuorum() throws {
        ledger.record(try ban("web1", "192.0.2.1", until: 600), now: at(0))
        #expect(
            try ask(["what": "address", "address": "192.0.2.1"]) == """
                {"address":"192.0.2.1","now":\(at(10)),"quorum":2,"records":[{"address":"192.0.2.1","banned":false,"end":null,\
                "holders":[{"host":"web1","jail":"sshd","seen":\(at(0)),"end":\(at(600))}]}],"protected":null,"allowed":null,\
                "term":"\(Term(id: 7))"}
                """)
        ledger.record(try ban("web2", "192.0.2.1", until: 500), now: at(0))
        #expect(try ask(["what": "address", "address": "192.0.2.1"]).contains(#""banned":true,"end":\#(at(500))"#))
    }

    @Test mutating func prefixesAroundAnAddressAndBansInAPrefixAreToldToo() throws {
        ledger.record(try order(.ban, "192.0.2.0/24", until: .permanent), now: at(0))
        ledger.record(try order(.ban, "192.0.2.77", until: .permanent), now: at(0))
        #expect(try ask(["what": "address", "address": "192.0.2.9"]).contains(#""records":[{"address":"192.0.2.0/24","banned":true"#))
        #expect(try ask(["what": "address", "address": "192.0.2.64/26"]).contains(#"{"address":"192.0.2.77","banned":true"#))
        #expect(!(try ask(["what": "address", "address": "192.0.2.128/26"]).contains("192.0.2.77")))
    }

    @Test mutating func whatProtectsOrAllowsAnAddressIsNamed() throws {
        #expect(try ask(["what": "address", "address": "10.1.2.3"]).contains(#""protected":"ignoreip has 10.0.0.0/8""#))
        ledger.record(try order(.unban, "192.0.2.1", until: .permanent), now: at(0))
        #expect(try ask(["what": "address", "address": "192.0.2.1"]).contains(#""allowed":"allowed by an operator for ever""#))
    }

    @Test(
        arguments: [
            (["what": "address"], "address is missing"), (["what": "address", "address": "x"], "address: not an address"),
            (["what": "status", "after": "-"], "after: not a host"), (["what": "history", "before": "-1"], "before: not a number"),
            (["what": "history", "limit": "x"], "limit: not a number"), (["what": "history", "kind": "x"], "kind: not one of ban, unban"),
            (["what": "bans", "jail": "a b"], "jail: not a jail"), ([:], "this publisher knows"),
        ] as [(Header, String)])
    mutating func aQuestionThatIsNoneIsRefusedWithTheReason(_ header: Header, _ reason: String) throws {
        let answer = try ask(header)
        #expect(answer.hasPrefix("malformed: ") && answer.contains(reason), "\(answer)")
    }

    @Test mutating func bansAreFilteredByAddressJailAndHost() throws {
        let table = [("web1", "192.0.2.1", "sshd"), ("web2", "192.0.2.2", "nginx"), ("web1", "198.51.100.0/24", "nginx")]
        for (host, address, jail) in table {
            for other in [host, "web9"] { ledger.record(try ban(other, address, until: 600, jail: jail), now: at(0)) }
        }
        func found(_ filter: Header) throws -> [String] {
            let (bans, next) = try BanFilter(filter).page(of: ledger.table, after: nil, limit: 10)
            #expect(next == nil)
            return bans.map(\.address.description)
        }
        #expect(try found(["host": "web1"]) == ["192.0.2.1", "198.51.100.0/24"])
        #expect(try found(["jail": "nginx", "host": "web2"]) == ["192.0.2.2"])
        #expect(try found(["jail": "sshd", "host": "web2"]) == [])
        #expect(try found(["address": "198.51.100.7"]) == ["198.51.100.0/24"])
        #expect(try found(["address": "192.0.2.0/24"]) == ["192.0.2.1", "192.0.2.2"])
        #expect(try found(["address": "192.0.2.0/24", "jail": "nginx"]) == ["192.0.2.2"])
    }

    @Test mutating func whatIsAroundAnAddressIsOnTheNextPageWhereTheFirstHadNoRoom() throws {
        let all = ["198.51.0.0/16", "198.51.100.0/24", "198.51.100.0/28", "198.51.100.7"]
        for address in all {
            for name in ["web1", "web2"] { ledger.record(try ban(name, address, until: 600), now: at(0)) }
        }
        let filter = try BanFilter(["address": "198.51.100.0/28"])
        func found(after: String?) -> [String] {
            filter.page(of: ledger.table, after: after.flatMap { Address($0) }, limit: 10).bans.map(\.address.description)
        }
        #expect(found(after: nil) == all)
        // A page whose end did not fit is cut anywhere.
        for cut in all.indices { #expect(found(after: all[cut]) == Array(all[(cut + 1)...])) }
    }

    @Test mutating func aFilterThatLetsLittlePassGoesThroughAllBansInPortions() throws {
        let count = 2 * BanFilter.portion + 1
        for i in 0..<count {
            let end = i == count - 1 ? "sshd" : "nginx"
            let text = "10\(i / 65_536).\(i / 256 % 256).\(i % 256).1"
            for name in ["web1", "web2"] { ledger.record(try ban(name, text, until: 600, jail: end), now: at(0)) }
        }
        let filter = try BanFilter(["jail": "sshd"])
        var found = 0
        var pages = 0
        var after: Address?
        repeat {
            let (bans, next) = filter.page(of: ledger.table, after: after, limit: BanList.pageSize)
            found += bans.count
            pages += 1
            after = next
        } while after != nil
        #expect(found == 1)
        #expect(pages == 3)
    }

    @Test mutating func oneTurnSearchesABoundedPartOfTheJournalWhoeverAsks() throws {
        try journal.append(
            Ledger.Batch(
                entries: [
                    (
                        admitted: at(0),
                        entry: .admitted(try ban("web1", "192.0.2.1", until: 600), isPlain: false, isMove: false)
                    )
                ]))
        #expect(try ask(["what": "history"]).hasPrefix(#"{"events":[],"next":2,"#), "no turn has begun")
        desk.beginTurn()
        #expect(try ask(["what": "history"]).hasPrefix(#"{"events":[{"row":1,"#))
    }
}
