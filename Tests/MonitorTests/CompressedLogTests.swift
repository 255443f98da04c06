// Going on after a restart in what a rotation compressed meanwhile, whole, damaged or in a form that is not read. Real gzip.

import Glibc
import TestSupport
import Testing

@testable import Monitor

@Suite struct CompressedLogTests {
    @Test func aLogThatIsBeingCompressedIsReadOnce() throws {
        let (log, place) = try LogFolder.started()
        log.append("line 2\n")
        try log.run("mv fail2ban.log fail2ban.log.1; gzip -c fail2ban.log.1 | head -c 15 > fail2ban.log.1.gz")
        log.append("line 3\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3"])
        #expect(reader.gaps == 0)
    }

    @Test(arguments: ["head -c 3000", "head -c 5", "tail -c +2000"])
    func aDamagedCompressedLogIsAGapAndReadingGoesOn(damage: String) throws {
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
        log.append("line 2\n")
        log.append("line 3\n", to: ".more")
        try log.run("mv fail2ban.log fail2ban.log.1; gzip fail2ban.log.1 fail2ban.log.more; cat fail2ban.log.more.gz >> fail2ban.log.1.gz")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3"])
        #expect(reader.gaps == 0)
    }

    @Test func aLargeCompressedLogIsReadInBoundedTurns() throws {
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
        log.append("line 2\n")
        try log.run("mv fail2ban.log fail2ban.log.1; echo x > fail2ban.log.1\(suffix); rm fail2ban.log.1")
        log.append("line 3\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 3"])
        #expect(reader.losses() == [.unreadable("fail2ban.log.1\(suffix)")])
    }

    @Test func aNumberThatIsThereCompressedAndNotIsTwoLogs() throws {
        let (log, place) = try LogFolder.started()
        log.append("line 2\n")
        // Compression was turned off in between.
        try log.run("mv fail2ban.log fail2ban.log.1; gzip fail2ban.log.1; touch -d '1 minute ago' fail2ban.log.1.gz")
        log.append("line 3\n", to: ".1")
        log.append("line 4\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3", "line 4"])
    }
}
