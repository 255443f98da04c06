// Following a real file through every kind of rotation. Each wait is for the inotify descriptor, never for time.

import Glibc
import TestSupport
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

    @Test func aRenamedLogIsReadAsLongAsItIsWritten() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        log.append("1\n")
        #expect(try reader.next() == ["1"])
        rename(log.path, log.path + ".1")
        _ = try reader.available()
        log.append("2\n", to: ".1")
        #expect(try reader.next() == ["2"])
        log.create()
        log.append("3\n", to: ".1")
        #expect(try reader.next() == ["3"])
        // flushlogs failed: somebody else wrote to the new log, fail2ban still writes to the old one.
        log.append("other\n")
        #expect(try reader.next() == ["other"])
        log.append("4\n", to: ".1")
        #expect(try reader.next() == ["4"])
    }

    @Test func allOfTheOldLogComesBeforeTheNewOne() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        log.append("1\n")
        rename(log.path, log.path + ".1")
        log.append("2\n", to: ".1")
        log.append("3\n")
        #expect(try reader.next() == ["1", "2", "3"])
    }

    @Test func aRenamedLogIsLetGoWhenItHasBeenQuietForAMinute() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        log.append("1\n")
        #expect(try reader.next() == ["1"])
        rename(log.path, log.path + ".1")
        log.append("2\n")
        #expect(try reader.next() == ["2"])
        reader.now += .seconds(59)
        log.append("3\n", to: ".1")
        #expect(try reader.next() == ["3"])
        reader.now += .seconds(59)
        log.append("4\n")
        #expect(try reader.next() == ["4"])
        #expect(reader.openFiles == 2)
        reader.now += .seconds(2)
        log.append("5\n")
        #expect(try reader.next() == ["5"])
        #expect(reader.openFiles == 1)
        #expect(reader.gaps == 0)
    }

    @Test func aQuietRenamedLogIsKeptWhileTheNewOneIsEmpty() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        rename(log.path, log.path + ".1")
        log.create()
        _ = try reader.available()
        reader.now += .seconds(3600)
        log.append("late\n", to: ".1")
        #expect(try reader.next() == ["late"])
        #expect(reader.openFiles == 2)
    }

    @Test func onlySoManyRenamedLogsAreKept() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        for i in 0..<(LogTail.oldFileLimit + 10) {
            log.append("\(i)\n")
            #expect(try reader.next() == ["\(i)"])
            rename(log.path, log.path + ".\(i)")
        }
        #expect(reader.openFiles == LogTail.oldFileLimit + 1)
        #expect(reader.gaps == 0)
    }

    @Test func aTruncationBeforeAllWasReadIsAGap() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        log.append("1\n2\n3\n")
        #expect(try reader.available().count == 3)
        truncate(log.path, 0)
        log.append("4\n5\n6\n")
        reader.limit = 1
        #expect(try reader.available() == ["4"])
        #expect(reader.gaps == 0)
        truncate(log.path, 0)
        log.append("7\n")
        #expect(try reader.available() == ["7"])
        #expect(reader.gaps == 1)
    }

    /// With nobody holding the old file the file system gives the new one its inode.
    @Test func aDeletedLogIsReadToItsEndAndTheNextFromItsBeginning() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        log.append("1\n")
        #expect(try reader.next() == ["1"])
        let descriptor = open(log.path, O_WRONLY | O_APPEND)
        unlink(log.path)
        write(descriptor, "2\n", 2)
        #expect(try reader.next() == ["2"])
        close(descriptor)
        log.append("3 and more than before\n")
        #expect(try reader.next() == ["3 and more than before"])
    }

    @Test func aDeletedLogThatWasNotFollowedYetIsReplacedUnderItsInode() throws {
        let log = try LogFolder()
        for i in 0..<5 {
            log.append("\(i)\n")
            unlink(log.path)
        }
        var reader = try LogReader(log.path)
        log.append("x\n")
        #expect(try reader.next() == ["x"])
    }

    @Test func aTruncatedLogIsReadFromItsBeginning() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        log.append("1111\n")
        #expect(try reader.next() == ["1111"])
        truncate(log.path, 0)
        log.append("2\n")
        #expect(try reader.next() == ["2"])
    }

    @Test func aTruncatedLogThatGrewBeyondItsOldSizeIsNoticedByItsBeginning() throws {
        let log = try LogFolder()
        var reader = try LogReader(log.path)
        log.append("1111\n")
        #expect(try reader.next() == ["1111"])
        truncate(log.path, 0)
        log.append("2222\n3333\n")
        #expect(try reader.next() == ["2222", "3333"])
    }

    @Test func aLogReplacedByRenamingOverItIsReadFromItsBeginning() throws {
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        log.append("1\n")
        LogFolder.append("2\n", to: log.folder + "/other")
        rename(log.folder + "/other", log.path)
        #expect(try reader.next() == ["1", "2"])
    }

    @Test func aSymbolicLinkIsFollowedAndItsTargetsRotationIsSeen() throws {
        let log = try LogFolder()
        mkdir(log.folder + "/real", 0o700)
        symlink("real/the.log", log.path)
        var reader = try LogReader(log.path)
        LogFolder.append("1\n", to: log.folder + "/real/the.log")
        #expect(try reader.next() == ["1"])
        rename(log.folder + "/real/the.log", log.folder + "/real/the.log.1")
        LogFolder.append("2\n", to: log.folder + "/real/the.log")
        #expect(try reader.next() == ["2"])
        // The link is set to another file.
        LogFolder.append("3\n", to: log.folder + "/elsewhere")
        symlink(log.folder + "/elsewhere", log.folder + "/link")
        rename(log.folder + "/link", log.path)
        #expect(try reader.next() == ["3"])
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

    /// Appends cut at random bytes, and rotations of every kind but copytruncate, in random order.
    @Test(arguments: 0..<16)
    func noSequenceOfWritesAndRotationsLosesOrDoublesALine(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let log = try LogFolder()
        log.create()
        var reader = try LogReader(log.path)
        var written: [String] = []
        var read: [String] = []
        var writer = open(log.path, O_WRONLY | O_APPEND)
        defer { close(writer) }
        var pending: [UInt8] = []
        for step in 0..<400 {
            // A file that came and went between two looks was never seen.
            try reader.glance()
            switch Int.random(in: 0..<20, using: &random) {
            case 0 where pending.isEmpty:
                // Renamed; fail2ban goes on writing to it until a later step makes it reopen the log.
                rename(log.path, log.path + ".\(step)")
            case 1 where pending.isEmpty:
                unlink(log.path)
            case 2 where pending.isEmpty:
                LogFolder.append("", to: log.folder + "/fresh")
                rename(log.folder + "/fresh", log.path)
            case 3...5 where pending.isEmpty:
                close(writer)
                writer = open(log.path, O_WRONLY | O_APPEND | O_CREAT, 0o600)
            case 6...9:
                reader.limit = Int.random(in: 1...5, using: &random)
                read += try reader.available()
            default:
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let line = "\(written.count) " + String(repeating: "y", count: Int.random(in: 0...300, using: &random))
                    written.append(line)
                    pending += Array((line + "\n").utf8)
                }
                let count = Bool.random(using: &random) ? pending.count : Int.random(in: 0...pending.count, using: &random)
                _ = pending.withUnsafeBytes { write(writer, $0.baseAddress, count) }
                pending.removeFirst(count)
            }
            // A rotation between two records finds no half of one: fail2ban writes a record at once.
            if !pending.isEmpty, Bool.random(using: &random) {
                _ = pending.withUnsafeBytes { write(writer, $0.baseAddress, pending.count) }
                pending = []
            }
            // More renamed files at once than are kept open would be let go unread.
            if step % 8 == 7 {
                reader.limit = .max
                read += try reader.available()
            }
        }
        _ = pending.withUnsafeBytes { write(writer, $0.baseAddress, pending.count) }
        reader.limit = .max
        read += try reader.available()
        let difference = zip(read, written).first { $0 != $1 }
        #expect(difference == nil)
        #expect(read.count == written.count)
        #expect(reader.position == UInt64(written.reduce(0) { $0 + $1.utf8.count + 1 }))
        #expect(reader.gaps == 0)
    }
}
