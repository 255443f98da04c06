// What the daemons share: telling all daemons of a host to reload, for a command that changed what they read.

/// The daemons of this host that run, after each was told to reload.
public struct ReloadedDaemons: Sendable {
    /// The programs that were told.
    public private(set) var told: [String] = []
    /// What keeps others that run from being told, each as a sentence with its remedy.
    public private(set) var problems: [String] = []

    /// Sends each of them SIGHUP. Those that don't run need none.
    public init(_ configuration: Configuration, _ sections: [Configuration.Section]) {
        for section in sections where configuration.has(section) {
            let control = DaemonControl(section, configuration)
            do {
                _ = try control.reload()
                told.append(control.programName)
            } catch is NotRunning {
            } catch {
                problems.append("\(control.programName) \(error)")
            }
        }
    }

    /// One line for each, with its newline.
    public var text: String {
        (told.map { "told \($0) to reload\n" } + problems.map { "not reloaded: \($0)\n" }).joined()
    }
}
