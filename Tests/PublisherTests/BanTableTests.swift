// Holds, orders and quorum: when an address is banned, until when, and what is announced of it.

import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct BanTableTests {
    var table = BanTable(quorum: 1, maximumBanTime: week)

    @discardableResult
    mutating func apply(_ event: Event, at seconds: Double = 0, isPlain: Bool = false, isMove: Bool = false) -> [String] {
        brief([table.apply(event, isPlain: isPlain, isMove: isMove, now: at(seconds)).announcement].compactMap { $0 })
    }

    @Test mutating func aFirstHoldIsAnnouncedAndASecondOneThatEndsEarlierIsNot() throws {
        #expect(apply(try ban("web1", "192.0.2.1", until: 600)) == ["Ban 192.0.2.1 600 web1/sshd detected"])
        #expect(apply(try ban("web2", "192.0.2.1", until: 500)) == [])
        #expect(apply(try ban("web2", "192.0.2.1", until: 700)) == ["Ban 192.0.2.1 700 web2/sshd detected"])
    }

    @Test mutating func whenOneOfTwoHostsLetsGoTheBanGoesOnUntilTheOthersEnd() throws {
        apply(try ban("web1", "192.0.2.1", until: 600))
        apply(try ban("web2", "192.0.2.1", until: 500))
        #expect(apply(try unban("web1", "192.0.2.1")) == ["Ban 192.0.2.1 500 web2/sshd held"])
        #expect(apply(try unban("web2", "192.0.2.1")) == ["Unban 192.0.2.1 - web2/sshd lifted"])
        #expect(table.bannedCount == 0)
    }

    @Test mutating func anUnbanLiftsOnlyTheSendersOwnHoldInThatJail() throws {
        apply(try ban("web1", "192.0.2.1", until: 600, jail: "sshd"))
        #expect(apply(try unban("web2", "192.0.2.1")) == [])
        #expect(apply(try unban("web1", "192.0.2.1", jail: "nginx")) == [])
        #expect(table.bannedCount == 1)
    }

    @Test mutating func aRepeatedBanChangesNothing() throws {
        apply(try ban("web1", "192.0.2.1", until: 600))
        #expect(table.apply(try ban("web1", "192.0.2.1", until: 600), isPlain: false, isMove: false, now: at(1)).isChange == false)
    }

    @Test mutating func aBanThatIsAlreadyOverIsNotHeld() throws {
        #expect(apply(try ban("web1", "192.0.2.1", until: 600), at: 600) == [])
        #expect(table.bannedCount == 0)
    }

    @Test mutating func aMovedEndChangesOnlyAHoldThatStands() throws {
        #expect(apply(try ban("web1", "192.0.2.1", until: 600), isMove: true) == [])
        apply(try ban("web1", "192.0.2.1", until: 600, seen: 10), at: 10)
        #expect(apply(try ban("web1", "192.0.2.1", until: 900, seen: 5), at: 11, isMove: true) == [])
        #expect(apply(try ban("web1", "192.0.2.1", until: 900, seen: 10), at: 12, isMove: true) == ["Ban 192.0.2.1 900 web1/sshd detected"])
        apply(try unban("web1", "192.0.2.1", seen: 20), at: 20)
        #expect(apply(try ban("web1", "192.0.2.1", until: 900, seen: 10), at: 21, isMove: true) == [])
    }

    @Test(arguments: [false, true])
    mutating func anEndThatTurnsOutToBePastEndsTheHold(isMove: Bool) throws {
        apply(try ban("web1", "192.0.2.1", until: 86_400, seen: 10), at: 10)
        // The ban was shorter than it was taken for, and that comes late.
        let late = try ban("web1", "192.0.2.1", until: 60, seen: 10)
        #expect(apply(late, at: 70, isMove: isMove) == ["Unban 192.0.2.1 - web1/sshd expired"])
        #expect(table.bannedCount == 0)
    }

    @Test mutating func anExpiredBanIsAnnouncedOnceAtItsEnd() throws {
        apply(try ban("web1", "192.0.2.1", until: 600))
        apply(try ban("web2", "192.0.2.1", until: 500))
        #expect(table.nextDue == at(500))
        #expect(brief(table.expire(now: at(599.999), limit: 100)) == [])
        #expect(brief(table.expire(now: at(600), limit: 100)) == ["Unban 192.0.2.1 - web1/sshd expired"])
        #expect(brief(table.expire(now: at(10_000), limit: 100)) == [])
        #expect(table.nextDue == nil)
    }

    @Test mutating func expiryWorksInPortionsWhenMuchIsDueTogether() throws {
        for i in 0..<10 { apply(try ban("web1", "192.0.2.\(i)", until: 600)) }
        var announced: [String] = []
        var calls = 0
        while let due = table.nextDue, due <= at(600) {
            let part = table.expire(now: at(600), limit: 3)
            #expect(part.count <= 3)
            announced += brief(part)
            calls += 1
        }
        #expect(calls == 4)
        #expect(Set(announced).count == 10)
    }

    @Test mutating func withAQuorumOfTwoOneHostCannotBanAlone() throws {
        table = BanTable(quorum: 2, maximumBanTime: week)
        #expect(apply(try ban("web1", "192.0.2.1", until: 600, jail: "sshd")) == [])
        #expect(apply(try ban("web1", "192.0.2.1", until: 600, jail: "nginx")) == [])
        #expect(apply(try ban("web2", "192.0.2.1", until: 500)) == ["Ban 192.0.2.1 500 web2/sshd detected"])
        #expect(apply(try ban("web3", "192.0.2.1", until: 550)) == ["Ban 192.0.2.1 550 web3/sshd detected"])
        #expect(brief(table.expire(now: at(550), limit: 10)) == ["Unban 192.0.2.1 - web3/sshd expired"])
    }

    @Test mutating func aHoldThatEndedCountsTowardsNoQuorumThoughItsTimeWasNotLookedAtYet() throws {
        table = BanTable(quorum: 2, maximumBanTime: week)
        apply(try ban("web1", "192.0.2.1", until: 500))
        #expect(apply(try ban("web2", "192.0.2.1", until: 700, seen: 600), at: 600) == [])
    }

    @Test mutating func allPlainClientsTogetherCountAsOneHost() throws {
        table = BanTable(quorum: 2, maximumBanTime: week)
        #expect(apply(try ban("old1", "192.0.2.1", until: 600), isPlain: true) == [])
        #expect(apply(try ban("old2", "192.0.2.1", until: 600), isPlain: true) == [])
        #expect(apply(try ban("web1", "192.0.2.1", until: 600)).count == 1)
    }

    @Test mutating func anOperatorsBanStandsAboveTheQuorumAndAboveUnbansOfHosts() throws {
        table = BanTable(quorum: 2, maximumBanTime: week)
        let banned = apply(try order(.ban, "192.0.2.1", until: .permanent))
        #expect(banned == ["Ban 192.0.2.1 * admin/fail2ban-cluster operator"])
        #expect(apply(try unban("web1", "192.0.2.1")) == [])
        #expect(apply(try order(.unban, "192.0.2.1")) == ["Unban 192.0.2.1 - admin/fail2ban-cluster operator"])
    }

    @Test mutating func anOperatorsUnbanEndsAllHoldsAndABanSeenBeforeItDoesNotCount() throws {
        apply(try ban("web1", "192.0.2.1", until: 600))
        apply(try ban("web2", "192.0.2.1", until: 600))
        #expect(apply(try order(.unban, "192.0.2.1", seen: 50), at: 50).count == 1)
        #expect(apply(try ban("web3", "192.0.2.1", until: 600, seen: 49), at: 60) == [])
        #expect(apply(try ban("web3", "192.0.2.1", until: 600, seen: 51), at: 61) == ["Ban 192.0.2.1 600 web3/sshd detected"])
    }

    @Test mutating func whatIsTakenBackLeavesTheTableAsItWas() throws {
        apply(try ban("web1", "192.0.2.1", until: 600))
        apply(try ban("web1", "192.0.2.2", until: 300))
        table.keep()
        let before = table.banned(after: nil, limit: 10)
        apply(try unban("web1", "192.0.2.1"))
        apply(try ban("web2", "192.0.2.3", until: 600))
        _ = table.expire(now: at(400), limit: 10)
        #expect(table.banned(after: nil, limit: 10) != before)
        table.takeBack()
        #expect(table.banned(after: nil, limit: 10) == before)
        #expect(brief(table.expire(now: at(400), limit: 10)) == ["Unban 192.0.2.2 - web1/sshd expired"])
    }

    @Test mutating func aHostThatMovesAnEndAgainAndAgainCannotGrowTheTable() throws {
        for i in 0..<5000 { apply(try ban("web1", "192.0.2.1", until: 600 + Double(i))) }
        var looks = 0
        while let due = table.nextDue, due < at(600 + 4999) {
            _ = table.expire(now: due, limit: 1)
            looks += 1
        }
        #expect(looks < 1100)
        #expect(table.bannedCount == 1)
    }

    @Test mutating func aLiftingNotedByAClockThatWasSetBackStopsNoNewBan() throws {
        _ = table.apply(try order(.unban, "192.0.2.1", seen: 3600), isPlain: false, isMove: false, now: at(3600))
        let effect = table.apply(try ban("web1", "192.0.2.1", until: 600, seen: 100), isPlain: false, isMove: false, now: at(100))
        #expect(effect.announcement?.action == .ban)
    }
}

