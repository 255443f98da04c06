// Stage 1, log line -> event -> report: the program, its checks, and the check of a log.

public import ArgumentParser
public import Daemon
import Glibc
import Logging
import Wire

/// `fail2ban-monitor`.
public enum MonitorProgram: Service {
    public static var programName: String { "fail2ban-monitor" }
    public static var abstract: String { "Reports what fail2ban bans on this host to the cluster's publisher." }
    public static var section: Configuration.Section { .monitor }
    public static var subcommands: [any ParsableCommand.Type] { [MonitorCheckCommand.self] }

    public static func check(_ configuration: Configuration) -> [Finding] {
        guard let settings = configuration.monitor else { return [] }
        return KeyDirectory(configuration.general.keyDirectory).clientFindings + logFindings(settings)
            + databaseFindings(configuration.general)
            + checkpointFindings(configuration)
    }

    public static func run(_ configuration: Configuration, _ lifecycle: Lifecycle) throws {
        guard let settings = configuration.monitor else { return }
        var service = try MonitorService(settings: settings, general: configuration.general, logger: Logger(label: programName))
        try service.run(lifecycle)
    }

    static func logFindings(_ settings: MonitorSettings) -> [Finding] {
        let problem: LogTailError?
        do throws(LogTailError) {
            problem = try LogTail(path: settings.logPath, from: .end, now: .now).problem
        } catch {
            problem = error
        }
        guard let problem else { return [] }
        // A log that is not there yet is awaited; one that may not be read stays unread.
        return [
            problem.code == EACCES
                ? Finding(.problem, "\(problem)", exitStatus: .permission) : Finding(.warning, "\(problem)")
        ]
    }

    /// Without its checkpoint it works, but a restart begins at the log's end.
    private static func checkpointFindings(_ configuration: Configuration) -> [Finding] {
        configuration.stateDirectoryFinding().map { [Finding(.warning, $0.text, hint: $0.hint)] } ?? []
    }

    private static func databaseFindings(_ general: GeneralSettings) -> [Finding] {
        let client = "fail2ban-client is asked in place of fail2ban's database, so Unbans are reported seconds later"
        return switch Witness(path: general.fail2banDatabase).answer(WitnessQuestion(holds: [])) {
        case .testimony, .unavailable(.locked): []
        case .unavailable(.none): [Finding(.note, "\(WitnessProblem.none): \(client)")]
        case .unavailable(let problem): [Finding(.warning, "fail2ban's database: \(problem); until then \(client)")]
        }
    }
}

/// `fail2ban-monitor check`, of the configuration or of a log.
struct MonitorCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say what is wrong with the configuration and on this host; or, with --log, what of a log would be reported.",
        discussion: """
            With --log it prints each line of FILE that would be reported with its number and its event, and every other line that \
            speaks of a ban with the reason why not, as fail2ban-regex does for filters. It changes and sends nothing. jails and \
            ignorejails are those of the configuration, or the defaults where there is none.
            """)

    @OptionGroup var options: ConfigurationOption

    @Option(help: ArgumentHelp("A log of fail2ban; - for standard input.", valueName: "file"), completion: .file())
    var log: String?

    func run() throws {
        try reportingErrors(as: MonitorProgram.programName) {
            guard let log else { return try checkService(MonitorProgram.self, try options.load()) }
            let (host, settings) = try settings()
            var check = LogCheck(host: host, jails: ReportedJails(settings))
            try check.run(log) { StandardStreams.write($0) }
        }
    }

    private func settings() throws(ConfigurationError) -> (Hostname, MonitorSettings) {
        let isDefault = options.file == Configuration.defaultPath
        if isDefault, access(options.file, F_OK) != 0, let host = GeneralSettings.systemHostname() ?? Hostname("localhost") {
            return (host, MonitorSettings())
        }
        let configuration = try options.load()
        return (configuration.general.hostname, configuration.monitor ?? MonitorSettings())
    }
}
