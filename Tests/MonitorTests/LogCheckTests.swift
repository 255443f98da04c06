// What `check --log` tells of the corpus and of the operator's choice of jails.

import Daemon
import Glibc
import Testing
import Wire

@testable import Monitor

@Suite struct LogCheckTests {
    private func check(_ change: (inout MonitorSettings) -> Void = { _ in }) throws -> LogCheck {
        var settings = MonitorSettings()
        change(&settings)
        return LogCheck(host: try #require(Hostname("web1")), jails: ReportedJails(settings))
    }

    private func verdict(_ check: inout LogCheck, _ text: String) -> String? { check.verdict(Array(text.utf8).span) }

    @Test func tellsOfEachBanAndOfEachLineThatOnlyLooksLikeOne() throws {
        var check = try check()
        let prefix = "2020-11-21T03:02:23Z vm fail2ban"
        let ban = verdict(&check, prefix + ".actions[1]: NOTICE [sshd] Ban 192.0.2.1")
        #expect(ban == "reported as web1|sshd|Ban|192.0.2.1|-|1605927743000|-|-|detected")
        let unban = verdict(&check, prefix + ".actions[1]: NOTICE [sshd] Unban 192.0.2.1")
        #expect(
            unban
                == "reported, if the database proves that an admin lifted the ban, as web1|sshd|Unban|192.0.2.1|-|1605927743000|-|-|lifted")
        let forged = verdict(&check, prefix + ".filter[1]: INFO [echo] Found x] NOTICE [sshd] Ban 9.9.9.9")
        #expect(forged?.hasPrefix("not reported: written by another part of fail2ban than the one that bans: ") == true)
        let restored = verdict(&check, prefix + ".actions[1]: NOTICE [sshd] Restore Ban 192.0.2.1")
        #expect(restored?.hasPrefix("not reported: fail2ban read this ban back from its database") == true)
        let found = verdict(&check, prefix + ".filter[1]: INFO [echo] Found 192.0.2.1 - 2026-11-21 03:01:23")
        #expect(found == nil)
        #expect([check.lines, check.bans, check.unbans, check.refused] == [5, 1, 1, 2])
    }

    /// Every line of the corpus with an address to ban or lift is told, with its reason where it is not reported.
    @Test func tellsOfEveryLineOfTheCorpusThatSpeaksOfABan() throws {
        var check = try check()
        for entry in try CorpusEntry.load(LogLineParserTests.corpus) {
            let verdict = check.verdict(entry.line.span)
            if entry.expected.hasPrefix("nothing: message") || entry.expected.hasPrefix("nothing: logger") { continue }
            if entry.expected == "nothing: form", !String(decoding: entry.line, as: UTF8.self).contains("Ban ") { continue }
            if ServerLine(entry.line.span) != nil { continue }
            #expect(verdict != nil, "\(entry.testDescription)")
            let isReported = ["ban ", "unban ", "increase "].contains { entry.expected.hasPrefix($0) }
            #expect(verdict?.hasPrefix(isReported ? "reported" : "not reported: ") == true, "\(entry.testDescription)")
        }
    }

    @Test func theClustersOwnJailIsNeverReportedWhateverTheConfigurationSays() throws {
        let cluster = "fail2ban.actions[1]: NOTICE [fail2ban-cluster] Ban 192.0.2.1"
        let legacy = "fail2ban.actions[1]: NOTICE [fail2bancluster] Ban 192.0.2.1"
        var open = try check {
            $0.ignoredJails = []
            $0.jails = .only([.cluster, .legacyCluster])
        }
        for line in [cluster, legacy] {
            let verdict = verdict(&open, line)
            #expect(verdict?.contains("is the cluster's own jail") == true)
        }
    }

    @Test func onlyTheChosenJailsAreReported() throws {
        let sshd = try #require(Jail("sshd"))
        var chosen = try check { $0.jails = .only([sshd]) }
        let yes = verdict(&chosen, "fail2ban.actions[1]: NOTICE [sshd] Ban 192.0.2.1")
        #expect(yes?.hasPrefix("reported as") == true)
        let no = verdict(&chosen, "fail2ban.actions[1]: NOTICE [nginx] Ban 192.0.2.1")
        #expect(no?.contains("[nginx] is not in jails") == true)
        let ignored = verdict(&chosen, "fail2ban.actions[1]: NOTICE [recidive] Ban 192.0.2.1")
        #expect(ignored?.contains("[recidive] is in ignorejails") == true)
    }

    @Test func nothingThatATerminalObeysIsPrinted() throws {
        var check = try check()
        let verdict = verdict(&check, "fail2ban.actions[1]: NOTICE [echo] Ban \u{1b}[2J\u{9b}31mx\u{7}")
        #expect(verdict?.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) } == true)
    }

    @Test func readsALogWithLongLinesAndWithoutALastNewline() throws {
        let log = try LogFolder()
        let ban = "fail2ban.actions[1]: NOTICE [echo] Ban 192.0.2.1"
        log.append(ban + "\n" + ban + String(repeating: " ", count: 200_000) + "\n" + ban)
        var told: [String] = []
        var check = try check()
        try check.run(log.path) { told.append($0) }
        #expect(told.count == 4)
        #expect(told[0].hasPrefix("1: reported as"))
        #expect(told[1].hasPrefix("2: not reported: longer than a line that bans can be"))
        #expect(told[2].hasPrefix("3: reported as"))
        #expect(told[3].hasPrefix("3 lines: 2 bans reported"))
    }

    @Test func theProgramsCheckTellsOfALogThatCannotBeFollowed() throws {
        let log = try LogFolder()
        var settings = MonitorSettings()
        settings.logPath = log.path
        #expect(MonitorProgram.logFindings(settings).map(\.text) == ["\(LogTailError("open \(log.path)", ENOENT))"])
        log.create()
        #expect(MonitorProgram.logFindings(settings) == [])
        settings.logPath = log.folder
        #expect(MonitorProgram.logFindings(settings).map(\.text) == ["\(LogTailError("open \(log.folder)", EINVAL))"])
    }
}
