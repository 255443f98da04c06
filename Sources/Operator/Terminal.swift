// The operator's command: what is known of the terminal, and how far something is that takes long.

import Daemon
import Glibc

/// What is known of who reads what this program prints.
enum Terminal {
    /// Whether standard output is one.
    static var isOutput: Bool { isatty(1) == 1 }
    /// Whether standard error is one, so that somebody sees progress.
    static var isError: Bool { isatty(2) == 1 }

    /// Whether what goes to standard output is coloured: on a terminal that can, for a person who has not said no (no-color.org).
    static var isColoured: Bool {
        isOutput && variable("TERM") != "dumb" && (variable("NO_COLOR") ?? "").isEmpty
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Characters in a line of standard output; `nil` when it is no terminal.
    static var width: Int? {
        var size = winsize()
        guard isOutput, ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}

/// Says on a terminal how far something is that takes long.
struct Progress {
    /// What takes less is not talked of.
    static let patience: Duration = .seconds(1)

    private let start = ContinuousClock.now
    private var isShown = false

    init() {}

    /// When there will be something to tell, if it takes so long; `nil` when it was told, or nobody would see it.
    var due: ContinuousClock.Instant? { Terminal.isError && !isShown ? start + Progress.patience : nil }

    /// - Parameter text: printed in place of what was told before.
    mutating func tell(_ text: @autoclosure () -> String) {
        guard Terminal.isError, ContinuousClock.now - start > Progress.patience else { return }
        isShown = true
        let text = LogText.escaped(text())
        StandardStreams.writeError("\r\u{1b}[K\(text)")
    }

    /// Takes away what was told.
    mutating func end() {
        if isShown { StandardStreams.writeError("\r\u{1b}[K") }
        isShown = false
    }
}
