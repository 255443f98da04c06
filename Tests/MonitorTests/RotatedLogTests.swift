// Going on after a restart, through the files that rotations renamed meanwhile, in their order.

import Glibc
import Testing

@testable import Monitor

@Suite struct RotatedLogTests {
    @Test(arguments: ["true", "gzip fail2ban.log.2", "gzip fail2ban.log.1 fail2ban.log.2"])
    func aKilledMonitorLosesNothingThroughTwoRotations(compress: String) throws {
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
        try log.run("mv fail2ban.log fail2ban.log.12")
        for i in 1...11 { log.append("of file \(i)\n", to: ".\(i)") }
        try log.run("touch -d 2026-11-21T00:00:00 fail2ban.log.*; gzip fail2ban.log.[2-9] fail2ban.log.1[0-2]")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == (1...11).reversed().map { "of file \($0)" })
    }

    @Test func aMonitorKilledInARotatedLogGoesOnThere() throws {
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
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
        let (log, place) = try LogFolder.started()
        log.append("line 2\n")
        try log.run("mv fail2ban.log fail2ban.log.1")
        var reader = try LogReader(log.path, from: .place(place))
        #expect(try reader.available() == ["line 2"])
        log.append("line 3\n")
        #expect(try reader.next() == ["line 3"])
        #expect(reader.gaps == 0)
    }
}
