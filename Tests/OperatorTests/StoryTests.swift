// What `why`, `history`, `bans` and `watch` say of events, and how a point in time is read.

import Daemon
import Foundation
import Glibc
import Testing
import Wire

@testable import Operator

private let now: Int64 = 1_795_212_100_000

@Suite struct StoryTests {
    private func event(
        _ row: Int64, _ kind: String = "admitted", _ action: String? = "Ban", _ cause: String? = "detected", number: UInt64? = nil,
        address: String? = "203.0.113.9", end: Int64? = now + 3_600_000, refusal: String? = nil
    ) -> HistoryEvent {
        HistoryEvent(
            row: row, number: number, kind: kind, at: now - 100_000 + row * 1000, seen: now, host: "web1", jail: "sshd", action: action,
            address: address, end: end, permanent: false, cause: cause, plain: false, refusal: refusal)
    }

    private func standing(_ records: [Standing.Record] = [], protected: String? = nil, allowed: String? = nil) -> Standing {
        Standing(address: "203.0.113.9", now: now, quorum: 2, records: records, protected: protected, allowed: allowed)
    }

    private func record(_ address: String = "203.0.113.9", banned: Bool = true, holders: [String] = ["web1"]) -> Standing.Record {
        Standing.Record(
            address: address, banned: banned, end: banned ? now + 3_600_000 : nil,
            holders: holders.map { Standing.Record.Holder(host: $0, jail: "sshd", seen: now - 100_000, end: now + 3_600_000) })
    }

