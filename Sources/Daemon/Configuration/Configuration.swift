// What the daemons share: the one configuration of a host, read, checked and ready to use.

import Wire

/// What `fail2ban-cluster.conf` and its overlays say, with the default for everything they do not say.
public struct Configuration: Sendable {
    /// The sections of the file. All but `general` name a daemon; one that is missing does not run on this host.
    public enum Section: String, CaseIterable, Sendable {
        case general, monitor, publisher, subscriber

        /// A key of this section in a message: `[publisher] quorum`.
        public func subject(_ key: String) -> String { "[\(rawValue)] \(key)" }
    }

    /// Where the file is unless `-c` says otherwise.
    public static let defaultPath = "/etc/fail2ban-cluster/fail2ban-cluster.conf"

    /// The main file, and all files that were read, in the order in which later ones win.
    public let path: String
    public let files: [String]
    public let general: GeneralSettings
    /// `nil`: the section is missing, the daemon does not run on this host. So with the other two.
    public let monitor: MonitorSettings?
    public let publisher: PublisherSettings?
    public let subscriber: SubscriberSettings?
    private let warningsOfSections: [Section: [ConfigurationProblem]]
    private let places: [Section: [String: Place]]

    /// Reads a configuration and its overlays: with `/x/a.conf` also `/x/a.d/*.conf`, `/x/a.local` and `/x/a.d/*.local`.
    ///
    /// - Parameter systemHostname: what stands for a missing `hostname`; only tests give another than the system's.
    /// - Throws: everything that is wrong, each with file, line, key and the allowed values.
    public static func load(
        _ path: String, systemHostname: Hostname? = GeneralSettings.systemHostname()
    ) throws(ConfigurationError) -> Configuration {
        try Configuration(files: try ConfigurationFiles(path: path), systemHostname: systemHostname)
    }

    private init(files: ConfigurationFiles, systemHostname: Hostname?) throws(ConfigurationError) {
        var readers: [Section: SectionReader] = [:]
        let present = Set(files.headers.map(\.name))
        // A missing section is read too: that is how its keys become known, for the hints below. Its problems don't count.
        func read<S>(_ section: Section, _ make: (inout SectionReader) -> S) -> S {
            var reader = SectionReader(section, entries: files.entries[section.rawValue] ?? [:])
            defer { readers[section] = reader }
            return make(&reader)
        }
        let general = read(.general) { GeneralSettings(reading: &$0, systemHostname: systemHostname) }
        let monitor = read(.monitor) { MonitorSettings(reading: &$0) }
        let publisher = read(.publisher) { PublisherSettings(reading: &$0) }
        var subscriber = read(.subscriber) { SubscriberSettings(reading: &$0) }
        if subscriber.replyServers.isEmpty, present.contains("monitor") { subscriber.replyServers = monitor.replyServers }

        var problems = files.problems + Configuration.unknownSections(files.headers)
        for section in Section.allCases where section == .general || present.contains(section.rawValue) {
            guard let reader = readers[section] else { continue }
            problems += reader.problems
            for entry in reader.unknownKeys {
                // What is not shown needs no search for what may have been meant.
                let isShown = problems.count < ConfigurationError.mostShown
                problems.append(Configuration.unknown(entry, in: section, readers: readers, suggests: isShown))
            }
        }
        problems += Configuration.missing(.monitor, "zmqreplyserver", monitor.replyServers, in: files)
        problems += Configuration.missing(.subscriber, "zmqpublisherurl", subscriber.publishers, in: files)
        guard problems.isEmpty, let general else { throw ConfigurationError(problems) }

        path = files.paths[0]
        self.files = files.paths
        self.general = general
        self.monitor = present.contains("monitor") ? monitor : nil
        self.publisher = present.contains("publisher") ? publisher : nil
        self.subscriber = present.contains("subscriber") ? subscriber : nil
        warningsOfSections = readers.mapValues(\.warnings)
        places = Dictionary(
            uniqueKeysWithValues: Section.allCases.map { ($0, (files.entries[$0.rawValue] ?? [:]).mapValues(\.place)) })
    }

