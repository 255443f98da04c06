// A monitor's service on one thread with the publisher's end of the line, which is in a test's hands.

import Daemon
import Glibc
import Logging
import Testing
import Wire
import ZeroMQ

@testable import Monitor

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
    /// What states are answered with.
    var answerToStates = Answer.acknowledge
    /// What pages of lists are answered with.
    var answerToPages = Answer.acknowledge
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

    var isReadingHolds: Bool { service.isReadingHolds }

    /// A ban's line, of 51 bytes.
    func append(_ address: String) { log.append("fail2ban.actions [1]: NOTICE  [sshd] Ban \(address)\n") }

    /// As a reload with this list of ignored jails.
    mutating func ignore(_ jails: Set<Jail>) {
        var settings = settings
        settings.ignoredJails = jails
        service.choose(ReportedJails(settings))
    }

    /// The host's clock is 10 s ahead of where it was.
    mutating func setClockAhead() {
        service.holds.clock = SteadyClock(start: Timestamp.now.advanced(byMilliseconds: -10_000))
    }

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

    /// Lets the loop turn until what was refused waits to be sent again.
    mutating func awaitPause() throws {
        let end = ContinuousClock.now + .seconds(20)
        while !service.isPausing {
            guard ContinuousClock.now < end else { throw NoReport() }
            _ = try turn(.acknowledge)
        }
    }

    /// Lets the loop turn until as many pages of lists came; reports on the way are acknowledged.
    mutating func awaitPages(_ count: Int) throws {
        let end = ContinuousClock.now + .seconds(20)
        while pages.count < count {
            guard ContinuousClock.now < end else { throw NoReport() }
            _ = try turn(.acknowledge)
        }
    }

    /// Lets the loop turn until the publisher has the whole list.
    mutating func awaitHealing() throws {
        let end = ContinuousClock.now + .seconds(20)
        while healedTerm == nil {
            guard ContinuousClock.now < end else { throw NoReport() }
            _ = try turn(.acknowledge)
        }
    }

    /// Lets the loop turn for some time. - Returns: the events of the reports that came.
    mutating func events(during duration: Duration) throws -> [Event] {
        let end = ContinuousClock.now + duration
        var events: [Event] = []
        repeat {
            if let report = try turn(.acknowledge) { events += try report.entries.map { try $0.content.get() } }
        } while ContinuousClock.now < end
        return events
    }

    private mutating func turn(_ answer: Answer) throws -> Report? {
        // Two loops on one thread: each waits a little for its own end of the line.
        _ = try service.turn(signals, until: .now + .milliseconds(1))
        try authenticator.answerWaiting { _ in .admit(userID: "web1") }
        guard let request = try publisher.receive() else { return nil }
        let message = try Message(frames: Array(request.frames.dropFirst(2)))
        var report: Report?
        var answer = answer
        let accepted: [[UInt8]]
        switch message.verb {
        case .state:
            states.append(try DaemonState(message))
            answer = answerToStates
            accepted = DaemonState.answer(term: Term(id: term)).frames
        case .holds:
            pages.append(try HoldsPage(message))
            answer = answerToPages
            accepted = Acknowledgement(term: Term(id: term), position: 0, refused: []).message.frames
        default:
            let received = try Report(message)
            report = received
            accepted = Acknowledgement(term: Term(id: term), position: received.position ?? 0, refused: []).message.frames
        }
        let frames: [[UInt8]]
        switch answer {
        case .none: return report
        case .acknowledge: frames = accepted
        case .acknowledgeUpTo(let position):
            frames = Acknowledgement(term: Term(id: term), position: position, refused: []).message.frames
        case .refuse(let code): frames = RequestRefusal(code, "as the test wants it").message(term: Term(id: term)).frames
        case .nonsense: frames = [[1, 2, 3]]
        }
        _ = try publisher.send(Array(request.frames.prefix(2)) + frames)
        return report
    }

    struct NoReport: Error {}
}
