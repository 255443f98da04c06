// Stage 2, report -> admission -> journal -> broadcast: fail2ban-publisher as a program, what it checks before it starts and how it is
// made.

public import ArgumentParser
import Daemon
import Logging
import Wire
import ZeroMQ

/// The program fail2ban-publisher.
public enum PublisherProgram: Service {
    public static let programName = "fail2ban-publisher"
    public static let abstract = "Journals the bans of a cluster's hosts and broadcasts them; one per cluster."
    public static let section = Configuration.Section.publisher

    public static var subcommands: [any ParsableCommand.Type] { [PromoteCommand.self] }

    public static func check(_ configuration: Configuration) -> [Finding] { PublisherCheck.findings(configuration) }

    public static func run(_ configuration: Configuration, _ lifecycle: Lifecycle) throws {
        // Each host has two connections.
        DescriptorLimit.raise()
        try configuration.makeStateDirectory()
        guard let configuration = try standBy(configuration, lifecycle), let settings = configuration.publisher else { return }
        var service = try PublisherService(
            settings: settings, general: configuration.general, logger: Logger(label: programName))
        // The endpoints are bound: whoever asks for the status, or waits for a promotion, sees it by this lock.
        let active = try PidFile(path: StandbyMarker(configuration).activePath)
        try service.run(lifecycle)
        _ = consume active
    }

    /// Stands by as long as it must. When this returns, the endpoint is free again.
    ///
    /// - Returns: The configuration with which it is active now; `nil` when it was told to end.
    private static func standBy(_ configuration: Configuration, _ lifecycle: Lifecycle) throws -> Configuration? {
        guard StandbyMarker.mustStandBy(configuration), let settings = configuration.publisher else { return configuration }
        let logger = Logger(label: programName)
        var standby = try StandbyService(settings: settings, general: configuration.general, logger: logger)
        switch try standby.run(lifecycle) {
        case .terminated: return nil
        case .promoted(let configuration):
            logger.notice("promoted: this is the active publisher from now on")
            return configuration
        }
    }

    public static func detail(_ configuration: Configuration) throws -> String? {
        let warning = configuration.publisher.flatMap { PlainEndpoints.warning($0) }
        let parts = [try StandbyMarker.role(configuration), warning].compactMap(\.self)
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
}
