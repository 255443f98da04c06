// The list of a host's bans: its pages, its bound, and what is reported while it is on its way.

import Testing
import Wire

@testable import Monitor

@Suite struct HoldsListTests {
    @Test func aListIsCutIntoPagesWithoutAHoleAndAPageIsRepeatedAsItWas() throws {
        let host = try #require(Hostname("web1"))
        let jail = try #require(Jail("sshd"))
        let holds = try (0..<3000).map { number in
            Hold(
                jail: jail, address: try #require(Address("10.0.\(number / 250).\(number % 250)")), seen: Timestamp(milliseconds: 1000),
                end: .permanent)
        }
        var list = HoldsList(
            id: "a", host: host, stream: "s", position: 9, madeAt: Timestamp(milliseconds: 5), isWhole: true,
            gathering: HoldsGathering(holds))
        var addresses: [Address] = []
        var pages: [UInt64] = []
        while true {
            let page = list.current(now: Timestamp(milliseconds: 10))
            #expect(list.current(now: Timestamp(milliseconds: 10)) == page)
            #expect(page.message.body.count <= Message.sizeLimit)
            #expect(try HoldsPage(page.message) == page)
            pages.append(page.page)
            addresses += page.bans.map(\.address)
            let isLast = list.acknowledge()
            #expect(isLast == page.isLast)
            if isLast { break }
        }
        #expect(addresses == holds.map(\.address))
        #expect(pages == Array(1...UInt64(pages.count)))
        #expect(pages.count > 1)
    }

    @Test func whatIsReportedBeforeTheFirstPageIsTakenMovesTheListsPosition() throws {
        var list = HoldsList(
            id: "a", host: try #require(Hostname("web1")), stream: "s", position: 9, madeAt: Timestamp(milliseconds: 5), isWhole: true,
            gathering: HoldsGathering())
        let first = list.current(now: Timestamp(milliseconds: 10))
        list.note([], upTo: 12)
        let second = list.current(now: Timestamp(milliseconds: 11))
        #expect(second.position == 12 && second.id != first.id)
        list.note([], upTo: 12)
        #expect(list.current(now: Timestamp(milliseconds: 11)) == second)
        _ = list.acknowledge()
        list.note([], upTo: 20)
        #expect(list.position == 12)
    }

    @Test func anEmptyListIsOneEmptyPage() throws {
        var list = HoldsList(
            id: "a", host: try #require(Hostname("web1")), stream: "s", position: 9, madeAt: Timestamp(milliseconds: 5), isWhole: true,
            gathering: HoldsGathering())
        let page = list.current(now: Timestamp(milliseconds: 10))
        #expect(page.isLast && page.bans.isEmpty)
        let isLast = list.acknowledge()
        #expect(isLast)
    }

    @Test func aListHasABoundAndSaysWhatItLeavesOut() throws {
        var gathering = HoldsGathering()
        let jail = try #require(Jail("sshd"))
        let now = Timestamp(milliseconds: 1000)
        for number in 0..<(HoldsList.limit + 10) {
            let address = try #require(Address("10.\(number >> 16).\(number >> 8 & 255).\(number & 255)"))
            gathering.add(Hold(jail: jail, address: address, seen: now, end: .permanent))
        }
        #expect(gathering.holds.count == HoldsList.limit)
        #expect(gathering.leftOut == 10)
    }

    @Test func aBanThatIsReadTwiceCountsAsItWasLast() throws {
        var gathering = HoldsGathering()
        let jail = try #require(Jail("sshd"))
        let address = try #require(Address("192.0.2.1"))
        let later = Hold(jail: jail, address: address, seen: Timestamp(milliseconds: 2000), end: .permanent)
        gathering.add(Hold(jail: jail, address: address, seen: Timestamp(milliseconds: 1000), end: .unknown))
        gathering.add(later)
        gathering.add(Hold(jail: jail, address: address, seen: Timestamp(milliseconds: 1500), end: .unknown))
        #expect(gathering.holds == [later])
    }

    private func hold(_ address: String, seen: Int64 = 1000) throws -> Hold {
        Hold(
            jail: try #require(Jail("sshd")), address: try #require(Address(address)), seen: Timestamp(milliseconds: seen), end: .permanent)
    }

    private func event(_ action: Event.Action, _ address: String) throws -> Event {
        Event(
            host: try #require(Hostname("web1")), jail: try #require(Jail("sshd")), action: action,
            address: try #require(Address(address)), seen: Timestamp(milliseconds: 2000), end: .permanent,
            cause: action == .ban ? .detected : .lifted)
    }

    private func list(_ addresses: [String]) throws -> HoldsList {
        HoldsList(
            id: "a", host: try #require(Hostname("web1")), stream: "s", position: 9, madeAt: Timestamp(milliseconds: 5), isWhole: true,
            gathering: HoldsGathering(try addresses.map { try hold($0) }))
    }

    @Test func whatIsReportedBeforeTheFirstPageIsOnTheListAsItWasReported() throws {
        var list = try list(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"])
        list.note([try event(.unban, "192.0.2.2")], upTo: nil)
        list.note([try event(.unban, "192.0.2.4")], upTo: nil)
        list.note([try event(.ban, "192.0.2.5")], upTo: nil)
        list.note([try event(.unban, "192.0.2.5")], upTo: nil)
        list.note([try event(.ban, "192.0.2.6")], upTo: nil)
        let page = list.current(now: Timestamp(milliseconds: 10))
        #expect(Set(page.bans.map(\.address.description)) == ["192.0.2.1", "192.0.2.3", "192.0.2.6"])
        #expect(try HoldsPage(page.message) == page)
    }

    @Test func aListThatChangesAfterItsFirstPageWasSentIsAnotherOne() throws {
        var list = try list(["192.0.2.1", "192.0.2.2"])
        let first = list.current(now: Timestamp(milliseconds: 10)).id
        list.note([try event(.unban, "192.0.2.9")], upTo: nil)
        #expect(list.current(now: Timestamp(milliseconds: 10)).id == first)
        list.note([try event(.unban, "192.0.2.1")], upTo: nil)
        #expect(list.current(now: Timestamp(milliseconds: 10)).id != first)
    }

    @Test func whatIsReportedAfterTheFirstPageIsThePublishersToKnow() throws {
        var list = try list((0..<3000).map { "10.0.\($0 / 250).\($0 % 250)" })
        let first = list.current(now: Timestamp(milliseconds: 10))
        _ = list.acknowledge()
        list.note([try event(.unban, "10.0.11.1")], upTo: nil)
        let second = list.current(now: Timestamp(milliseconds: 10))
        #expect(second.id == first.id)
        #expect(list.count == 3000)
    }
}
