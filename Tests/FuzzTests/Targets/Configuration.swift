// Fuzzing: a configuration file, from its lines to the settings.

import Wire

@testable import Daemon

extension FuzzTarget {
    /// The text of `fail2ban-cluster.conf`.
    static let configuration = FuzzTarget(name: "configuration", longest: 4096) { input in
        try checkLines(IniFile(bytes: input, path: "x"))
        let file = try MemoryFile(input)
        let configuration: Configuration
        do {
            configuration = try Configuration.load(file.path, systemHostname: Hostname("web1"))
        } catch let error as ConfigurationError {
            return try checkPrintable(error)
        }
        try require(configuration.general.stateDirectory.hasPrefix("/"), "a state folder that depends on where it is started")
        if let monitor = configuration.monitor {
            try require((1...8).contains(monitor.replyServers.count), "\(monitor.replyServers.count) publishers")
            try require(monitor.ignoredJails.count < input.count + 10, "jails that nobody named")
        }
        if let publisher = configuration.publisher {
            try require(publisher.quorum >= 1 && publisher.maxHolds >= 1, "a publisher that bans nothing, or everything")
            try require((0...32).contains(publisher.minPrefix4) && (0...128).contains(publisher.minPrefix6), "no prefix is so long")
        }
        if let subscriber = configuration.subscriber {
            try require((1...8).contains(subscriber.publishers.count), "\(subscriber.publishers.count) publishers")
            try require(!subscriber.actions.isEmpty, "a subscriber that does nothing")
        }
    }
}

/// The entries, written the shortest way, are read as the same entries.
private func checkLines(_ file: IniFile) throws(Finding) {
    guard file.problems.isEmpty else { return }
    var text = ""
    var section: String?
    for entry in file.entries {
        if entry.section != section { text += "[\(entry.section)]\n" }
        section = entry.section
        text += "\(entry.key)=\(entry.value.replacing("\n", with: "\n "))\n"
    }
    let again = IniFile(bytes: Array(text.utf8), path: "x")
    try require(again.problems.isEmpty, "can't be read again: \(text)")
    let isSame = again.entries.elementsEqual(file.entries) { $0.section == $1.section && $0.key == $1.key && $0.value == $1.value }
    try require(isSame, "means something else: \(text)")
}
