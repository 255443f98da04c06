// The journal with many bans: what a burst, a start and many ends at once cost. JOURNAL_BANS=1000000 measures with as many.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite(.serialized) struct JournalLoadTests {
    /// Bans; few enough by default for a build without optimisation.
    static let count = getenv("JOURNAL_BANS").flatMap { Int(String(cString: $0)) } ?? 20_000
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    func ledger() -> Ledger {
        Ledger(admission: Admission(neverBan: NeverBan(), maximumBanTime: week), table: BanTable(quorum: 1, maximumBanTime: week))
    }

    /// So many different public addresses in no order, as reports of 256 lines of fifty hosts, which end at `end`.
    func reports(_ count: Int, until end: Double) throws -> [(host: Hostname, report: Report)] {
        var random = SeededGenerator(seed: 5)
        var seen: Set<UInt32> = []
        var reports: [(Hostname, Report)] = []
        while seen.count < count {
            let sender = try host("web\(reports.count % 50).example.org")
            var entries: [Report.Entry] = []
            while entries.count < 256, seen.count < count {
                let bits = UInt32.random(in: 0x0b00_0000...0x7e00_0000, using: &random)
                guard seen.insert(bits).inserted else { continue }
                let event = Event(
                    host: sender, jail: try #require(Jail("sshd")), action: .ban, address: try #require(Address(ipv4: bits)), seen: at(0),
                    end: .at(at(end)), cause: .detected)
                entries.append(Report.Entry(position: UInt64(seen.count), event))
            }
            reports.append((sender, Report(stream: "s", now: at(0), entries: entries)))
        }
        return reports
    }

    /// Takes reports as the loop does, 16 in a turn.
    func take(_ reports: [(host: Hostname, report: Report)], _ ledger: inout Ledger, _ journal: Journal, _ house: inout Housekeeping?)
        throws
    {
        for start in stride(from: 0, to: reports.count, by: 16) {
            for (host, report) in reports[start...].prefix(16) {
                _ = ledger.take(report, from: host, term: Term(id: 1), now: at(0))
            }
            let rows = ledger.pending.entries.count
            try journal.append(ledger.pending)
            _ = ledger.commit()
            try house?.work(&ledger, journal, rows: rows, now: at(0), clock: .now)
        }
    }

    /// Kilobytes of a line of /proc/self/status.
    func memory(_ name: String) -> Int {
        let line = (textOfFile("/proc/self/status") ?? "").split(separator: "\n").first { $0.hasPrefix(name) }
        return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
    }

    func size(_ path: String) -> Int {
        var info = stat()
        return stat(path, &info) == 0 ? Int(info.st_size) : 0
    }

    @Test func aBurstDoesNotWaitForTheTablesWhichAreWrittenBehindIt() throws {
        let reports = try reports(Self.count, until: 3600)
        var times: [Duration] = []
        for writesTables in [false, true, true] {
            let path = folder("burst\(times.count).sqlite")
            let journal = try Journal(path: path)
            var ledger = ledger()
            var house: Housekeeping?
            if writesTables { house = Housekeeping(tables: KeptTables(now: .now), retention: nil, now: .now) }
            let begin = ContinuousClock.now
            try take(reports, &ledger, journal, &house)
            let burst = ContinuousClock.now - begin
            // A larger one must be followed, so that a start has not too much to replay.
            if Self.count < Int(KeptTables.mostRows) { #expect(try journal.kept().truth.row == 0) }
            // The last one pays for what was put off too.
            if times.count == 2 {
                try house?.finish(&ledger, journal)
                #expect(try journal.kept().truth.row == journal.lastRow)
            }
            times.append(ContinuousClock.now - begin)
            print(
                "\(Self.count) bans, tables \(writesTables): burst \(burst), in all \(times.last ?? .zero), \(size(path)) bytes, WAL \(size(path + "-wal"))"
            )
        }
    }

    @Test func aStartTakesInTheTablesAndTheRowsBehindThem() throws {
        let path = folder("journal.sqlite")
        var made = ledger()
        var house: Housekeeping? = Housekeeping(tables: KeptTables(now: .now), retention: nil, now: .now)
        let all = try reports(Self.count, until: 3600)
        let behind = all.count / 10
        do {
            let journal = try Journal(path: path)
            try take(Array(all.dropLast(behind)), &made, journal, &house)
            try house?.finish(&made, journal)
            var none: Housekeeping?
            try take(Array(all.suffix(behind)), &made, journal, &none)
        }
        for step in ["with a tenth to replay", "with everything in the tables"] {
            let before = memory("VmRSS")
            let begin = ContinuousClock.now
            let journal = try Journal(path: path)
            let opened = ContinuousClock.now
            var ledger = ledger()
            let resumption = try Resumption(&ledger, from: journal, now: at(2))
            let now = ContinuousClock.now
            print(
                "start with \(ledger.table.bannedCount) bans \(step): opened and checked in \(opened - begin), taken in in \(now - opened)")
            print("memory: \(memory("VmRSS") - before) kB more, \((memory("VmRSS") - before) * 1024 / Self.count) bytes a ban")
            #expect(ledger.table.bannedCount == Self.count)
            var house = Housekeeping(tables: resumption.tables, retention: nil, now: .now)
            try house.finish(&ledger, journal)
            #expect(house.truth.row == journal.lastRow)
        }
    }

    @Test func endsThatFallDueTogetherAreTakenInTurnsThatEachTakeAsLong() throws {
        let journal = try Journal(path: folder("journal.sqlite"))
        var ledger = ledger()
        var house: Housekeeping? = Housekeeping(tables: KeptTables(now: .now), retention: nil, now: .now)
        try take(try reports(Self.count, until: 60), &ledger, journal, &house)
        var turns: [Duration] = []
        while let due = ledger.nextDue, due <= at(60) {
            let begin = ContinuousClock.now
            ledger.expire(now: at(60), limit: TurnLimits.ends)
            let rows = ledger.pending.entries.count
            try journal.append(ledger.pending)
            _ = ledger.commit()
            try house?.work(&ledger, journal, rows: rows, now: at(60), clock: .now)
            turns.append(ContinuousClock.now - begin)
        }
        let sorted = turns.sorted()
        print("\(Self.count) ends: \(turns.count) turns, the longest \(sorted.last ?? .zero), the middle one \(sorted[turns.count / 2])")
        #expect(ledger.table.bannedCount == 0)
        #expect(turns.count >= Self.count / TurnLimits.ends)
        #expect(sorted.last ?? .zero < .seconds(5))
    }
}
