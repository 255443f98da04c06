// The service's loop with a real log, a real database, real sockets, and the publisher's end in the test's hands.

import Daemon
import Glibc
import Logging
import TestSupport
import Testing
import Wire
import ZeroMQ

@testable import Monitor

@Suite struct MonitorServiceTests {
    @Test func aBanInTheLogIsReportedWithTheEndThatTheDatabaseKnows() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.ban("sshd", "192.0.2.1", time: now, banTime: 600)
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.1\n")
        let report = try host.nextReport()
        let event = try report.entries.first?.content.get()
        #expect(report.position == 51)
        #expect(event?.address == Address("192.0.2.1"))
        #expect(event?.end == .at(Timestamp(milliseconds: (now + 600) * 1000)))
        #expect(abs(report.now.milliseconds(since: .now)) < 10_000)
    }

    @Test func anUnbanIsReportedWhenItsRowIsGoneAndNotWhenItIsThere() throws {
        var host = try ServiceUnderTest()
        try host.database.ban("sshd", "192.0.2.1", time: Timestamp.now.milliseconds / 1000, banTime: 600)
        host.log.append(
            "fail2ban.actions [1]: NOTICE  [sshd] Unban 192.0.2.1\nfail2ban.actions [1]: NOTICE  [sshd] Unban 192.0.2.2\n")
        let report = try host.nextReport()
        #expect(try report.entries.map { try $0.content.get().address.description } == ["192.0.2.2"])
        #expect(try report.entries.map { try $0.content.get().cause } == [.lifted])
    }

    @Test(arguments: [RefusalCode.busy, .storage, .host, .version])
    func aReportThatIsRefusedComesAgainWithTheSameLines(code: RefusalCode) throws {
        var host = try ServiceUnderTest()
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.1\n")
        let first = try host.nextReport(answer: .refuse(code))
        let second = try host.nextReport(answer: .refuse(code))
        let third = try host.nextReport()
        #expect(first.entries == second.entries)
        #expect(first.entries == third.entries)
        #expect(first.now < third.now)
    }

    @Test func anAnswerThatIsNoneDoesNotEndIt() throws {
        var host = try ServiceUnderTest()
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.1\n")
        let first = try host.nextReport(answer: .nonsense)
        let second = try host.nextReport()
        #expect(first.entries == second.entries)
    }

    @Test func aBurstArrivesInOrderAndOnceThroughARotation() throws {
        var host = try ServiceUnderTest()
        var written: [String] = []
        for i in 0..<3000 {
            let address = "10.\(i / 65536).\(i / 256 % 256).\(i % 256)"
            written.append(address)
            host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban \(address)\n", to: i < 1500 ? "" : ".new")
        }
        rename(host.log.path, host.log.path + ".1")
        rename(host.log.path + ".new", host.log.path)
        var read: [String] = []
        var last: UInt64 = 0
        while read.count < written.count {
            for entry in try host.nextReport().entries {
                // Ends found later come without a position; here there are none to find.
                guard let position = entry.position else { continue }
                #expect(position > last)
                last = position
                read.append(try entry.content.get().address.description)
            }
        }
        #expect(read == written)
    }

    // MARK: - Kills

    @Test func aKilledMonitorRepeatsWhatWasNotAcknowledgedAndGoesOn() throws {
        var host = try ServiceUnderTest()
        host.append("192.0.2.1")
        let first = try host.nextReport()
        host.append("192.0.2.2")
        let second = try host.nextReport(answer: .none)
        host.append("192.0.2.3")
        try host.killAndStart()
        #expect(host.isNewStream == false)
        // The checkpoint may be older than the acknowledgement; then that line comes again, with its position.
        var entries: [Report.Entry] = []
        while entries.last?.position != 153 { entries += try host.nextReport().entries }
        let addresses = try entries.map { try $0.content.get().address.description }
        #expect(addresses == ["192.0.2.1", "192.0.2.2", "192.0.2.3"].suffix(addresses.count))
        #expect(entries.map(\.position) == [51, 102, 153].suffix(entries.count))
        #expect(entries.count >= 2 && second.position == 102)
        #expect(first.stream == second.stream)
    }

    @Test func whatIsLoggedBetweenAKillAndTheStartIsReportedInTheSameStream() throws {
        var host = try ServiceUnderTest()
        try host.killAndStart { host in
            host.append("192.0.2.1")
            try host.log.run("mv fail2ban.log fail2ban.log.1; gzip fail2ban.log.1")
            host.append("192.0.2.2")
        }
        var addresses: [String] = []
        while addresses.count < 2 { addresses += try host.nextReport().entries.map { try $0.content.get().address.description } }
        #expect(addresses == ["192.0.2.1", "192.0.2.2"])
    }

    @Test(arguments: ["rm state/monitor.checkpoint", "echo x >> state/monitor.checkpoint", "echo other > machine-id"])
    func withoutItsCheckpointANewStreamBeginsAtTheEnd(damage: String) throws {
        var host = try ServiceUnderTest()
        host.append("192.0.2.1")
        let first = try host.nextReport()
        #expect(host.isNewStream == true)
        try host.killAndStart { host in
            try host.log.run(damage)
            host.append("192.0.2.2")
        }
        #expect(host.isNewStream == true)
        host.append("192.0.2.3")
        let second = try host.nextReport()
        #expect(second.stream != first.stream)
        #expect(try second.entries.map { try $0.content.get().address.description } == ["192.0.2.3"])
    }

    @Test func aHostRestoredFromABackupGoesOnBehindWhatThePublisherHas() throws {
        var host = try ServiceUnderTest()
        host.healedTerm = Term(id: 1)
        host.append("192.0.2.1")
        #expect(try host.nextReport(answer: .acknowledgeUpTo(9999)).position == 51)
        host.append("192.0.2.2")
        // Perhaps it was read before the answer came.
        _ = try host.nextReport(answer: .acknowledgeUpTo(9999))
        host.append("192.0.2.3")
        #expect(try host.nextReport().position ?? 0 > 9999)
        #expect(host.healedTerm == nil)
    }

    @Test func aCheckpointThatCannotBeWrittenStopsNothing() throws {
        var host = try ServiceUnderTest()
        try host.log.run("rm -r state; echo > state")
        host.append("192.0.2.1")
        #expect(try host.nextReport().entries.count == 1)
        host.append("192.0.2.2")
        #expect(try host.nextReport().entries.count == 1)
    }

    @Test func theTermThatWasHealedLastIsKept() throws {
        var host = try ServiceUnderTest()
        #expect(host.healedTerm == nil)
        host.term = 5
        try host.awaitPages(1)
        // Written with an acknowledgement, but not all the time.
        for i in 0..<250 where !(textOfFile(host.log.folder + "/state/monitor.checkpoint") ?? "").contains("healed=0000000000000005") {
            host.append("192.0.2.\(i)")
            _ = try host.nextReport()
        }
        try host.killAndStart()
        #expect(host.healedTerm == Term(id: 5))
        // That publisher has all that this host holds; another one is told.
        _ = try host.events(during: .milliseconds(300))
        #expect(host.pages.count == 1)
        host.term = 6
        host.append("192.0.2.1")
        _ = try host.nextReport()
        try host.awaitPages(2)
    }
}

