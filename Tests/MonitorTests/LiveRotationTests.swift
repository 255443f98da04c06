// Every kind of rotation while the log is followed: renamed, truncated, deleted or replaced, nothing is lost or read twice.

import Glibc
import TestSupport
import Testing

@testable import Monitor

@Suite struct LiveRotationTests {
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
