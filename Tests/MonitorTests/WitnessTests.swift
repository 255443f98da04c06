// The witness on real SQLite files with fail2ban's schema, whole, locked, damaged, replaced and missing.

import GRDB
import Glibc
import TestSupport
import Testing
import Wire

@testable import Monitor

@Suite struct WitnessTests {
    private static let sshd = Jail("sshd")

    private func key(_ id: String) throws -> HoldKey { HoldKey(jail: try #require(WitnessTests.sshd), id: id) }

    @Test func tellsTheRowsThatAreThereAndTheJails() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        try database.ban("sshd", "192.0.2.1", time: 1000, banTime: 600)
        try database.ban("sshd", "2001:db8::1", time: 2000, banTime: -1)
        let witness = Witness(path: database.path)
        let question = WitnessQuestion(
            holds: [try key("192.0.2.1"), try key("2001:db8::1"), try key("192.0.2.2")], jails: [try #require(WitnessTests.sshd)])
        #expect(
            witness.answer(question)
                == .testimony(
                    Testimony(
                        rows: [
                            try key("192.0.2.1"): BanRow(timeOfBan: 1000, banTime: 600),
                            try key("2001:db8::1"): BanRow(timeOfBan: 2000, banTime: -1),
                        ], jails: [try #require(WitnessTests.sshd)], lastBanTimes: [try #require(WitnessTests.sshd): -1])))
    }

    @Test func seesWhatFail2banChangesBetweenTwoQuestions() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        let witness = Witness(path: database.path)
        let question = WitnessQuestion(holds: [try key("192.0.2.1")])
        #expect(rows(witness.answer(question)) == 0)
        try database.ban("sshd", "192.0.2.1", time: 1000, banTime: 600)
        #expect(rows(witness.answer(question)) == 1)
        try database.unban("sshd", "192.0.2.1")
        #expect(rows(witness.answer(question)) == 0)
    }

    @Test func neverHoldsALockBetweenQuestions() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        let witness = Witness(path: database.path)
        for i in 0..<100 {
            #expect(rows(witness.answer(WitnessQuestion(holds: [try key("192.0.2.1")]))) == 0)
            // Fails at once if anybody holds as much as a shared lock.
            try database.exclusively { try $0.execute(sql: "UPDATE jails SET enabled = \(i % 2)") }
        }
    }

    @Test func neitherAnAnswerNorAFailureLeavesALock() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        try database.ban("sshd", "192.0.2.1", time: 1000, banTime: 600)
        try database.execute("INSERT INTO bips VALUES ('192.0.2.2', 'sshd', 'soon', 600, 1, '{}')")
        let witness = Witness(path: database.path)
        let jails = [try #require(WitnessTests.sshd)]
        for ids in [["192.0.2.1"], ["192.0.2.2"], ["192.0.2.1", "192.0.2.2"], ["192.0.2.1"]] {
            let answer = witness.answer(WitnessQuestion(holds: try ids.map(key), jails: jails))
            #expect((rows(answer) == nil) == ids.contains("192.0.2.2"))
            // Fails at once if anybody holds as much as a shared lock.
            try database.exclusively { try $0.execute(sql: "UPDATE jails SET enabled = 1") }
        }
        try database.exclusively { _ in #expect(rows(witness.answer(WitnessQuestion(holds: [], jails: jails))) == nil) }
        try database.exclusively { try $0.execute(sql: "DROP TABLE bips") }
        #expect(witness.answer(WitnessQuestion(holds: [], jails: jails)) == .unavailable(.tooOld(database.path)))
        try database.exclusively { try $0.execute(sql: "DROP TABLE jails") }
    }

    @Test func aLockIsWaitedForSinceFail2bansOwnIsShort() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        let witness = Witness(path: database.path)
        try database.exclusively { _ in
            let start = ContinuousClock.now
            #expect(witness.answer(WitnessQuestion(holds: [])) == .unavailable(.locked(database.path)))
            #expect(ContinuousClock.now - start >= .milliseconds(100))
        }
    }

    @Test func aLockedDatabaseIsUnavailableAndNotEmpty() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        let witness = Witness(path: database.path)
        let question = WitnessQuestion(holds: [try key("192.0.2.1")])
        try database.exclusively { _ in
            #expect(witness.answer(question) == .unavailable(.locked(database.path)))
        }
        #expect(rows(witness.answer(question)) == 0)
    }

    @Test func aMissingDatabaseIsUnavailableUntilItIsThere() throws {
        let folder = try LogFolder()
        let path = folder.folder + "/db"
        let witness = Witness(path: path)
        let question = WitnessQuestion(holds: [try key("192.0.2.1")])
        #expect(witness.answer(question) == .unavailable(.missing(path)))
        let database = try Fail2banDatabase(path)
        #expect(rows(witness.answer(question)) == 0)
        unlink(path)
        #expect(witness.answer(question) == .unavailable(.missing(path)))
        _ = database
    }

    @Test func aReplacedDatabaseIsOpenedAnew() throws {
        let folder = try LogFolder()
        let first = try Fail2banDatabase(folder.folder + "/db")
        try first.ban("sshd", "192.0.2.1", time: 1000, banTime: 600)
        let witness = Witness(path: first.path)
        let question = WitnessQuestion(holds: [try key("192.0.2.1")])
        #expect(rows(witness.answer(question)) == 1)
        _ = try Fail2banDatabase(folder.folder + "/other")
        rename(folder.folder + "/other", first.path)
        #expect(rows(witness.answer(question)) == 0)
    }

    @Test func aDatabaseOfAnOldFail2banIsUnavailable() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        try database.execute("DROP TABLE bips")
        let witness = Witness(path: database.path)
        #expect(witness.answer(WitnessQuestion(holds: [try key("192.0.2.1")])) == .unavailable(.tooOld(database.path)))
    }

    @Test func aFileThatIsNoDatabaseIsUnavailable() throws {
        let folder = try LogFolder()
        folder.append(String(repeating: "no database ", count: 1000))
        let witness = Witness(path: folder.path)
        guard case .unavailable(.unreadable(folder.path, _)) = witness.answer(WitnessQuestion(holds: [try key("192.0.2.1")])) else {
            Issue.record("read a file of text")
            return
        }
    }

    /// As a file that this user may not read, on which tests of root can't come.
    @Test func aFileThatCannotBeOpenedIsUnavailableAndSaysWhatHelps() throws {
        let folder = try LogFolder()
        let path = folder.folder + "/db"
        try #require(mknod(path, S_IFSOCK | 0o600, 0) == 0)
        #expect(
            Witness(path: path).answer(WitnessQuestion(holds: []))
                == .unavailable(.unreadable(path, "run the monitor as root or with CAP_DAC_READ_SEARCH")))
    }

    @Test func aPipeIsUnavailableAndNotWaitedFor() throws {
        let folder = try LogFolder()
        let path = folder.folder + "/pipe"
        try #require(mkfifo(path, 0o600) == 0)
        #expect(Witness(path: path).answer(WitnessQuestion(holds: [])) == .unavailable(.unreadable(path, "it is a pipe")))
    }

    @Test func whatIsUnavailableIsNotKeptOpen() throws {
        let folder = try LogFolder()
        folder.append(String(repeating: "no database ", count: 1000))
        let empty = folder.folder + "/empty"
        LogFolder.append("", to: empty)
        for path in [folder.path, empty] {
            let witness = Witness(path: path)
            for _ in 0..<3 { #expect(rows(witness.answer(WitnessQuestion(holds: []))) == nil) }
            let file = try #require(Witness.Identity(path: path))
            #expect(!namesInFolder("/proc/self/fd").contains { Witness.Identity(path: "/proc/self/fd/\($0)") == file })
        }
    }

    @Test func aDamagedPageIsUnavailableAndNotEmpty() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        try database.banMany(2000, time: 1000)
        try database.damage { 1..<$0 }
        let witness = Witness(path: database.path)
        guard case .unavailable(.unreadable) = witness.answer(WitnessQuestion(holds: [try key("10.0.1.1")])) else {
            Issue.record("concluded something from a damaged database")
            return
        }
    }

    @Test func aRowWithoutNumbersIsNoTestimony() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        try database.execute("INSERT INTO bips VALUES ('192.0.2.1', 'sshd', 'soon', x'00', 1, '{}')")
        let witness = Witness(path: database.path)
        guard case .unavailable(.unreadable) = witness.answer(WitnessQuestion(holds: [try key("192.0.2.1")])) else {
            Issue.record("read a time from a text")
            return
        }
    }