    @Test func aBannedAddressIsToldWithItsHoldersItsEndAndWhereItIsApplied() throws {
        let story = Story(standing([record()]), try wellCluster(), [event(1, number: 1045)])
        #expect(story.banned)
        #expect(
            story.text == """
                203.0.113.9 is banned until 2026-11-20T23:01:40Z, for another 1h, by web1/sshd
                  203.0.113.9: web1/sshd, since 2026-11-20T22:00:00Z, until 2026-11-20T23:01:40Z
                applied on 2 of 2 hosts

                2026-11-20T22:00:01Z  web1/sshd: banned 203.0.113.9 until 2026-11-20T23:01:40Z (announcement 1045)

                """)
    }

    @Test func aHostThatLacksTheBanIsNamedWithTheReason() throws {
        var status = try wellCluster()
        status.hosts[0].subscriber?.state.refused = ["203.0.113.9"]
        status.hosts[1].subscriber?.state.number = 1044
        status.hosts[1].subscriber?.lag = ClusterStatus.Lag(events: 1, milliseconds: 60_000)
        let story = Story(standing([record()]), status, [event(1, number: 1045)])
        #expect(
            story.applied == [
                Story.Applied(
                    address: "203.0.113.9", hosts: 0, of: 2,
                    missing: [
                        "web1: refused by its own rules: see ignoreip in [subscriber] there; its own addresses are never banned",
                        "web2: 1 announcement behind, for 1m: see the subscriber's log on web2",
                    ])
            ])
    }

    @Test func aBanOfAPrefixBansWhatIsInItAndNotTheOtherWayRound() throws {
        let around = Story(standing([record("203.0.113.0/24")]), try wellCluster(), [])
        #expect(around.verdict.hasPrefix("203.0.113.9 is banned, as part of 203.0.113.0/24 until "))
        var prefix = standing([record("203.0.113.9")])
        prefix.address = "203.0.113.0/24"
        let story = Story(prefix, try wellCluster(), [])
        #expect(!story.banned)
        #expect(story.verdict == "203.0.113.0/24 is not banned as a whole; in it are: 203.0.113.9")
    }

    @Test func whatIsNotBannedIsToldWithTheReasonWhyNot() throws {
        let status = try wellCluster()
        func verdict(_ standing: Standing, _ events: [HistoryEvent] = []) -> String {
            String(Story(standing, status, events).verdict.dropFirst("203.0.113.9 is not banned: ".count))
        }
        #expect(
            verdict(standing(protected: "ignoreip has 203.0.113.0/24")) == """
                it must never be, since ignoreip has 203.0.113.0/24; to have it banned all the same, take it out of ignoreip in [publisher] \
                on the publisher's host, and run there: fail2ban-publisher reload
                """)
        #expect(verdict(standing(protected: "127.0.0.0/8 is loopback")) == "it must never be, since 127.0.0.0/8 is loopback")
        #expect(verdict(standing(allowed: "allowed by an operator for ever")) == "allowed by an operator for ever")
        #expect(verdict(standing([record(banned: false)])) == "1 of 2 hosts hold it that it takes (quorum): web1")
        #expect(verdict(standing()).hasPrefix("no host has reported it"))
        let ends = [("expired", "its ban ended at its time"), ("operator", "an operator on web1 lifted it"), ("lifted", "web1 lifted it")]
        for (cause, words) in ends {
            #expect(verdict(standing(), [event(1), event(2, "announced", "Unban", cause, number: 2)]).hasPrefix(words))
        }
        #expect(verdict(standing(), [event(1, "refused", refusal: "no")]) == "what was reported last was refused")
        // The host's fail2ban, told to unban, reports that too.
        let echo = [event(1), event(2, "admitted", "Unban", "operator", number: 2, end: nil), event(3, "admitted", "Unban", "lifted")]
        #expect(verdict(standing(), echo).hasPrefix("an operator on web1 lifted it"))
    }

    @Test func eachKindOfEventHasItsSentence() {
        #expect(event(1).sentence.hasSuffix("; nothing changed for the cluster"))
        var moved = event(1, number: 2)
        moved.move = true
        #expect(moved.sentence == "web1/sshd: moved the end of its ban of 203.0.113.9: until 2026-11-20T23:01:40Z (announcement 2)")
        #expect(
            event(1, "refused", refusal: "ignoreip has 203.0.113.0/24").sentence
                == "web1/sshd: Ban of 203.0.113.9 refused: ignoreip has 203.0.113.0/24")
        #expect(event(1, "refused", nil, nil, address: nil, refusal: "bad host").sentence == "web1/sshd: a line refused: bad host")
        #expect(
            event(1, "announced", "Unban", "expired", number: 2).sentence
                == "203.0.113.9 is not banned any more: its time came (announcement 2)")
        #expect(event(1, "admitted", "Ban", "operator").sentence.hasPrefix("operator on web1: banned 203.0.113.9 until "))
        #expect(event(1, "admitted", "Unban", "operator", end: nil).sentence == "operator on web1: lifted every ban of 203.0.113.9")
        #expect(event(1, "admitted", "Unban", "operator").sentence.contains(", and allowed it until "))
        #expect(event(1, "announced", "Ban", "held", number: 3).sentence.contains("stays banned until"))
    }

    @Test func whatAHostReportedCannotDriveTheTerminal() {
        #expect(!event(1, "refused", refusal: "\u{1b}[2J\nforged").line.dropLast().contains { $0 == "\u{1b}" || $0 == "\n" })
    }

    @Test func aMomentIsHowLongAgoOrADate() throws {
        let present = Timestamp(milliseconds: now)
        #expect(Moment("1h", now: present)?.time == Timestamp(milliseconds: now - 3_600_000))
        #expect(Moment("2026-11-20T22:01:40Z", now: present)?.time == present)
        let day = try #require(Moment("2026-11-21", now: present)?.time)
        let hour = try #require(Moment("2026-11-21 01:30", now: present)?.time)
        #expect(hour.milliseconds - day.milliseconds == 5_400_000)
        for text in ["", "yesterday", "2026-13-01", "2026-11-21 25:00", "-1h", "2026-11-21x"] {
            #expect(Moment(text, now: present) == nil, "\(text)")
        }
    }
}

@Suite struct JSONOutputTests {
    @Test func whatDrivesATerminalIsEscapedInJSONTooAndReadsBackTheSame() throws {
        let text = "\u{1b}[2J \u{9b}31m \u{7f} \u{202e} é 😀"
        let json = try JSONOutput.line(["text": text])
        #expect(json == #"{"text":"\u001b[2J \u009b31m \u007f \u202e é 😀"}"# + "\n")
        #expect(try JSONDecoder().decode([String: String].self, from: Data(json.utf8)) == ["text": text])
    }
}

@Suite struct AnnouncementLineTests {
    private func event(_ number: UInt64, _ action: Event.Action, _ cause: Event.Cause) throws -> Event {
        Event(
            host: try #require(Hostname("web1")), jail: try #require(Jail("sshd")), action: action,
            address: try #require(Address("203.0.113.9")), number: number, seen: Timestamp(milliseconds: now),
            admitted: Timestamp(milliseconds: now), end: action == .ban ? .at(Timestamp(milliseconds: now + 3_600_000)) : .unknown,
            cause: cause)
    }