/// What the service sends beside reports.
@Suite struct HoldsServiceTests {
    @Test func theFirstStartTellsAllBansThatFail2banHas() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.ban("sshd", "192.0.2.1", time: now - 100, banTime: 600)
        try host.database.ban("sshd", "2001:db8::/64", time: now - 100, banTime: -1)
        try host.database.ban("sshd", "192.0.2.3", time: now - 700, banTime: 600)
        try host.database.ban("sshd", "no address", time: now, banTime: 600)
        try host.database.execute("INSERT INTO jails VALUES ('recidive', 1)")
        try host.database.ban("recidive", "192.0.2.4", time: now, banTime: 600)
        try host.awaitPages(1)
        let page = host.pages[0]
        #expect(page.isComplete && page.isLast && page.page == 1)
        #expect(page.bans.map(\.address.description) == ["192.0.2.1", "2001:db8::/64"])
        #expect(page.bans[0].end == .at(Timestamp(milliseconds: (now + 500) * 1000)))
        #expect(page.bans[0].seen == Timestamp(milliseconds: (now - 100) * 1000))
        #expect(host.states.count == 1)
        #expect(String(decoding: host.states[0].json, as: UTF8.self).hasPrefix("{\"version\":\""))
    }

    @Test func aListOfManyBansArrivesWholeWhileReportsGoOn() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
            INSERT INTO bips SELECT '10.0.' || (i / 250) || '.' || (i % 250), 'sshd', \(now), 600, 1, '{}' FROM n
            """)
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.1\n")
        try host.awaitPages(1)
        host.log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban 192.0.2.2\n")
        let report = try host.nextReport()
        #expect(try report.entries.first?.content.get().address.description == "192.0.2.2")
        #expect(host.pages.last?.isLast == false, "the report waited for the whole list")
        while host.pages.last?.isLast != true { try host.awaitPages(host.pages.count + 1) }
        // What waits for its row is on the list too.
        #expect(Set(host.pages.flatMap { $0.bans.map(\.address) }).count == 5001)
        #expect(Set(host.pages.map(\.id)).count == 1)
    }

    @Test func aTermThatChangesWhileAListIsOnItsWayMakesAnother() throws {
        var host = try ServiceUnderTest()
        let now = Timestamp.now.milliseconds / 1000
        try host.database.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4999)
            INSERT INTO bips SELECT '10.0.' || (i / 250) || '.' || (i % 250), 'sshd', \(now), 600, 1, '{}' FROM n
            """)
        try host.awaitPages(1)
        host.term = 2
        while host.pages.last?.isLast != true { try host.awaitPages(host.pages.count + 1) }
        #expect(Set(host.pages.map(\.id)).count == 2)
        #expect(host.pages.last { $0.page == 1 }?.id == host.pages.last?.id)
    }

    @Test func neitherDatabaseNorFail2banMeansNoList() throws {
        var host = try ServiceUnderTest(hasDatabase: false)
        #expect(try host.events(during: .seconds(1)) == [])
        #expect(host.pages.isEmpty)
    }
}

