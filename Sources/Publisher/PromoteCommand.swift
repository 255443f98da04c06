// Stage 2, report -> admission -> journal -> broadcast: the command that ends a standby.

import ArgumentParser
import Daemon

/// `fail2ban-publisher promote`.
struct PromoteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promote",
        abstract: "Make a standby the active publisher, now and after each start; done when it is active.",
        discussion: """
            Only for a publisher with standby = yes, and only when the one that was active does not run and will not start again as \
            an active one: of two active publishers each would journal half of the bans. It stays active until the file 'promoted' in \
            its statedir is removed and it is restarted.
            """)

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        try reportingErrors(as: PublisherProgram.programName) {
            let configuration = try options.load()
            let marker = StandbyMarker(configuration)
            guard let settings = configuration.publisher, settings.standby else {
                throw ServiceError(
                    "\(configuration.path) has no standby = yes in [publisher]: this publisher is no standby",
                    hint: "Nothing was changed")
            }
            let wasPromoted = marker.isPromoted
            try marker.promote()
            let process = try PublisherProgram.reloadAndWait(configuration) { try PidFile.holder(of: marker.activePath) == .process($0) }
            let already = wasPromoted ? "had been promoted already" : "promoted"
            let state = process.map { "active as process \($0)" } ?? "it does not run now, and is active from its next start"
            StandardStreams.write("\(PublisherProgram.programName): \(already); \(state)\n")
        }
    }
}