    @Test func aBanTimeWithAFractionIsReadAsWholeSeconds() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        // What bantime.rndtime makes.
        try database.execute("INSERT INTO bips VALUES ('192.0.2.1', 'sshd', 1000, 600.25, 2, '{}')")
        let question = WitnessQuestion(holds: [try key("192.0.2.1")], jails: [try #require(WitnessTests.sshd)])
        guard case .testimony(let testimony) = Witness(path: database.path).answer(question) else {
            Issue.record("a fraction made the database unreadable")
            return
        }
        #expect(testimony.rows == [try key("192.0.2.1"): BanRow(timeOfBan: 1000, banTime: 600)])
        #expect(testimony.lastBanTimes == [try #require(WitnessTests.sshd): 600])
    }

    @Test func aBanTimeThatNoNumberOfSecondsIsIsNoTestimony() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        try database.execute("INSERT INTO bips VALUES ('192.0.2.1', 'sshd', 1000, 1e300, 2, '{}')")
        guard case .unavailable(.unreadable) = Witness(path: database.path).answer(WitnessQuestion(holds: [try key("192.0.2.1")])) else {
            Issue.record("read a number of seconds from 1e300")
            return
        }
    }

    /// fail2ban bans any text (`<F-ID>`), and its jails may have any name.
    @Test func aTextWithAZeroIsNotTakenForWhatStandsBeforeIt() throws {
        let folder = try LogFolder()
        let database = try Fail2banDatabase(folder.folder + "/db")
        try database.execute(
            """
            INSERT INTO bips VALUES ('192.0.2.1' || char(0) || '2', 'sshd', 1000, 600, 1, '{}');
            INSERT INTO jails VALUES ('nginx' || char(0), 1), (CAST(x'646f766563ff' AS TEXT), 1);
            """)
        let question = WitnessQuestion(holds: [try key("192.0.2.1"), try key("192.0.2.1\u{0}2")])
        #expect(
            Witness(path: database.path).answer(question)
                == .testimony(
                    Testimony(
                        rows: [try key("192.0.2.1\u{0}2"): BanRow(timeOfBan: 1000, banTime: 600)],
                        jails: [try #require(WitnessTests.sshd)])))
    }

    @Test func doingWithoutADatabaseIsUnavailable() throws {
        #expect(Witness(path: nil).answer(WitnessQuestion(holds: [try key("192.0.2.1")])) == .unavailable(.none))
    }

    private func rows(_ answer: WitnessAnswer) -> Int? {
        if case .testimony(let testimony) = answer { testimony.rows.count } else { nil }
    }
}
