// Test support: a daemon that does nothing, so that start, stop, status and reload are tested with a real process.

import Daemon
import Glibc

/// Waits for signals. The environment tells it how to misbehave.
@main
enum SampleDaemon: Service {
    static var programName: String { "sample-daemon" }
    static var abstract: String { "A daemon for tests." }
    static var section: Configuration.Section { .monitor }

    static func check(_ configuration: Configuration) -> [Finding] {
        switch setting("SAMPLE_CHECK") {
        case "problem": [Finding(.problem, "no key in the key folder", hint: "Make one", exitStatus: .permission)]
        case "warning": [Finding(.warning, "the log is missing")]
        default: []
        }
    }

    static func run(_ configuration: Configuration, _ lifecycle: Lifecycle) throws {
        switch setting("SAMPLE_RUN") {
        case "fail": throw ServiceError("port 5678 is in use", hint: "Stop whoever has it", exitStatus: .failed)
        case "crash": kill(getpid(), SIGKILL)
        case "late": break
        default: lifecycle.ready()
        }
        while true {
            var waited = [pollfd(fd: lifecycle.signals.descriptor, events: Int16(POLLIN), revents: 0)]
            guard poll(&waited, 1, -1) > 0, let signal = lifecycle.signals.next() else { continue }
            switch signal {
            case .terminate where setting("SAMPLE_RUN") == "deaf": continue
            case .terminate: return
            case .reload: lifecycle.reload { _ in }
            }
        }
    }

    private static func setting(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
