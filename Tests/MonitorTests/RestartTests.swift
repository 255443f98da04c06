// A tail that is ended and begun again all the time, while the log is written and rotated in every way.

import Glibc
import TestSupport
import Testing
import Wire

@testable import Monitor

@Suite struct RestartTests {
    enum Rotation: CaseIterable {
        case rename
        case compress
        case delayCompress
        case copyTruncate
        case copyTruncateCompress
    }

    /// The log's writer and its rotations; a time of its own for each step, since the kernel's clock for files ticks slowly.
    private struct Writer {
        let log: LogFolder
        private(set) var written: [String] = []
        private var time = 1_700_000_000
        private var rotations = 0

        init(_ log: LogFolder) {
            self.log = log
            log.create()
            stamp()
        }

        mutating func write(_ count: Int) {
            var text = ""
            for _ in 0..<count {
                let line = "line \(written.count) of the log of this test"
                written.append(line)
                text += line + "\n"
            }
            log.append(text)
            stamp()
        }

        private mutating func stamp() {
            time += 1
            var times = [timeval(tv_sec: time, tv_usec: 0), timeval(tv_sec: time, tv_usec: 0)]
            utimes(log.path, &times)
        }

        /// As logrotate does it, with its numbers.
        ///
        /// - Parameter beforeTruncation: what happens between a copy and the truncation.
        mutating func rotate(_ rotation: Rotation, beforeTruncation: () throws -> Void = {}) throws {
            rotations += 1
            var steps: [String] = []
            if rotation == .delayCompress { steps.append("[ ! -e fail2ban.log.1 ] || gzip fail2ban.log.1") }
            for i in (1...rotations).reversed() {
                for end in ["", ".gz"] {
                    steps.append("if [ -e fail2ban.log.\(i)\(end) ]; then mv fail2ban.log.\(i)\(end) fail2ban.log.\(i + 1)\(end); fi")
                }
            }
            switch rotation {
            case .rename, .compress, .delayCompress: steps.append("mv fail2ban.log fail2ban.log.1 && touch fail2ban.log")
            case .copyTruncate, .copyTruncateCompress:
                steps.append("cp -p fail2ban.log fail2ban.log.1")
                try log.run(steps.joined(separator: "\n"))
                try beforeTruncation()
                steps = ["truncate -s 0 fail2ban.log"]
            }
            if rotation == .compress || rotation == .copyTruncateCompress { steps.append("gzip fail2ban.log.1") }
            try log.run(steps.joined(separator: "\n"))
            stamp()
        }
    }

    /// Positions never mean two things, and in the end each line has one.
    @Test(arguments: 0..<24)
    func noSequenceOfKillsAndRotationsLosesOrDoublesALine(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let log = try LogFolder()
        var writer = Writer(log)
        var schedule = CheckpointSchedule()
        var place = try LogReader(log.path).place
        var sent: [UInt64: String] = [:]
        for _ in 0..<8 {
            // A kill, and what happens meanwhile.
            for _ in 0..<Int.random(in: 0...3, using: &random) { try happen() }
            var reader = try LogReader(log.path, from: .place(place))
            schedule = CheckpointSchedule()
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                reader.limit = Int.random(in: 1...30, using: &random)
                // What comes after a look is there when its reading begins.
                if Bool.random(using: &random) { try reader.glance() } else { try happen() }
                if Bool.random(using: &random) { try happen(beforeTruncation: { try reader.glance() }) } else { try reader.glance() }
                let lines = try reader.unlooked()
                // As the service does it: what was read is in the checkpoint or can be read again.
                if schedule.mustPrecedeReport(files: reader.openFiles, changes: reader.changes) || Bool.random(using: &random) {
                    place = reader.place
                    schedule.wrote(position: 0, changes: reader.changes, took: .zero, isWritten: true, now: .now)
                }
                for (position, line) in lines {
                    let before = sent.updateValue(line, forKey: position)
                    #expect(before == nil || before == line, "position \(position) was another line")
                }
                #expect(reader.losses() == [])
            }
        }
        var reader = try LogReader(log.path, from: .place(place))
        for (position, line) in try reader.positioned() { sent[position] = line }
        let read = sent.sorted { $0.key < $1.key }.map(\.value)
        #expect(read.count == writer.written.count)
        #expect(zip(read, writer.written).first { $0 != $1 } == nil)
        #expect(reader.gaps == 0)

