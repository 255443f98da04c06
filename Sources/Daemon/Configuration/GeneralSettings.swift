// What the daemons share: the keys of [general], with their defaults.

import Glibc
import Wire

/// Where a daemon's log goes.
public enum LogTarget: Hashable, Sendable {
    /// Standard error: the terminal, or the journal under systemd. A daemon that `start` sent into the background has none, and
    /// logs to syslog instead.
    case stderr
    /// syslog(3), facility DAEMON.
    case syslog
    /// A file by its full name; lines are appended, and it is opened anew on reload, as logrotate needs it.
    case file(String)
}

/// How much a daemon logs: everything from this severity on.
public enum LogLevel: String, CaseIterable, Sendable {
    case debug, info, notice, warning, error
}

/// `[general]`: what all programs on this host share.
public struct GeneralSettings: Hashable, Sendable {
    /// `hostname`: this host's name in events; its key in `authorized_hosts` stands under the same name. Default: the system's.
    public var hostname: Hostname
    /// `statedir`: the folder of checkpoints and the journal. Default `/var/lib/fail2ban-cluster`.
    public var stateDirectory = "/var/lib/fail2ban-cluster"
    /// `keydir`: the folder of the keys. Default `/etc/fail2ban-cluster/keys`.
    public var keyDirectory = "/etc/fail2ban-cluster/keys"
    /// `logtarget`: `stderr` (default), `syslog`, or a file's full name.
    public var logTarget = LogTarget.stderr
    /// `loglevel`: `debug`, `info` (default), `notice`, `warning` or `error`.
    public var logLevel = LogLevel.info
    /// `fail2banclient`: the command and its arguments, split at blanks; found on PATH. Default `fail2ban-client`. Never empty.
    public var fail2banClient = ["fail2ban-client"]
    /// `fail2bandbpath`: fail2ban's database. Default `/var/lib/fail2ban/fail2ban.sqlite3`; `none` (`nil`): do without.
    public var fail2banDatabase: String? = "/var/lib/fail2ban/fail2ban.sqlite3"

    /// The defaults.
    public init(hostname: Hostname) { self.hostname = hostname }

    /// - Parameter systemHostname: what stands for a missing `hostname`; `nil` when the system's is no RFC 1123 name.
    /// - Returns: `nil`, with a problem in `section`, when there is no host name.
    init?(reading section: inout SectionReader, systemHostname: Hostname?) {
        let name = section.optional(
            "hostname", default: systemHostname, none: nil,
            allowed: "letters, digits and inner hyphens, in parts of 1 to 63 joined by dots (RFC 1123)"
        ) { Hostname($0) }
        stateDirectory = section.path("statedir", default: stateDirectory)
        keyDirectory = section.path("keydir", default: keyDirectory)
        logTarget = section.value("logtarget", default: logTarget, allowed: "stderr, syslog, or a file's full path") { text in
            switch text.lowercased() {
            case "stderr": .stderr
            case "syslog": .syslog
            default: isFullPath(text) ? .file(text) : nil
            }
        }
        logLevel = section.choice("loglevel", default: logLevel)
        fail2banClient = section.list("fail2banclient", default: fail2banClient, at: .blanks, allowed: "a command and its arguments") { $0 }
        if fail2banClient.first?.isEmpty ?? true {
            section.refuse("fail2banclient", "has no value", allowed: "a command and its arguments, such as fail2ban-client -s /run/x.sock")
        }
        fail2banDatabase = section.optional(
            "fail2bandbpath", default: fail2banDatabase, none: "none", allowed: "a file's full path, or none"
        ) { isFullPath($0) ? $0 : nil }
        guard let name else {
            if !section.has("hostname") {
                section.refuse("hostname", "is not set, and the system's name is not one that may travel (RFC 1123)", hint: "set hostname")
            }
            return nil
        }
        hostname = name
    }

    /// The system's host name; `nil` when it is not one that may travel.
    public static func systemHostname() -> Hostname? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { name in
            guard let start = name.baseAddress, gethostname(start, name.count - 1) == 0 else { return nil }
            // gethostname does not end a name that it cuts.
            name[name.count - 1] = 0
            return Hostname(String(cString: start))
        }
    }
}
