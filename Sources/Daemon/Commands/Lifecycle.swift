// What the daemons share: a running daemon's link to whoever started it: signals in, ready, reloading and stopping out.

import Glibc
import Logging

/// What ``Service/run(_:_:)`` gets. It stays on the main thread.
public final class Lifecycle {
    /// SIGTERM, SIGINT and SIGHUP, for the service's poll loop.
    public let signals: SignalDescriptor

    private let configurationPath: String
    private let section: Configuration.Section
    private let manager: ServiceManager
    private var starter: Starter
    private let log: Logger

    init(
        signals: consuming SignalDescriptor, configurationPath: String, section: Configuration.Section, manager: ServiceManager,
        starter: consuming Starter, log: Logger
    ) {
        self.signals = signals
        self.configurationPath = configurationPath
        self.section = section
        self.manager = manager
        self.starter = starter
        self.log = log
    }

    /// The daemon does its work: it is bound, or connected, or knows how to go on without. `start` returns 0, and systemd goes on.
    public func ready() {
        starter.release()
        manager.ready()
    }

    /// The daemon drains and ends. The commands say so by themselves when ``Service/run(_:_:)`` returns; a service whose drain
    /// takes a while says it at its beginning.
    public func stopping() { manager.stopping() }

    /// What a service does on ``SignalDescriptor/Signal/reload``: reads the configuration again, opens the log anew, and hands the
    /// new configuration, which has the service's section, to `apply`. Whatever fails is logged, and the daemon goes on with what it has.
    ///
    /// - Parameter apply: takes over what can change while the service runs. It must change nothing if it throws.
    public func reload(_ apply: (Configuration) throws -> Void) {
        manager.reloading()
        defer { manager.ready() }
        do {
            // Before the configuration is read: a mistake in it must not keep the log in a file that was rotated away.
            try Log.reopen()
            let configuration = try Configuration.load(configurationPath)
            guard configuration.has(section) else {
                throw ServiceError("\(configurationPath) has no [\(section.rawValue)] any more", hint: "Stop the daemon, or put it back")
            }
            for warning in configuration.warnings(for: section) { log.warning("\(warning)") }
            try Log.open(configuration)
            try apply(configuration)
            log.notice("reloaded", metadata: ["configuration": "\(configurationPath)"])
        } catch {
            log.error("not reloaded, the daemon goes on as it was: \(error)")
        }
    }
}

/// The `start` command that waits for this process to be ready, at the other end of a pipe; or nobody.
struct Starter: ~Copyable {
    /// The environment variable that tells a daemon which descriptor to write to.
    static let variable = "FAIL2BAN_CLUSTER_READY_DESCRIPTOR"

    private var pipe: OwnedDescriptor?

    /// Takes the pipe out of the environment, so that children neither inherit it nor think it theirs. Call it before threads start.
    static func fromEnvironment() -> Starter {
        defer { unsetenv(variable) }
        guard let text = getenv(variable), let number = Int32(String(cString: text)), number > 2,
            fcntl(number, F_SETFD, FD_CLOEXEC) == 0
        else { return Starter(pipe: nil) }
        return Starter(pipe: OwnedDescriptor(number))
    }

    private init(pipe: consuming OwnedDescriptor?) { self.pipe = pipe }

    /// Whether `start` sent this process into the background.
    var isWaiting: Bool { pipe != nil }

    /// Tells `start` that the daemon is ready, once. From then on nobody reads standard output and error.
    mutating func release() {
        guard let pipe = pipe.take() else { return }
        Log.leaveStandardError()
        StandardStreams.silence()
        writeAll([1], to: pipe.number)
    }
}
