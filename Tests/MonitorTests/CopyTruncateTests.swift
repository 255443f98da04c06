// Rotation by copytruncate, before and after a restart: what was not read yet is read from the copy, and once.

import Glibc
import Testing

@testable import Monitor

@Suite struct CopyTruncateTests {
    @Test(arguments: ["true", "gzip fail2ban.log.1"])
    func theRestOfATruncatedLogIsReadFromItsCopy(compress: String) throws {
        let (log, place) = try LogFolder.started()
        log.append("line 2\n")
        try log.run("cp fail2ban.log fail2ban.log.1; truncate -s 0 fail2ban.log; \(compress)")
        log.append("line 3 is longer than the first one\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2", "line 3 is longer than the first one"])
        #expect(reader.gaps == 0)
    }

    @Test func aCopyBeforeTheTruncationIsReadOnce() throws {
        let (log, place) = try LogFolder.started()
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

    /// A truncation at any moment of a look, however often that is tried.
    @Test func whatWasReadIsNotReadAgainWhenTheTruncationMeetsALook() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        for i in 0..<100 {
            // Longer than the head, as any log of fail2ban soon is.
            let lines = (0..<10).map { "line \($0) of log \(i), which is written, read, copied and truncated" }
            log.append(lines.map { $0 + "\n" }.joined())
            #expect(try reader.available() == lines)
            let changes = reader.changes
            try log.run("rm -f fail2ban.log.1; { cp -p fail2ban.log fail2ban.log.1; truncate -s 0 fail2ban.log; } &")
            let deadline = ContinuousClock.now + .seconds(10)
            while reader.changes == changes, ContinuousClock.now < deadline { #expect(try reader.available() == []) }
            try #require(reader.changes > changes, "the truncation was not noticed")
            #expect(try reader.available() == [])
        }
        #expect(reader.gaps == 0)
    }

    @Test func aTruncationBetweenALookAndItsReadingIsTakenUpFirst() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        log.append("line 1\n")
        #expect(try reader.available() == ["line 1"])
        log.append("line 2\n")
        try reader.glance()
        try log.run("cp -p fail2ban.log fail2ban.log.1; truncate -s 0 fail2ban.log")
        log.append("line 3 is longer than the first two together\n")
        #expect(try reader.unlooked().map(\.line) == ["line 2", "line 3 is longer than the first two together"])
        #expect(reader.gaps == 0)
    }

    @Test func theFirstLinesOfALogAreNotReadTwiceWhenTheyCameBetweenALookAndItsReading() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        try reader.glance()
        log.append("line 1\n")
        // Nobody may think that the log is read while it has them.
        #expect(try reader.unlooked().map(\.line) == ["line 1"])
        // Killed at once.
        var other = try LogReader(log.path, from: .place(reader.place))
        #expect(try other.available() + reader.available() == [])
        #expect(other.position == reader.position)
    }
}
