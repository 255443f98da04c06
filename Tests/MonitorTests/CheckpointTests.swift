// The checkpoint: its text, its file, and when it is written.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Monitor

@Suite struct CheckpointTests {
    static func sample() throws -> Checkpoint {
        let host = try #require(Hostname("web1"))
        let jail = try #require(Jail("sshd"))
        let address = try #require(Address("2001:db8::1"))
        let key = HoldKey(jail: jail, id: "2001:DB8::1")
        let seen = Timestamp(milliseconds: 1_795_226_484_947)
        let ban = Event(host: host, jail: jail, action: .ban, address: address, seen: seen, end: .permanent, cause: .detected)
        let unban = Event(host: host, jail: jail, action: .unban, address: address, seen: seen, cause: .lifted)
        return Checkpoint(
            machine: "0123456789abcdef", host: host, stream: "1a-2b", logPath: "/var/log/fail2ban.log",
            place: LogPlace(
                position: 1234,
                files: [
                    LogPlace.File(head: LogHead(Array("abc".utf8).span), offset: 12, modified: 1_795_226_484_947_123_456),
                    LogPlace.File(head: LogHead(count: 0, hash: 7), offset: 0, modified: -1, isAfterGap: true),
                ], past: [LogHead(count: 256, hash: 1)]),
            healedTerm: Term(id: 77),
            reporter: Reporter.SavedState(
                lines: [Report.Entry(position: 1200, ban), Report.Entry(position: nil, unban)],
                undecided: [Reporter.UndecidedUnban(key: key, address: address, seen: seen)],
                ends: [
                    Reporter.PendingEnd(key: key, address: address, seen: seen, reported: .unknown, unbanned: nil),
                    Reporter.PendingEnd(key: key, address: address, seen: seen, reported: .at(seen), unbanned: seen),
                ]))
    }

    @Test func aCheckpointIsReadAsItWasWritten() throws {
        var checkpoint = try Self.sample()
        #expect(Checkpoint(text: checkpoint.text) == checkpoint)
        checkpoint.healedTerm = nil
        checkpoint.machine = "-"
        checkpoint.place.files = []
        checkpoint.reporter = Reporter.SavedState()
        #expect(Checkpoint(text: checkpoint.text) == checkpoint)
    }

    @Test func aCheckpointWithAnyByteChangedOrMissingIsDamaged() throws {
        let text = try Self.sample().text
        for i in text.indices {
            var other = text
            other[i] ^= 1
            #expect(Checkpoint(text: other) == nil, "byte \(i)")
            #expect(Checkpoint(text: Array(text[..<i])) == nil, "cut at \(i)")
        }
        #expect(Checkpoint(text: text + Array("x\n".utf8)) == nil)
    }

    /// With a right checksum, as from another version.
    @Test(arguments: [
        "more=1", "stream=again", "file=1 2 3 4", "file=999 0 0 0 -", "file=9 0 0 0 x", "line=7|web1|sshd|Ban", "unban=x", "past=1",
        "ban=x|y|z",
        "noequals", "line=9223372036854775808|web1|sshd|Ban|192.0.2.1|-|1|-|-|detected",
    ])
    func aCheckpointWithALineThatIsNotKnownIsDamaged(line: String) throws {
        var text = try Self.sample().text
        text.removeLast(1)
        text.removeSubrange(((text.lastIndex(of: 0x0a) ?? 0) + 1)...)
        text += Array("\(line)\n".utf8)
        text += Array("sum=\(Self.sum(text))\n".utf8)
        #expect(Checkpoint(text: text) == nil)
    }

    private static func sum(_ text: [UInt8]) -> String { String(fnv1a(text.span), radix: 16) }

