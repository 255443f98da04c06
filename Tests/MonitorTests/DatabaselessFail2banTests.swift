// The service beside a real fail2ban that has no database: what an admin lifts is reported, and what a stop lets go is not.

import Daemon
import Glibc
import Testing
import Wire
import ZeroMQ

@testable import Monitor

@Suite(.serialized, .enabled(if: DatabaselessFail2ban.isInstalled, "fail2ban is not installed: run scripts/install-packages lab"))
struct DatabaselessFail2banTests {
    private func monitor(_ fail2ban: DatabaselessFail2ban) throws -> ServiceUnderTest {
        try ServiceUnderTest(client: fail2ban.program, hasDatabase: false, log: fail2ban.log)
    }

    private func lifted(_ events: [Event]) -> [String] { events.filter { $0.action == .unban }.map(\.address.description) }

    @Test func theFirstStartTellsTheBansWithTheirEnds() throws {
        let fail2ban = try DatabaselessFail2ban()
        try fail2ban.client("set", "echo", "banip", "192.0.2.1", "2001:db8::1")
        var monitor = try monitor(fail2ban)
        try monitor.awaitPages(1)
        let page = monitor.pages[0]
        #expect(!page.isComplete && page.isLast)
        #expect(Set(page.bans.map(\.address.description)) == ["192.0.2.1", "2001:db8::1"])
        for ban in page.bans {
            guard case .at(let end) = ban.end else {
                Issue.record("no end")
                continue
            }
            #expect(abs(end.milliseconds(since: .now) - 3_600_000) < 60_000)
        }
        // A ban after that has its jail's ban time.
        try fail2ban.client("set", "echo", "banip", "192.0.2.2")
        let report = try monitor.nextReport()
        let event = try #require(try report.entries.first?.content.get())
        #expect(event.end != .unknown)
    }

    @Test func whatAnAdminLiftsIsReportedWithinSeconds() throws {
        let fail2ban = try DatabaselessFail2ban()
        try fail2ban.client("set", "echo", "banip", "192.0.2.1", "192.0.2.2")
        var monitor = try monitor(fail2ban)
        try monitor.awaitPages(1)
        try fail2ban.client("set", "echo", "unbanip", "192.0.2.1")
        #expect(try lifted(monitor.events(during: .seconds(8))) == ["192.0.2.1"])
    }

    @Test func thousandsThatAnAdminLiftsAtOnceAreAllReported() throws {
        let fail2ban = try DatabaselessFail2ban()
        for part in 0..<5 {
            try fail2ban.client(["set", "echo", "banip"] + (0..<200).map { "10.0.\(part).\($0)" })
        }
        var monitor = try monitor(fail2ban)
        try monitor.awaitPages(1)
        try fail2ban.client("unban", "--all")
        #expect(try Set(lifted(monitor.events(during: .seconds(10)))).count == 1000)
    }

    @Test func aRestartOfFail2banOrOfAJailLiftsNothing() throws {
        let fail2ban = try DatabaselessFail2ban()
        let bans = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
        try fail2ban.client(["set", "echo", "banip"] + bans)
        try fail2ban.client(["set", "other", "banip"] + bans)
        var monitor = try monitor(fail2ban)
        try monitor.awaitPages(1)
        try fail2ban.client("restart", "echo")
        #expect(try lifted(monitor.events(during: .seconds(7))) == [])
        try fail2ban.client("stop", "other")
        #expect(try lifted(monitor.events(during: .seconds(7))) == [])
        try fail2ban.client(["set", "echo", "banip"] + bans)
        try fail2ban.client("restart")
        #expect(try lifted(monitor.events(during: .seconds(8))) == [])
        #expect(try fail2ban.logged().contains("Unban 192.0.2.1"), "fail2ban 1.1.1 and later writes none")
    }
}

/// A fail2ban of a test's own, with `dbfile = None`, and an action that does nothing.
final class DatabaselessFail2ban {
    static let isInstalled = access("/usr/bin/fail2ban-client", X_OK) == 0 || access("/usr/local/bin/fail2ban-client", X_OK) == 0

    let log: LogFolder
    private let folder: LogFolder

    /// fail2ban-client for it.
    var program: [String] {
        ["fail2ban-client", "-c", "\(folder.folder)/etc", "-s", "\(folder.folder)/socket", "-p", "\(folder.folder)/pid"]
    }

    init() throws {
        folder = try LogFolder()
        log = try LogFolder()
        for name in ["etc", "etc/action.d", "etc/filter.d"] { mkdir("\(folder.folder)/\(name)", 0o700) }
        write(
            "etc/fail2ban.conf",
            """
            [Definition]
            loglevel = INFO
            logtarget = \(log.path)
            syslogsocket = auto
            socket = \(folder.folder)/socket
            pidfile = \(folder.folder)/pid
            dbfile = None
            dbpurgeage = 1d
            dbmaxmatches = 10
            allowipv6 = yes

            """)
        write("etc/action.d/nothing.conf", "[Definition]\nactionban =\nactionunban =\n")
        let jail = "enabled = true\nfilter =\nbackend = polling\nbantime = 1h\naction = nothing\n"
        write("etc/jail.conf", "[echo]\n\(jail)[other]\n\(jail)")
        #expect(try client("start").contains("Server ready"))
    }

    func logged() throws -> String {
        let file = try #require(fopen(log.path, "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    deinit { _ = try? client("stop") }

    private func write(_ name: String, _ text: String) {
        guard let file = fopen("\(folder.folder)/\(name)", "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    @discardableResult
    func client(_ arguments: String...) throws -> String { try client(arguments) }

    /// What `fail2ban-client` prints.
    @discardableResult
    func client(_ arguments: [String]) throws -> String {
        let child = try ChildProcess(program + arguments, input: false)
        var polled = PollSet()
        let ended = polled.add(descriptor: child.endDescriptor)
        try polled.wait(until: .now + .seconds(60))
        #expect(polled.isReadable(ended))
        var bytes: [UInt8] = []
        _ = child.read(into: &bytes, limit: 1 << 20)
        return String(decoding: bytes, as: UTF8.self)
    }
}