/// The table's definition, written down as plainly as possible.
private struct PlainModel {
    var quorum: Int
    var holds: [(host: String, jail: String, address: String, end: Double)] = []

    func end(of address: String, at now: Double) -> Double? {
        var latest: [String: Double] = [:]
        for hold in holds where hold.address == address && hold.end > now { latest[hold.host] = max(latest[hold.host] ?? 0, hold.end) }
        let ends = latest.values.sorted(by: >)
        return ends.count >= quorum ? ends[quorum - 1] : nil
    }
}

@Suite struct BanTableProperties {
    /// Whatever happens, folding the announcements gives the set that the definition gives.
    @Test(arguments: 1...3) func theAnnouncementsAlwaysAddUpToTheDefinition(quorum: Int) throws {
        for seed in 0..<20 {
            var random = SeededGenerator(seed: UInt64(seed * 10 + quorum))
            var table = BanTable(quorum: quorum, maximumBanTime: week)
            var model = PlainModel(quorum: quorum)
            var announced: [String: Double] = [:]
            var now = 0.0
            func fold(_ event: Event) {
                guard case .at(let end) = event.end, event.action == .ban else {
                    announced["\(event.address)"] = nil
                    return
                }
                announced["\(event.address)"] = Double(end.milliseconds - start) / 1000
            }
            for _ in 0..<400 {
                now += Double(Int.random(in: 0...3, using: &random))
                while let due = table.nextDue, due <= at(now) { table.expire(now: at(now), limit: 2).forEach(fold) }
                let (hostName, jail) = ("web\(Int.random(in: 1...4, using: &random))", "jail\(Int.random(in: 1...2, using: &random))")
                let text = "192.0.2.\(Int.random(in: 1...5, using: &random))"
                let event: Event
                model.holds.removeAll { $0.host == hostName && $0.jail == jail && $0.address == text }
                if Bool.random(using: &random) {
                    let end = now + Double(Int.random(in: 1...40, using: &random))
                    event = try ban(hostName, text, until: end, seen: now, jail: jail)
                    model.holds.append((hostName, jail, text, end))
                } else {
                    event = try unban(hostName, text, seen: now, jail: jail)
                }
                if let announcement = table.apply(event, isPlain: false, isMove: false, now: at(now)).announcement { fold(announcement) }
                for i in 1...5 { #expect(announced["192.0.2.\(i)"] == model.end(of: "192.0.2.\(i)", at: now), "seed \(seed), now \(now)") }
            }
        }
    }
}