    @Test func onlyTheSameMachineHostAndLogGoOn() throws {
        let folder = try TemporaryFolder()
        try folder.write("id", "0123456789abcdef\n")
        func file(_ id: String) -> CheckpointFile { CheckpointFile(stateDirectory: folder("state"), machineIDPath: folder(id)) }
        let sample = try Self.sample()
        let (host, log) = (sample.host, sample.logPath)
        #expect(throws: NoCheckpoint.missing) { try file("id").read(host: host, logPath: log) }
        try file("id").write(sample)
        #expect(try file("id").read(host: host, logPath: log) == sample)
        #expect(throws: NoCheckpoint.otherMachine) { try file("none").read(host: host, logPath: log) }
        #expect(throws: NoCheckpoint.otherLog(log)) { try file("id").read(host: host, logPath: "/var/log/other.log") }
        let other = try #require(Hostname("web2"))
        #expect(throws: NoCheckpoint.otherHost("web1")) { try file("id").read(host: other, logPath: log) }
        try folder.write("state/monitor.checkpoint", "nonsense\n")
        #expect(throws: NoCheckpoint.damaged) { try file("id").read(host: host, logPath: log) }
        #expect(file("none").machine == "-")
    }

    @Test func theFileIsReplacedAsAWholeAndForItsOwnerAlone() throws {
        let folder = try TemporaryFolder()
        let file = CheckpointFile(stateDirectory: folder("state"), machineIDPath: folder("none"))
        var sample = try Self.sample()
        try file.write(sample)
        let held = open(file.path, O_RDONLY)
        defer { close(held) }
        sample.place.position = 99
        try file.write(sample)
        var (before, after) = (stat(), stat())
        try #require(fstat(held, &before) == 0 && stat(file.path, &after) == 0)
        #expect(before.st_ino != after.st_ino)
        #expect(after.st_mode & 0o777 == 0o600)
        #expect(namesInFolder(folder("state")) == ["monitor.checkpoint"])
        // Where it can't be written the old one stays.
        mkdir(file.path + ".new", 0o700)
        #expect(throws: SystemError.self) { try file.write(sample) }
        #expect(exists(file.path))
    }

    // MARK: - When

    @Test func itIsWrittenAfterAnAcknowledgementAndElseEveryFewSecondsAtMost() {
        var schedule = CheckpointSchedule()
        let start = ContinuousClock.now
        #expect(schedule.isDue(position: 0, isIdle: true, now: start))
        schedule.wrote(position: 0, changes: 1, took: .milliseconds(1), isWritten: true, now: start)
        let next = start + .seconds(1)
        #expect(!schedule.isDue(position: 100, isIdle: true, now: next))
        schedule.acknowledged()
        #expect(schedule.isDue(position: 100, isIdle: false, now: next))
        schedule.wrote(position: 100, changes: 1, took: .milliseconds(1), isWritten: true, now: next)
        let late = next + CheckpointSchedule.quietInterval
        #expect(!schedule.isDue(position: 100, isIdle: true, now: late))
        #expect(!schedule.isDue(position: 101, isIdle: false, now: late))
        #expect(schedule.isDue(position: 101, isIdle: true, now: late))
    }

    @Test func aSlowOneIsWrittenMoreRarely() {
        var schedule = CheckpointSchedule()
        let start = ContinuousClock.now
        schedule.wrote(position: 0, changes: 1, took: .milliseconds(500), isWritten: true, now: start)
        schedule.acknowledged()
        #expect(!schedule.isDue(position: 1, isIdle: true, now: start + .seconds(9)))
        #expect(schedule.isDue(position: 1, isIdle: true, now: start + .seconds(10)))
    }

    @Test func itPrecedesAReportWhenReadingAgainCouldCountOtherwise() {
        var schedule = CheckpointSchedule()
        let now = ContinuousClock.now
        #expect(schedule.mustPrecedeReport(files: 1, changes: 1))
        schedule.wrote(position: 0, changes: 1, took: .zero, isWritten: true, now: now)
        #expect(!schedule.mustPrecedeReport(files: 1, changes: 1))
        #expect(schedule.mustPrecedeReport(files: 2, changes: 1))
        #expect(schedule.mustPrecedeReport(files: 1, changes: 2))
        schedule.wrote(position: 0, changes: 2, took: .zero, isWritten: false, now: now)
        #expect(schedule.mustPrecedeReport(files: 1, changes: 2))
    }
}
