// The journal on a real SQLite file: what was written is what comes back, and a failed write leaves nothing.

import GRDB
import Glibc
import TestSupport
import Testing
import Wire

@testable import Publisher

@Suite struct JournalTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    var path: String { folder("journal.sqlite") }

    func batch() throws -> Ledger.Batch {
        var first = try ban("web1", "192.0.2.1", until: 600)
        var second = try unban("web1", "2001:db8::1")
        var moved = try ban("web2", "2001:db8::1", until: 700)
        var byItself = try unban("web2", "198.51.100.0/24")
        first.admitted = at(1)
        second.admitted = at(1)
        moved.number = 2
        moved.admitted = at(1)
        moved.cause = .held
        byItself.number = 3
        byItself.cause = .expired
        byItself.admitted = at(2)
        return Ledger.Batch(
            entries: [
                (at(1), .admitted(first, isPlain: false, isMove: false, announced: .same(number: 1))),
                (at(1), .admitted(second, isPlain: true, isMove: true, announced: .other(moved))),
                (at(2), .announced(byItself)),
                (at(2), .refused(host: try host("web3"), event: nil, reason: "bad address")),
            ], positions: [Ledger.Stream(host: try host("web1"), name: "s-1"): 4096])
    }

    @Test func whatWasWrittenComesBackInOrder() throws {
        let batch = try batch()
        let journal = try Journal(path: path)
        try journal.append(batch)
        let again = try Journal(path: path)
        var entries: [(admitted: Timestamp, entry: JournalEntry)] = []
        try again.replay { entry, admitted, _ in entries.append((admitted, entry)) }
        #expect(Ledger.Batch(entries: entries, positions: try again.positions()) == batch)
    }

    @Test func aForgottenStreamIsNotThereAnyMore() throws {
        let journal = try Journal(path: path)
        let streams = try ["s-1", "s-2"].map { Ledger.Stream(host: try host("web1"), name: $0) }
        try journal.append(Ledger.Batch(positions: [streams[0]: 1]))
        try journal.append(Ledger.Batch(positions: [streams[1]: 2], forgotten: [streams[0]]))
        #expect(try Journal(path: path).positions() == [streams[1]: 2])
    }

    @Test func everyCommitIsSyncedToDisk() throws {
        _ = try Journal(path: path)
        let reader = try DatabaseQueue(path: path)
        #expect(try reader.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
        // 2 is FULL. The setting is the connection's own, so it is asked of the journal's.
        #expect(try Journal(path: path).synchronousMode() == 2)
    }

    @Test func aBatchThatCannotBeWrittenLeavesNothingBehind() throws {
        let journal = try Journal(path: path)
        try journal.limitPages(to: 12)
        var large = try batch()
        let one = large.entries[0]
        large.entries = Array(repeating: one, count: 5000)
        #expect(throws: JournalError.self) { try journal.append(large) }
        var rows = 0
        try journal.replay { _, _, _ in rows += 1 }
        #expect(rows == 0)
        try journal.limitPages(to: 1_000_000)
        try journal.append(try batch())
        try journal.replay { _, _, _ in rows += 1 }
        #expect(rows == 4)
    }

    @Test func aDatabaseOfAnotherProgramIsRefused() throws {
        let other = try DatabaseQueue(path: path)
        try other.write { try $0.execute(sql: "CREATE TABLE somebody (name)") }
        try other.close()
        let error = #expect(throws: JournalError.self) { try Journal(path: self.path) }
        #expect(error?.code == .foreign)
    }

    @Test func aFileThatIsNoDatabaseIsRefusedWithARemedy() throws {
        let file = try #require(fopen(path, "w"))
        fputs(String(repeating: "this is not a database\n", count: 100), file)
        fclose(file)
        let error = #expect(throws: JournalError.self) { try Journal(path: self.path) }
        #expect(error?.code == .damaged)
        #expect(error?.description.contains("restore the journal from a backup") == true)
    }
}
