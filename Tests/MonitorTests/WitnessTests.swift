// The witness on real SQLite files with fail2ban's schema, whole, locked, damaged, replaced and missing.

import GRDB
import Glibc
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

    @Test func doingWithoutADatabaseIsUnavailable() throws {
        #expect(Witness(path: nil).answer(WitnessQuestion(holds: [try key("192.0.2.1")])) == .unavailable(.none))
    }

    private func rows(_ answer: WitnessAnswer) -> Int? {
        if case .testimony(let testimony) = answer { testimony.rows.count } else { nil }
    }
}