        func happen(beforeTruncation: () throws -> Void = {}) throws {
            writer.write(Int.random(in: 1...20, using: &random))
            if Int.random(in: 0..<3, using: &random) == 0 {
                let rotation = try #require(Rotation.allCases.randomElement(using: &random))
                try writer.rotate(rotation, beforeTruncation: beforeTruncation)
                writer.write(Int.random(in: 1...3, using: &random))
            }
        }
    }
}

/// A reporter that goes on where another one was.
@Suite struct ReporterRestartTests {
    private static func restarted(_ desk: Desk) throws -> Desk {
        var other = try Desk()
        other.rows = desk.rows
        other.position = desk.position
        other.reporter = Reporter(
            host: try #require(Hostname("web1")), stream: "test", position: desk.position, saved: desk.reporter.savedState, now: other.now)
        return other
    }

    @Test func whatWasDecidedIsSentFirstAndUnchanged() throws {
        var desk = try Desk()
        try desk.ban("sshd", "192.0.2.1")
        let first = try desk.next()
        try desk.ban("sshd", "192.0.2.2")
        var other = try Self.restarted(desk)
        // The database says something else by now; that changes no decision.
        other.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: other.seconds, banTime: 77)
        try other.ban("sshd", "192.0.2.3")
        let again = try other.next()
        #expect(Array(again.entries.prefix(1)) == first.entries)
        #expect(again.entries.map(\.position) == [1, 2, 3])
        #expect(again.stream == first.stream)
        #expect(other.reporter.acknowledged == 0)
        other.reporter.acknowledge()
        #expect(other.reporter.acknowledged == 3)
    }

    @Test func anUnbanThatWaitedForTheDatabaseIsDecidedAfterTheRestart() throws {
        var desk = try Desk()
        desk.problem = .locked("db")
        try desk.see(.unban, "sshd", "192.0.2.1")
        try desk.see(.unban, "sshd", "192.0.2.2")
        var other = try Self.restarted(desk)
        #expect(other.reporter.undecidedCount == 2)
        #expect(other.reporter.acknowledged == 2)
        other.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: other.seconds, banTime: 600)
        other.look(at: other.now)
        #expect(other.sent() == ["-|web1|sshd|Unban|192.0.2.2|-|\(other.milliseconds)|-|-|lifted"])
    }

    @Test func aBanWhoseRowWasNotThereIsLookedUpAfterTheRestart() throws {
        var desk = try Desk()
        try desk.ban("sshd", "192.0.2.1")
        _ = desk.sent()
        var other = try Self.restarted(desk)
        other.rows["sshd", "192.0.2.1"] = BanRow(timeOfBan: other.seconds, banTime: 600)
        other.look(at: other.now + .seconds(1))
        let end = (other.seconds + 600) * 1000
        #expect(other.sent() == ["-|web1|sshd|Ban|192.0.2.1|-|\(other.milliseconds)|-|\(end)|detected"])
    }

    @Test func anUnbanBeforeItsBansRowIsProvenAfterTheRestart() throws {
        var desk = try Desk()
        try desk.ban("sshd", "192.0.2.1")
        try desk.see(.unban, "sshd", "192.0.2.1")
        _ = desk.sent()
        var other = try Self.restarted(desk)
        for seconds in [1, 2, 12] { other.look(at: other.started + .seconds(seconds)) }
        #expect(other.sent() == ["-|web1|sshd|Unban|192.0.2.1|-|\(other.milliseconds)|-|-|lifted"])
    }
}
