// Stage 2, report -> admission -> journal -> broadcast: whether this publisher is active or stands by, as its folder says.

import Daemon
import Glibc

/// What makes a publisher whose configuration says `standby = yes` the active one: a file in `statedir`, which survives restarts.
///
/// An active publisher holds a lock beside it, so that `status` and `promote` know how things are by the kernel's word.
struct StandbyMarker {
    /// The file that `promote` makes. Without it a publisher with `standby = yes` stands by.
    let path: String
    /// Locked by the daemon while it is active: its endpoints are bound, and it answers.
    let activePath: String

    init(stateDirectory: String) {
        path = stateDirectory + "/promoted"
        activePath = stateDirectory + "/active.lock"
    }

    init(_ configuration: Configuration) { self.init(stateDirectory: configuration.general.stateDirectory) }

    var isPromoted: Bool { access(path, F_OK) == 0 }

    /// Whether a publisher of this configuration must stand by.
    static func mustStandBy(_ configuration: Configuration) -> Bool {
        configuration.publisher?.standby == true && !StandbyMarker(configuration).isPromoted
    }

    /// What `status` says of a publisher that runs. Never called in its own process, see ``Daemon/PidFile/holder(of:)``.
    ///
    /// - Returns: `nil` when this user may not look into `statedir`.
    static func role(_ configuration: Configuration) throws(PidFileError) -> String? {
        do throws(PidFileError) {
            if try PidFile.holder(of: StandbyMarker(configuration).activePath) != .nobody { return "active" }
        } catch {
            guard error.exitStatus == .permission else { throw error }
            return nil
        }
        return mustStandBy(configuration) ? "standby" : "starting"
    }

    /// Makes the file, on disk when this returns.
    func promote() throws(SystemError) {
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        try createFolders(folder, mode: 0o750)
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard file >= 0 else { throw SystemError("write \(path)") }
        defer { close(file) }
        let text = Array("This publisher was promoted. Without this file and with standby = yes it stands by after its next start.\n".utf8)
        // The daemon's user, who may not be this one, only looks whether it is there.
        guard write(file, text, text.count) == text.count, fsync(file) == 0 else { throw SystemError("write \(path)") }
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw SystemError("sync the folder \(folder)") }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw SystemError("sync the folder \(folder)") }
    }
}