    /// Where a key is set; `nil` when it has its default.
    public func place(of key: String, in section: Section) -> Place? { places[section]?[key] }

    /// A problem with a value that only shows when it is used, said with its place: `zmqreplyserver: no route to host`.
    public func problem(with key: String, in section: Section, _ text: String, hint: String? = nil) -> ConfigurationProblem {
        ConfigurationProblem(at: place(of: key, in: section), subject: section.subject(key), text, hint: hint)
    }

    /// What is odd, and not wrong, in all sections.
    public var warnings: [ConfigurationProblem] { Section.allCases.flatMap { warningsOfSections[$0] ?? [] } }

    /// What is odd, and not wrong, for one daemon: in `[general]` and in its own section.
    public func warnings(for section: Section) -> [ConfigurationProblem] {
        [.general, section].flatMap { warningsOfSections[$0] ?? [] }
    }

    /// Whether a file has the section.
    public func has(_ section: Section) -> Bool {
        switch section {
        case .general: true
        case .monitor: monitor != nil
        case .publisher: publisher != nil
        case .subscriber: subscriber != nil
        }
    }

    /// The daemon's pid file; its default when the section is missing, so that one that runs all the same can be stopped.
    public func pidfile(of section: Section) -> String? {
        switch section {
        case .general: nil
        case .monitor: (monitor ?? MonitorSettings()).pidfile
        case .publisher: (publisher ?? PublisherSettings()).pidfile
        case .subscriber: (subscriber ?? SubscriberSettings()).pidfile
        }
    }
}

/// What only shows when all sections are known.
extension Configuration {
    /// The keys that a section has, in the order of the settings.
    static func keys(of section: Section) -> [String] {
        var reader = SectionReader(section, entries: [:])
        switch section {
        case .general: _ = GeneralSettings(reading: &reader, systemHostname: nil)
        case .monitor: _ = MonitorSettings(reading: &reader)
        case .publisher: _ = PublisherSettings(reading: &reader)
        case .subscriber: _ = SubscriberSettings(reading: &reader)
        }
        return reader.keys
    }

    private static func unknownSections(_ headers: [IniFile.Header]) -> [ConfigurationProblem] {
        let names = Section.allCases.map(\.rawValue)
        return headers.filter { !names.contains($0.name) }.map { header in
            ConfigurationProblem(
                at: header.place, "[\(header.name)] is no section of this file", allowed: names.map { "[\($0)]" }.joined(separator: ", "),
                hint: suggestion(for: header.name, among: names).map { "did you mean [\($0)]?" })
        }
    }

    private static func unknown(
        _ entry: IniFile.Entry, in section: Section, readers: [Section: SectionReader], suggests: Bool
    ) -> ConfigurationProblem {
        let keys = readers[section]?.keys ?? []
        let home = Section.allCases.first { readers[$0]?.keys.contains(entry.key) ?? false }
        let near = home == nil && suggests ? suggestion(for: entry.key, among: keys) : nil
        let hint = home.map { "it is a key of [\($0.rawValue)]" } ?? near.map { "did you mean \($0)?" }
        return ConfigurationProblem(
            at: entry.place, subject: section.subject(entry.key), "no such key", allowed: keys.joined(separator: ", "), hint: hint)
    }

    private static func missing(
        _ section: Section, _ key: String, _ endpoints: [Endpoint], in files: ConfigurationFiles
    ) -> [ConfigurationProblem] {
        guard endpoints.isEmpty, let header = files.headers.first(where: { $0.name == section.rawValue }) else { return [] }
        // A value that was refused has been reported already.
        if let entry = files.entries[section.rawValue]?[key], splitList(entry.value, at: .commasAndBlanks)?.isEmpty == false { return [] }
        return [
            ConfigurationProblem(
                at: files.entries[section.rawValue]?[key]?.place ?? header.place, subject: section.subject(key), "is required",
                allowed: Endpoint.allowedToConnect + ", several separated by commas")
        ]
    }
}