    private func broadcast(_ first: UInt64, _ events: [Event], term: UInt64 = 7) -> Broadcast {
        Broadcast(term: Term(id: term), first: first, now: Timestamp(milliseconds: now), events: events)
    }

    @Test func eachAnnouncementIsOneLineAndBeatsAreNone() throws {
        var line = AnnouncementLine(isColoured: false)
        #expect(try line.text(of: broadcast(5, []), json: false) == "")
        let text = try line.text(of: broadcast(5, [try event(5, .ban, .detected), try event(6, .unban, .expired)]), json: false)
        #expect(
            text == """
                2026-11-20T22:01:40Z  Ban 203.0.113.9 until 2026-11-20T23:01:40Z  web1/sshd, detected
                2026-11-20T22:01:40Z  Unban 203.0.113.9  web1/sshd, expired

                """)
    }

    @Test func whatWasMissedAndAnotherStartOfThePublisherAreSaid() throws {
        var line = AnnouncementLine(isColoured: false)
        _ = try line.text(of: broadcast(5, []), json: false)
        #expect(try line.text(of: broadcast(8, []), json: false) == "3 announcements were missed; fail2ban-cluster history has them\n")
        #expect(try line.text(of: broadcast(1, [], term: 8), json: false) == "the publisher was started anew\n")
    }

    @Test func onlyATerminalGetsColours() throws {
        let announcement = broadcast(5, [try event(5, .ban, .detected)])
        var coloured = AnnouncementLine(isColoured: true)
        #expect(try coloured.text(of: announcement, json: false).hasPrefix("\u{1b}[31m"))
        var plain = AnnouncementLine(isColoured: false)
        #expect(!(try plain.text(of: announcement, json: false).contains("\u{1b}")))
        var json = AnnouncementLine(isColoured: false)
        #expect(
            try json.text(of: announcement, json: true) == """
                {"action":"Ban","address":"203.0.113.9","admitted":\(now),"cause":"detected","end":\(now + 3_600_000),"host":"web1","jail":"sshd",\
                "number":5,"permanent":false,"seen":\(now)}

                """)
    }
}

@Suite struct BansOutputTests {
    @Test func bansAreShownWithTheirEndTheirHoldersAndWhereTheyAreApplied() throws {
        let text = """
            {"now":\(now),"bans":[{"address":"203.0.113.9","end":\(now + 90_000),"holders":[{"host":"web1","jail":"sshd","seen":\(now - 100_000)},
            {"host":"web2","jail":"sshd","seen":\(now - 101_000)}]},{"address":"2001:db8::/64","end":null,
            "holders":[{"host":"admin","jail":"fail2ban-cluster","seen":\(now)}]}],"next":null}
            """
        let page = try JSONDecoder().decode(BanPage.self, from: Data(text.utf8))
        let output = BansOutput(page, try wellCluster())
        // The states came before the second ban.
        #expect(
            output.table(width: nil) == """
                ADDRESS        ENDS IN  APPLIED  HELD BY
                203.0.113.9    1m 30s   2 of 2   web1/sshd web2/sshd
                2001:db8::/64  never    0 of 2   admin/fail2ban-cluster

                """)
        let json = try JSONOutput.line(output)
        #expect(
            json.hasPrefix(
                #"{"bans":[{"address":"203.0.113.9","applied":2,"end":\#(now + 90_000),"endsIn":90000,"holders":[{"host":"web1","jail":"sshd""#
            ))
    }
}

@Suite struct TextTableTests {
    @Test(arguments: [
        ("a b c", 3, ["a b", "c"]), ("abcdef", 4, ["abcd", "ef"]), ("ab cdefgh", 4, ["ab", "cdef", "gh"]), ("", 4, [""]),
        ("a  b", 9, ["a b"]),
    ])
    func textIsWrappedBetweenWords(_ text: String, _ width: Int, _ lines: [String]) {
        #expect(TextTable.wrapped(text, width: width) == lines)
    }

    @Test(arguments: [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_440_000, "1.4 MB"), (Int64.max, "9.2 EB")])
    func bytesAreShownInThousands(_ bytes: Int64, _ text: String) { #expect(ByteCount.text(bytes) == text) }
}
