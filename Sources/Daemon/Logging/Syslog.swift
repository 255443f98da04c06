// What the daemons share: syslog(3), whose state is one for the process, behind one lock.

import Glibc

/// Sends lines to the system's log.
public enum Syslog {
    public enum Facility: Sendable {
        case daemon
        /// As fail2ban-zmq-tools logs, for jails that read /var/log/auth.log.
        case auth

        fileprivate var code: Int32 { self == .daemon ? LOG_DAEMON : LOG_AUTH }
    }

    private struct State {
        var name: String?
        /// openlog keeps the pointer it is given, so a name lives as long as the process. There are only a few.
        var names: [String: UnsafeMutablePointer<CChar>] = [:]
    }

    private static let state = Guarded(State())

    /// Sends one line. Control characters in it are escaped.
    ///
    /// - Parameters:
    ///   - name: the program's name before the process id, a constant of the program.
    ///   - priority: LOG_DEBUG to LOG_ERR of syslog.h.
    public static func send(_ text: String, as name: String, priority: Int32, facility: Facility = .daemon) {
        state.withLock { state in
            if state.name != name {
                let pointer = state.names[name] ?? strdup(name)
                guard let pointer else { return }
                state.names[name] = pointer
                state.name = name
                openlog(pointer, LOG_PID, LOG_DAEMON)
            }
            LogText.escaped(text).withCString { line in
                withVaList([line]) { vsyslog(priority | facility.code, "%s", $0) }
            }
        }
    }
}