/// A monitor's service, its log and database in a folder, and the publisher's socket.
struct ServiceUnderTest: ~Copyable {
    enum Answer {
        case acknowledge
        /// More than was reported.
        case acknowledgeUpTo(UInt64)
        case refuse(RefusalCode)
        case nonsense
        case none
    }

    let log: LogFolder
    let database: Fail2banDatabase
    /// The publisher's term.
    var term: UInt64 = 1
    /// What came beside the reports.
    private(set) var states: [DaemonState] = []
    private(set) var pages: [HoldsPage] = []
    private let signals: SignalDescriptor
    private let settings: MonitorSettings
    private let general: GeneralSettings
    private let machineID: String
    private var service: MonitorService
    private var publisher: Socket
    private var authenticator: Authenticator

    init(client: [String] = ["false"], hasDatabase: Bool = true, log: LogFolder? = nil) throws {
        let log = try log ?? LogFolder()
        if access(log.path, F_OK) != 0 { log.create() }
        let database = try Fail2banDatabase(log.folder + "/db")
        let signals = try SignalDescriptor()
        let keys = KeyDirectory(log.folder + "/keys")
        mkdir(keys.path, 0o700)
        _ = try keys.makeHostKeys()
        _ = try keys.makePublisherKeys()
        let context = try Context()
        let authenticator = try Authenticator(in: context)
        let publisher = try Socket(.router, in: context)
        try publisher.curveServer(try keys.publisherSecretKey())
        let endpoint = try publisher.bind("tcp://127.0.0.1:0")
        var general = GeneralSettings(hostname: try #require(Hostname("web1")))
        general.keyDirectory = keys.path
        general.stateDirectory = log.folder + "/state"
        general.fail2banDatabase = hasDatabase ? database.path : nil
        general.fail2banClient = client
        var settings = MonitorSettings()
        settings.logPath = log.path
        settings.replyServers = [try #require(Endpoint(connect: endpoint))]
        let machineID = log.folder + "/machine-id"
        LogFolder.append("0123456789abcdef\n", to: machineID)
        let service = try MonitorService(settings: settings, general: general, machineIDPath: machineID, logger: Logger(label: "test"))
        self.machineID = machineID
        self.service = service
        self.settings = settings
        self.general = general
        self.log = log
        self.database = database
        self.signals = signals
        self.publisher = publisher
        self.authenticator = authenticator
    }

    var isNewStream: Bool { service.isNewStream }

    var healedTerm: Term? { service.healedTerm }

    /// A ban's line, of 51 bytes.
    func append(_ address: String) { log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban \(address)\n") }

    /// Another monitor in the place of this one, which gets no chance to say anything.
    mutating func killAndStart(_ meanwhile: (borrowing ServiceUnderTest) throws -> Void = { _ in }) throws {
        try meanwhile(self)
        service = try MonitorService(settings: settings, general: general, machineIDPath: machineID, logger: Logger(label: "test"))
    }

    /// Lets the monitor's loop turn until its next report is there, and answers that.
    mutating func nextReport(answer: Answer = .acknowledge) throws -> Report {
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            if let report = try turn(answer) { return report }
        }
        throw NoReport()
    }

    /// Lets the loop turn until as many pages of lists came; reports on the way are acknowledged.
    mutating func awaitPages(_ count: Int) throws {
        let end = ContinuousClock.now + .seconds(20)
        while pages.count < count {
            guard ContinuousClock.now < end else { throw NoReport() }
            _ = try turn(.acknowledge)
        }
    }

    /// Lets the loop turn for some time. - Returns: the events of the reports that came.
    mutating func events(during duration: Duration) throws -> [Event] {
        let end = ContinuousClock.now + duration
        var events: [Event] = []
        while ContinuousClock.now < end {
            if let report = try turn(.acknowledge) { events += try report.entries.map { try $0.content.get() } }
        }
        return events
    }

    private mutating func turn(_ answer: Answer) throws -> Report? {
        // Two loops on one thread: each waits a little for its own end of the line.
        _ = try service.turn(signals, until: .now + .milliseconds(1))
        try authenticator.answerWaiting { _ in .admit(userID: "web1") }
        guard let request = try publisher.receive() else { return nil }
        let message = try Message(frames: Array(request.frames.dropFirst(2)))
        var report: Report?
        var frames: [[UInt8]]
        switch message.verb {
        case .state:
            states.append(try DaemonState(message))
            frames = DaemonState.answer(term: Term(id: term)).frames
        case .holds:
            pages.append(try HoldsPage(message))
            frames = Acknowledgement(term: Term(id: term), position: 0, refused: []).message.frames
        default:
            let received = try Report(message)
            report = received
            switch answer {
            case .none: return report
            case .acknowledgeUpTo(let position):
                frames = Acknowledgement(term: Term(id: term), position: position, refused: []).message.frames
            case .acknowledge: frames = Acknowledgement(term: Term(id: term), position: received.position ?? 0, refused: []).message.frames
            case .refuse(let code): frames = RequestRefusal(code, "as the test wants it").message(term: Term(id: term)).frames
            case .nonsense: frames = [[1, 2, 3]]
            }
        }
        _ = try publisher.send(Array(request.frames.prefix(2)) + frames)
        return report
    }

    struct NoReport: Error {}
}
