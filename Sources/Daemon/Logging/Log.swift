// What the daemons share: where swift-log's messages go, switched as a whole when the log is reopened.

import Glibc
public import Logging
import Synchronization

/// The log of this process: standard error, syslog or a file. Loggers keep working when it changes.
public enum Log {
    /// Where lines go right now.
    fileprivate enum Sink: ~Copyable {
        case stderr
        /// Standard error, where systemd reads: lines begin with their priority and have no time (sd-daemon(3)).
        case journal
        case syslog
        case file(OwnedDescriptor)
    }

    fileprivate struct State: ~Copyable {
        var program = "fail2ban-cluster"
        var sink = Sink.stderr
        var target = LogTarget.stderr
        /// Nobody reads standard error any more: what is meant for it goes to syslog.
        var hasLeftStandardError = false
    }

    fileprivate static let state = Guarded(State())
    /// The least severe level that is logged, as its place in `Logger.Level.allCases`. Read at each message, so without the lock.
    fileprivate static let level = Atomic<Int>(2)

    /// Makes this the log of every `Logger`. Call it once, before the first `Logger`.
    ///
    /// - Throws: when the file cannot be opened.
    public static func bootstrap(program: String, _ configuration: Configuration) throws(ConfigurationError) {
        state.withLock { $0.program = program }
        try open(configuration)
        LoggingSystem.bootstrap { LineHandler(label: $0) }
    }

    /// Changes to the configuration's target and level; the same file is opened anew, as logrotate needs it.
    ///
    /// - Throws: when the file cannot be opened; then the log stays as it is.
    public static func open(_ configuration: Configuration) throws(ConfigurationError) {
        do {
            try open(configuration.general.logTarget, level: configuration.general.logLevel)
        } catch {
            let problem = configuration.problem(with: "logtarget", in: .general, error.description)
            throw ConfigurationError([problem], exitStatus: error.exitStatus == .permission ? .permission : .configuration)
        }
    }

    /// Opens the same target anew, as logrotate needs it.
    ///
    /// - Throws: when the file cannot be opened; then the log stays as it is.
    static func reopen() throws(SystemError) { try setTarget(state.withLock { $0.target }) }

    private static func open(_ target: LogTarget, level: LogLevel) throws(SystemError) {
        try setTarget(target)
        Log.level.store(place(of: level.loggerLevel), ordering: .relaxed)
    }

    private static func setTarget(_ target: LogTarget) throws(SystemError) {
        let file: OwnedDescriptor? = if case .file(let path) = target { try openFile(path) } else { nil }
        replaceSink(target, file)
    }

    /// From now on standard error is nobody's.
    static func leaveStandardError() {
        let target = state.withLock { state in
            state.hasLeftStandardError = true
            return state.target
        }
        if target == .stderr { replaceSink(.stderr, nil) }
    }

    private static func replaceSink(_ target: LogTarget, _ file: consuming OwnedDescriptor?) {
        // An optional can be taken from inside the closure, which a consumed value cannot.
        var file = file
        state.withLock { state in
            state.target = target
            if let file = file.take() {
                state.sink = .file(file)
            } else if target == .syslog || state.hasLeftStandardError {
                state.sink = .syslog
            } else {
                state.sink = standardErrorIsJournal() ? .journal : .stderr
            }
        }
    }

    private static func openFile(_ path: String) throws(SystemError) -> OwnedDescriptor {
        guard let file = OwnedDescriptor(Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0o640)) else {
            throw SystemError("open the log \(path)")
        }
        return file
    }

    /// Whether systemd connected standard error to the journal: it says so by device and inode (systemd.exec(5)).
    static func standardErrorIsJournal() -> Bool {
        var status = stat()
        guard let stream = getenv("JOURNAL_STREAM"), fstat(2, &status) == 0 else { return false }
        return String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }

    fileprivate static func place(of level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }
}

extension LogLevel {
    /// swift-log's name for it.
    public var loggerLevel: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}

/// Writes each message as one line: time, program and process, level, message, metadata.
private struct LineHandler: LogHandler {
    let label: String
    var metadata: Logger.Metadata = [:]
    /// Set for this logger alone; otherwise the level of the whole log holds, also when it changes.
    private var ownLevel: Logger.Level?

    init(label: String) { self.label = label }

    var logLevel: Logger.Level {
        get { ownLevel ?? Logger.Level.allCases[Log.level.load(ordering: .relaxed)] }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var text = LogText.escaped(event.message.description)
        let pairs = event.metadata.map { metadata.merging($0) { _, new in new } } ?? metadata
        for (key, value) in pairs.sorted(by: { $0.key < $1.key }) { text += " \(key)=\(LogText.escaped("\(value)"))" }
        Log.state.withLock { state in
            switch state.sink {
            case .stderr: writeAll(line(text, event.level, state.program), to: 2)
            case .journal: writeAll(Array("<\(event.level.priority)>\(text)\n".utf8), to: 2)
            case .syslog: Syslog.send(text, as: state.program, priority: event.level.priority)
            case .file(let file): writeAll(line(text, event.level, state.program), to: file.number)
            }
        }
    }

    private func line(_ text: String, _ level: Logger.Level, _ program: String) -> [UInt8] {
        Array("\(LogText.now()) \(program)[\(getpid())] \(level): \(text)\n".utf8)
    }
}

extension Logger.Level {
    /// The priority of syslog(3).
    fileprivate var priority: Int32 {
        switch self {
        case .trace, .debug: LOG_DEBUG
        case .info: LOG_INFO
        case .notice: LOG_NOTICE
        case .warning: LOG_WARNING
        case .error: LOG_ERR
        case .critical: LOG_CRIT
        }
    }
}
