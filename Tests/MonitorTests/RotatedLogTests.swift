// Going on after a restart, through what a rotation did meanwhile. Real files, real gzip, real logrotate.

import Glibc
import TestSupport
import Testing

@testable import Monitor

@Suite struct RotatedLogTests {
    /// A log of which a monitor has read the first line.
    private static func started() throws -> (log: LogFolder, place: LogPlace) {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        log.append("line 1\n")
        #expect(try reader.available() == ["line 1"])
        return (log, reader.place)
    }

    // MARK: - Rename

    @Test(arguments: ["true", "gzip fail2ban.log.2", "gzip fail2ban.log.1 fail2ban.log.2"])
    func aKilledMonitorLosesNothingThroughTwoRotations(compress: String) throws {
        let (log, place) = try Self.started()
        log.append("line 2\n")
        try log.run("mv fail2ban.log fail2ban.log.2")
        log.append("line 3\nline 4\n", to: ".1")
        try log.run(compress)
        log.append("line 5\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3", "line 4", "line 5"])
        #expect(reader.position == 35)
        #expect(reader.gaps == 0)
        log.append("line 6\n")
        #expect(try reader.next() == ["line 6"])
    }

    @Test func datedNamesAreReadInTheirOrder() throws {
        let (log, place) = try Self.started()
        try log.run("mv fail2ban.log fail2ban.log-20261119")
        log.append("line 2\n", to: "-20261120")
        log.append("line 3\n", to: "-20261121")
        // One moment for all: then the names decide.
        try log.run("touch -d 2026-11-21T00:00:00 fail2ban.log-*; gzip fail2ban.log-20261119 fail2ban.log-20261120")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3"])
        log.append("line 4\n")
        #expect(try reader.next() == ["line 4"])
        #expect(reader.gaps == 0)
    }

    @Test func tenRotationsOfTheSameMomentAreReadInTheOrderOfTheirNumbers() throws {
        let (log, place) = try Self.started()
        try log.run("mv fail2ban.log fail2ban.log.12")
        for i in 1...11 { log.append("of file \(i)\n", to: ".\(i)") }
        try log.run("touch -d 2026-11-21T00:00:00 fail2ban.log.*; gzip fail2ban.log.[2-9] fail2ban.log.1[0-2]")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == (1...11).reversed().map { "of file \($0)" })
    }

    @Test func aMonitorKilledInARotatedLogGoesOnThere() throws {
        let (log, place) = try Self.started()
        log.append((2...300).map { "line \($0)\n" }.joined())
        try log.run("mv fail2ban.log fail2ban.log.2 && gzip fail2ban.log.2")
        log.append("new 1\nnew 2\n", to: ".1")
        log.append("live\n")
        var lines: [String] = []
        var next = place
        // 301 lines and the ends of files in turns of 7, each with a monitor of its own.
        for _ in 0..<60 {
            var reader = try LogReader(log.path, from: .place(next))
            reader.limit = 7
            lines += try reader.available()
            next = reader.place
            #expect(reader.gaps == 0)
        }
        #expect(lines == (2...300).map { "line \($0)" } + ["new 1", "new 2", "live"])
    }

    @Test func theLogIsWatchedWhileARotatedOneIsRead() throws {
        let (log, place) = try Self.started()
        log.append("line 2\nline 3\n")
        try log.run("mv fail2ban.log fail2ban.log.1 && gzip fail2ban.log.1")
        log.create()
        var reader = try LogReader(log.path, from: .place(place))
        reader.limit = 1
        #expect(try reader.available() == ["line 2"])
        log.append("line 4\n")
        reader.limit = .max
        #expect(try reader.next() == ["line 3", "line 4"])
        try log.run("mv fail2ban.log fail2ban.log.2")
        log.append("line 5\n")
        #expect(try reader.next() == ["line 5"])
    }

    @Test func fail2banGoesOnWritingToTheRenamedLogAfterTheRestart() throws {
        let (log, place) = try Self.started()
        try log.run("mv fail2ban.log fail2ban.log.1")
        log.create()
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == [])
        log.append("late\n", to: ".1")
        #expect(try reader.next() == ["late"])
        log.append("new\n")
        #expect(try reader.next() == ["new"])
    }

    @Test func aPlaceInAnEmptyLogFindsWhatCameIntoItAfterItsRotation() throws {
        let log = try LogFolder()
        log.append("old\n", to: ".1")
        try log.run("touch -d '1 hour ago' fail2ban.log.1")
        log.create()
        try log.run("touch -d '1 minute ago' fail2ban.log")
        let place = try LogReader(log.path).place
        log.append("line 1\n")
        try log.run("mv fail2ban.log.1 fail2ban.log.2; mv fail2ban.log fail2ban.log.1; gzip fail2ban.log.*")
        log.append("line 2\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 1", "line 2"])
        #expect(reader.gaps == 0)
    }

    @Test func linesThatCameBetweenALookAndTheCheckpointAreFoundAfterTheirRotation() throws {
        let log = try LogFolder()
        log.create()
        let reader = try LogReader(log.path)
        log.append("line 1\n")
        // Not looked at since.
        let place = reader.place
        try log.run("mv fail2ban.log fail2ban.log.1")
        log.append("line 2\n")
        var other = try LogReader(log.path, from: .place(place))
        #expect(try other.available() == ["line 1", "line 2"])
    }

    @Test func aRotationAtTheSecondOfTheRestartFindsTheLogWithoutItsName() throws {
        let (log, place) = try Self.started()
        log.append("line 2\n")
        try log.run("mv fail2ban.log fail2ban.log.1")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2"])
        log.append("line 3\n")
        #expect(try reader.next() == ["line 3"])
        #expect(reader.gaps == 0)
    }

    // MARK: - gzip

    @Test func aLogThatIsBeingCompressedIsReadOnce() throws {
        let (log, place) = try Self.started()
        log.append("line 2\n")
        try log.run("mv fail2ban.log fail2ban.log.1; gzip -c fail2ban.log.1 | head -c 15 > fail2ban.log.1.gz")
        log.append("line 3\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3"])
        #expect(reader.gaps == 0)
    }

    @Test(arguments: ["head -c 3000", "head -c 5", "tail -c +2000"])
    func aDamagedCompressedLogIsAGapAndReadingGoesOn(damage: String) throws {
        let (log, place) = try Self.started()
        // Hardly compressible, so that half of the file is half of the lines.
        var random = SeededGenerator(seed: 1)
        log.append((0..<500).map { _ in "\(random.next())\n" }.joined())
        try log.run("mv fail2ban.log fail2ban.log.1; gzip fail2ban.log.1; \(damage) fail2ban.log.1.gz > x; mv x fail2ban.log.1.gz")
        log.append("after\n")
        var reader = try LogReader(log.path, from: .place(place))
        let lines = try reader.available()
        #expect(lines.last == "after")
        #expect(reader.gaps == 1)
        #expect(lines.count > 100 || damage != "head -c 3000")
    }

    @Test func aCompressedLogOfTwoPartsIsReadWhole() throws {
        let (log, place) = try Self.started()
        log.append("line 2\n")
        log.append("line 3\n", to: ".more")
        try log.run("mv fail2ban.log fail2ban.log.1; gzip fail2ban.log.1 fail2ban.log.more; cat fail2ban.log.more.gz >> fail2ban.log.1.gz")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3"])
        #expect(reader.gaps == 0)
    }

    @Test func aLargeCompressedLogIsReadInBoundedTurns() throws {
        let (log, place) = try Self.started()
        // 8 MB, of which the first half was read before.
        let line = String(repeating: "x", count: 99) + "\n"
        for _ in 0..<80 { log.append(String(repeating: line, count: 1000)) }
        let half = LogPlace(
            position: 4_000_007,
            files: [LogPlace.File(head: try #require(place.files.first).head, offset: 4_000_007, modified: 0)])
        try log.run("mv fail2ban.log fail2ban.log.1; gzip -1 fail2ban.log.1")
        log.append("live\n")
        var reader = try LogReader(log.path, from: .place(half))
        var (turns, lines) = (0, 0)
        while lines < 40_001 {
            let (count, progress) = try reader.turn()
            #expect(count * 100 <= LogTail.turnLimit + 64 * 1024)
            if lines + count < 40_001 { try #require(progress == .more) }
            lines += count
            turns += 1
        }
        #expect(turns >= 8_000_000 / (LogTail.turnLimit + 64 * 1024))
        #expect(reader.position == 8_000_012)
        #expect(reader.openFiles == 1)
    }

    @Test(arguments: [("xz", ".xz"), ("bzip2", ".bz2")])
    func aFormThatCannotBeReadIsAGapThatIsNamed(compressor: String, suffix: String) throws {
        let (log, place) = try Self.started()
        log.append("line 2\n")
        try log.run("mv fail2ban.log fail2ban.log.1; echo x > fail2ban.log.1\(suffix); rm fail2ban.log.1")
        log.append("line 3\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 3"])
        #expect(reader.losses() == [.unreadable("fail2ban.log.1\(suffix)")])
    }

    // MARK: - copytruncate

    @Test(arguments: ["true", "gzip fail2ban.log.1"])
    func theRestOfATruncatedLogIsReadFromItsCopy(compress: String) throws {
        let (log, place) = try Self.started()
        log.append("line 2\n")
        try log.run("cp fail2ban.log fail2ban.log.1; truncate -s 0 fail2ban.log; \(compress)")
        log.append("line 3 is longer than the first one\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3 is longer than the first one"])
        #expect(reader.gaps == 0)
    }

    @Test func aCopyBeforeTheTruncationIsReadOnce() throws {
        let (log, place) = try Self.started()
        log.append("line 2\n")
        try log.run("cp fail2ban.log fail2ban.log.1")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2"])
        try log.run("truncate -s 0 fail2ban.log")
        log.append("3\n")
        #expect(try reader.next() == ["3"])
        #expect(reader.gaps == 0)
    }

    @Test func aTruncationWhileLinesWaitIsNoGapWhenThereIsACopy() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        log.append("line 1\nline 2\nline 3\n")
        reader.limit = 1
        #expect(try reader.available() == ["line 1"])
        try log.run("cp fail2ban.log fail2ban.log.1; truncate -s 0 fail2ban.log")
        log.append("line 4\n")
        #expect(try reader.available() == ["line 2"])
        let place = reader.place
        reader.limit = .max
        #expect(try reader.available() == ["line 3", "line 4"])
        #expect(reader.gaps == 0)
        // Killed between the two.
        var other = try LogReader(log.path, from: .place(place))
        #expect(try other.available() == ["line 3", "line 4"])
        #expect(other.position == reader.position)
    }

    @Test func anEmptyLogThatWasFilledCopiedAndTruncatedBetweenTwoLooksLosesNothing() throws {
        let log = try LogFolder()
        log.create()
        try log.run("touch -d '1 minute ago' fail2ban.log")
        var reader = try LogReader(log.path)
        #expect(try reader.available() == [])
        log.append("line 1\n")
        try log.run("cp fail2ban.log fail2ban.log.1; truncate -s 0 fail2ban.log")
        #expect(try reader.next() == ["line 1"])
        log.append("line 2\n")
        #expect(try reader.next() == ["line 2"])
        #expect(reader.gaps == 0)
    }

    @Test func aNumberThatIsThereCompressedAndNotIsTwoLogs() throws {
        let (log, place) = try Self.started()
        log.append("line 2\n")
        // Compression was turned off in between.
        try log.run("mv fail2ban.log fail2ban.log.1; gzip fail2ban.log.1; touch -d '1 minute ago' fail2ban.log.1.gz")
        log.append("line 3\n", to: ".1")
        log.append("line 4\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3", "line 4"])
    }

    // MARK: - Gaps

    @Test func aFileThatIsGoneIsAGapAndOnlyWhatIsNewerIsRead() throws {
        let (log, place) = try Self.started()
        log.append("before\n", to: ".3")
        try log.run("touch -d '1 hour ago' fail2ban.log.3; gzip fail2ban.log.3; rm fail2ban.log")
        log.append("line 3\n", to: ".1")
        log.append("line 4\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 3", "line 4"])
        #expect(reader.losses() == [.gone])
        #expect(reader.gaps == 1)
    }

    @Test func anotherLogUnderThePathThatNobodyWroteToSinceIsNotReadAgain() throws {
        let (log, place) = try Self.started()
        log.append("of an older log\n", to: ".other")
        try log.run("touch -d '1 hour ago' fail2ban.log.other; mv fail2ban.log.other fail2ban.log")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == [])
        #expect(reader.gaps == 1)
        log.append("new\n")
        #expect(try reader.next() == ["new"])
    }

    @Test func aLogThatLostItsEndIsAGapAndReadOnFromThere() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        log.append("line 1\nline 2\n")
        #expect(try reader.available().count == 2)
        let place = LogPlace(
            position: reader.position,
            files: reader.place.files.map { LogPlace.File(head: LogHead(Array("line 1\n".utf8).span), offset: $0.offset, modified: 0) })
        try log.run("truncate -s 7 fail2ban.log")
        var other = try LogReader(log.path, from: .place(place))
        #expect(try other.available() == [])
        log.append("line 3\n")
        #expect(try other.next() == ["line 3"])
        #expect(other.gaps == 1)
    }

    @Test func aPositionBehindAGapWasNeverAnotherLines() throws {
        let (log, place) = try Self.started()
        // Read and reported after the checkpoint, and then lost.
        log.append("line 2\n")
        try log.run("rm fail2ban.log")
        log.append("other line\n")
        var reader = try LogReader(log.path, from: .place(place))
        let again = reader.place
        #expect(try reader.positioned().map(\.position) == [7 + LogPlace.leap + 11])
        // Nor after a restart that had not begun to read it.
        var other = try LogReader(log.path, from: .place(again))
        #expect(try other.positioned().map(\.position) == [7 + LogPlace.leap + 11])
        #expect(other.gaps == 0)
    }

    @Test func whatIsReadAgainBeforeAGapKeepsItsPositions() throws {
        let (log, place) = try Self.started()
        log.append("line 2\n")
        try log.run("mv fail2ban.log fail2ban.log.2; gzip fail2ban.log.2; sleep 0.01; echo x > fail2ban.log.1.xz; sleep 0.01")
        log.append("line 3\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.positioned().map(\.position) == [14, 21 + LogPlace.leap])
        #expect(reader.losses() == [.unreadable("fail2ban.log.1.xz")])
    }

    // MARK: - Between two looks

    @Test func threeRotationsBetweenTwoLooksLoseNothing() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        log.append("line 1\n")
        #expect(try reader.available() == ["line 1"])
        log.append("line 2\n")
        // Told apart by time: the kernel's clock for files ticks every few milliseconds.
        try log.run("touch -d '3 seconds ago' fail2ban.log; mv fail2ban.log fail2ban.log.3")
        log.append("line 3\n", to: ".2")
        log.append("line 4\n", to: ".1")
        try log.run("touch -d '2 seconds ago' fail2ban.log.2; touch -d '1 second ago' fail2ban.log.1; gzip fail2ban.log.[23]")
        log.append("line 5\n")
        #expect(try reader.next() == ["line 2", "line 3", "line 4", "line 5"])
        #expect(reader.gaps == 0)
    }
}
