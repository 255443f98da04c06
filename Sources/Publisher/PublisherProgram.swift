// Stage 2, report -> admission -> journal -> broadcast: fail2ban-publisher as a program, what it checks before it starts and how it is made.

import Daemon
import Logging
import Wire
import ZeroMQ

/// The program fail2ban-publisher.
public enum PublisherProgram: Service {
    public static let programName = "fail2ban-publisher"
    public static let abstract = "Journals the bans of a cluster's hosts and broadcasts them; one per cluster."
    public static let section = Configuration.Section.publisher

    public static func check(_ configuration: Configuration) -> [Finding] { PublisherCheck.findings(configuration) }

    public static func run(_ configuration: Configuration, _ lifecycle: Lifecycle) throws {
        guard let settings = configuration.publisher else { return }
        // Each host has two connections.
        DescriptorLimit.raise()
        try configuration.makeStateDirectory()
        var service = try PublisherService(
            settings: settings, general: configuration.general, logger: Logger(label: programName))
        try service.run(lifecycle)
    }
}
