// What the log lost is counted and named, what is left is read, and no position ever means two lines.

import Glibc
import Testing

@testable import Monitor

@Suite struct LogGapTests {
    @Test func aFileThatIsGoneIsAGapAndOnlyWhatIsNewerIsRead() throws {
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
        log.append("line 2\n")
        try log.run("mv fail2ban.log fail2ban.log.2; gzip fail2ban.log.2; sleep 0.01; echo x > fail2ban.log.1.xz; sleep 0.01")
        log.append("line 3\n")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.positioned().map(\.position) == [14, 21 + LogPlace.leap])
        #expect(reader.losses() == [.unreadable("fail2ban.log.1.xz")])
    }
}
