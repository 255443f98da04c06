// Following a real log: where reading begins, whole lines, bounded turns. Each wait is for the inotify descriptor, never for time.

import Glibc
import Testing

@testable import Monitor

@Suite struct LogTailTests {
    @Test func beginsAtTheEndOfTheLogThatIsThere() throws {
        let log = try LogFolder()
        log.append("old\n")
        var reader = try LogReader(log.path)
        #expect(try reader.available() == [])
        log.append("new\n")
        #expect(try reader.next() == ["new"])
        #expect(reader.position == 4)
    }

    @Test func beginsAtTheLineThatIsBeingWritten() throws {
        let log = try LogFolder()
        log.append("old\nha")
        var reader = try LogReader(log.path)
        log.append("lf\n")
        #expect(try reader.next() == ["half"])
    }

    @Test func aLogThatIsMissingAtTheStartIsReadFromItsBeginning() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        #expect(reader.problem?.code == ENOENT)
        log.append("first\n")
        #expect(try reader.next() == ["first"])
        #expect(reader.problem == nil)
    }

    @Test func aMissingFolderIsAwaitedAtItsNearestParent() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.folder + "/a/b/fail2ban.log")
        mkdir(log.folder + "/a", 0o700)
        _ = try reader.available()
        mkdir(log.folder + "/a/b", 0o700)
        _ = try reader.available()
        LogFolder.append("first\n", to: log.folder + "/a/b/fail2ban.log")
        #expect(try reader.next() == ["first"])
    }

    @Test func aFolderMadeBetweenTwoLooksIsFound() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.folder + "/a/b/fail2ban.log")
        mkdir(log.folder + "/a", 0o700)
        mkdir(log.folder + "/a/b", 0o700)
        LogFolder.append("first\n", to: log.folder + "/a/b/fail2ban.log")
        #expect(try reader.next() == ["first"])
        // The whole folder is moved away and made anew.
        rename(log.folder + "/a", log.folder + "/c")
        mkdir(log.folder + "/a", 0o700)
        mkdir(log.folder + "/a/b", 0o700)
        LogFolder.append("second\n", to: log.folder + "/a/b/fail2ban.log")
        #expect(try reader.next() == ["second"])
    }

    @Test func aLineIsHandedOutOnlyWhenItIsComplete() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        log.append("one\ntw")
        #expect(try reader.next() == ["one"])
        log.append("o")
        #expect(try reader.available() == [])
        log.append("\n\nthree\n")
        #expect(try reader.next() == ["two", "", "three"])
        #expect(reader.position == 15)
    }

    @Test func aLongLineIsPassedOverWithoutLosingTheNext() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        let longest = String(repeating: "x", count: LogTail.longestLine)
        log.append(longest + "\n" + longest + "x\n" + "a\n")
        #expect(try reader.next() == [longest, "a"])
        for _ in 0..<50 { log.append(longest) }
        #expect(try reader.available() == [])
        log.append("\nb\n")
        #expect(try reader.next() == ["b"])
        #expect(reader.longLines == 2)
        #expect(reader.position == UInt64(LogTail.longestLine + 1 + LogTail.longestLine + 2 + 2 + 50 * LogTail.longestLine + 1 + 2))
    }

    @Test func aTurnReadsABoundedAmountAndComesBackForTheRest() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        let line = String(repeating: "x", count: 999) + "\n"
        for _ in 0..<1000 { log.append(line) }
        var turns = 0
        var lines = 0
        while lines < 1000 {
            let (count, progress) = try reader.turn()
            #expect(count * 1000 <= LogTail.turnLimit + 64 * 1024)
            if lines + count < 1000 { #expect(progress == .more) }
            lines += count
            turns += 1
        }
        #expect(turns >= 4)
    }

    @Test func whatTheTakerDidNotWantIsHandedOutLater() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        log.append("1\n2\n3\n")
        reader.limit = 2
        #expect(try reader.available() == ["1", "2"])
        #expect(reader.position == 4)
        #expect(try reader.available() == ["3"])
    }

    @Test func aPlaceLetsAnotherTailGoOnThere() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        log.append("1\n2\nhalf")
        #expect(try reader.next() == ["1", "2"])
        let place = reader.place
        log.append(" and half\n3\n")
        var other = try LogReader(log.path, from: .place(place))
        #expect(try other.available() == ["half and half", "3"])
        #expect(other.position == 20)
    }

    @Test func aPlaceInAFileThatIsGoneBeginsAtTheNewFilesBeginning() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        log.append("1\n")
        #expect(try reader.next() == ["1"])
        let place = reader.place
        unlink(log.path)
        log.append("2\n3\n")
        var other = try LogReader(log.path, from: .place(place))
        #expect(try other.available() == ["2", "3"])
        #expect(other.position == 6 + LogPlace.leap)
    }

    @Test func whatIsNotAFileIsRefused() throws {
        let log = try LogFolder()
        mkfifo(log.path, 0o600)
        let reader = try LogReader(log.path)
        #expect(reader.problem?.code == EINVAL)
    }
}
