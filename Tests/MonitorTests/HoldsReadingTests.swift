// All bans of fail2ban's database, read in portions while fail2ban goes on, locks it, or another file takes its place.

import Daemon
import GRDB
import Glibc
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Monitor

@Suite struct HoldsReadingTests {
    private let now = Timestamp.now
    private let jails = ReportedJails(.init())
    private let folder: LogFolder
    private let database: Fail2banDatabase
    private var seconds: Int64 { now.milliseconds / 1000 }

    init() throws {
        folder = try LogFolder()
        database = try Fail2banDatabase(folder.folder + "/db")
    }

    /// A reading of many bans, of which the first portion is read.
    private func begun(_ count: Int, _ witness: Witness) throws -> HoldsReading {
        try database.banMany(count, time: seconds)
        var reading = HoldsReading(madeAt: now, position: 0)
        #expect(reading.advance(witness, jails) == .more)
        return reading
    }

    private func readAll(_ reading: inout HoldsReading, _ witness: Witness) -> (HoldsReading.Progress, portions: Int) {
        var portions = 0
        while true {
            portions += 1
            let progress = reading.advance(witness, jails)
            if progress != .more { return (progress, portions) }
        }
    }

    /// A reading from its beginning to its end.
    private func whole() -> HoldsReading {
        var reading = HoldsReading(madeAt: now, position: 0)
        #expect(readAll(&reading, Witness(path: database.path)).0 == .done)
        return reading
    }

    /// A portion of one and a portion of the other would be a list of bans that never stood together.
    @Test func aListIsOfOneDatabaseHoweverOftenItIsReplaced() async throws {
        let lists = [["10.0.0.1", "10.0.0.3"], ["10.0.0.2", "10.0.0.4"]]
        let paths = [folder.folder + "/a", folder.folder + "/b"]
        for (path, addresses) in zip(paths, lists) {
            let database = try Fail2banDatabase(path)
            for address in addresses { try database.ban("sshd", address, time: seconds, banTime: 600) }
            try database.close()
        }
        let (link, next) = (folder.folder + "/link", folder.folder + "/next")
        try #require(symlink(paths[0], link) == 0)
        let stop = Stop()
        async let replacing: Void = onThread {
            var round = 0
            repeat {
                round += 1
            } while symlink(paths[round % 2], next) == 0 && rename(next, link) == 0 && !stop.isSet.load(ordering: .relaxed)
        }
        var found: Set<[String]> = []
        for _ in 0..<5000 {
            var reading = HoldsReading(madeAt: now, position: 0, portion: 1)
            guard readAll(&reading, Witness(path: link)).0 == .done else { continue }
            found.insert(reading.gathering.holds.map(\.address.description).sorted())
        }
        stop.isSet.store(true, ordering: .relaxed)
        try await replacing
        #expect(!found.isEmpty)
        #expect(found.subtracting(lists) == [])
    }

    @Test func aBigTableIsReadWholeInPortionsBetweenWhichFail2banWrites() throws {
        let witness = Witness(path: database.path)
        var reading = try begun(9000, witness)
        // Fails at once if a lock is held between portions.
        try database.exclusively { try $0.execute(sql: "UPDATE bips SET bancount = 2 WHERE ip = '10.0.35.0'") }
        // One of those already read is banned anew, one still to come is lifted.
        try database.ban("sshd", "10.0.0.1", time: seconds, banTime: 600)
        try database.unban("sshd", "10.0.9.9")
        let (progress, portions) = readAll(&reading, witness)
        #expect(progress == .done)
        #expect(portions == 4)
        #expect(Set(reading.gathering.holds.map(\.address)).count == 8999)
        #expect(reading.gathering.holds.count == 8999)
    }

    /// fail2ban bans any text (`<F-ID>`), so an attacker may choose it. Such a reading went on for ever, and took the text for the address.
    @Test func textsWithZerosNeitherPoseAsAddressesNorHoldUpTheReading() throws {
        try database.banMany(1, time: seconds)
        try database.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
            INSERT INTO bips SELECT '192.0.2.1' || char(0) || i, 'sshd', \(seconds), 600, 1, '{}' FROM n;
            INSERT INTO bips SELECT CAST(x'ff' AS TEXT) || ip, jail, timeofban, bantime, 1, '{}' FROM bips;
            """)
        let witness = Witness(path: database.path)
        var reading = HoldsReading(madeAt: now, position: 0)
        for _ in 0..<5 { #expect(reading.advance(witness, jails) == .more) }
        #expect(reading.advance(witness, jails) == .done)
        #expect(reading.gathering.holds.map(\.address) == [Address("10.0.0.0")])
    }

    @Test func aReadingGoesOnAfterALock() throws {
        let witness = Witness(path: database.path)
        var reading = try begun(3000, witness)
        try database.exclusively { _ in #expect(reading.advance(witness, jails) == .unavailable(.locked(database.path))) }
        #expect(readAll(&reading, witness).0 == .done)
        #expect(reading.gathering.holds.count == 3000)
    }

    @Test func anotherFileInItsPlaceEndsAReading() throws {
        let witness = Witness(path: database.path)
        var reading = try begun(3000, witness)
        _ = try Fail2banDatabase(folder.folder + "/other")
        rename(folder.folder + "/other", database.path)
        guard case .unavailable = readAll(&reading, witness).0 else {
            Issue.record("took half of one file and half of another for a list")
            return
        }
    }

    @Test func aDamagedTableMakesNoList() throws {
        try database.banMany(3000, time: seconds)
        try database.damage { $0 / 2..<$0 / 2 + 1 }
        var reading = HoldsReading(madeAt: now, position: 0)
        guard case .unavailable(.unreadable) = readAll(&reading, Witness(path: database.path)).0 else {
            Issue.record("made a list of a damaged database")
            return
        }
    }

    @Test func bansWhoseTimeHasAFractionAreRead() throws {
        try database.banMany(10, time: seconds)
        try database.execute("UPDATE bips SET bantime = 600.25 WHERE ip = '10.0.0.5'")
        #expect(whole().gathering.holds.count == 10)
    }

    @Test func aBanWithoutARowIsAddedAndARowThatCameLateCounts() throws {
        try database.banMany(1, time: seconds)
        var reading = whole()
        let jail = try #require(Jail("sshd"))
        let estimate = BanEnd.at(now.advanced(byMilliseconds: 60_000))
        for text in ["10.0.0.0", "10.0.0.1"] {
            reading.add(Hold(jail: jail, address: try #require(Address(text)), seen: now, end: estimate))
        }
        // Of an earlier ban than the one that was reported.
        try database.ban("sshd", "10.0.0.2", time: seconds - 100, banTime: 700)
        var other = whole()
        other.add(Hold(jail: jail, address: try #require(Address("10.0.0.2")), seen: now, end: estimate))
        #expect(reading.gathering.holds.map(\.end) == [.at(Timestamp(milliseconds: (seconds + 600) * 1000)), estimate])
        #expect(other.gathering.holds.map(\.end).last == estimate)
    }

    @Test func jailsThatFail2banMarkedAsStoppedAreRead() throws {
        try database.banMany(10, time: seconds)
        try database.execute("UPDATE jails SET enabled = 0")
        #expect(whole().gathering.holds.count == 10)
    }
}

/// Ends a thread of a test.
private final class Stop: Sendable { let isSet = Atomic(false) }
