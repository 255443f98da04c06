// What the daemons share: what is asked of fail2ban besides its bans, so that an operator sees why a host reports none.

/// fail2ban's log level and target, asked when nothing else is to be said.
public struct ServerSettings: Sendable, Equatable {
    /// How often they are asked for, as often as a host tells its state: somebody may change them, and stop fail2ban.
    public static let interval: Duration = .seconds(30)

    public enum Question: String, CaseIterable, Sendable {
        case logLevel = "get loglevel"
        case logTarget = "get logtarget"
    }

    /// `INFO`, `WARNING`; `nil` until it is known.
    public private(set) var logLevel: String?
    /// `/var/log/fail2ban.log`, `SYSTEMD-JOURNAL`; `nil` until it is known.
    public private(set) var logTarget: String?
    private var open: [Question] = []
    private var due: ContinuousClock.Instant?

    public init() {}

    /// The next question; `nil` when all are answered for now.
    public mutating func next(now: ContinuousClock.Instant) -> Question? {
        if due.map({ now >= $0 }) ?? true {
            due = now + ServerSettings.interval
            open = Question.allCases
        }
        return open.popLast()
    }

    /// When ``next(now:)`` has something; `nil` is at once.
    public var deadline: ContinuousClock.Instant? { open.isEmpty ? due : nil }

    /// fail2ban may be another one when it is back.
    public mutating func outdate() { due = nil }

    public mutating func answered(_ question: Question, _ text: [UInt8]) {
        let value = ServerSettings.value(text, to: question)
        switch question {
        case .logLevel: logLevel = value
        case .logTarget: logTarget = value
        }
    }

    /// The last word of an answer: `Current logging level is 'INFO'`, or behind `` `- `` on a line of its own a file
    /// (fail2ban/client/beautifier.py).
    private static func value(_ text: [UInt8], to question: Question) -> String? {
        let words = String(decoding: text.suffix(mostBytes), as: UTF8.self).split(whereSeparator: \.isWhitespace)
        let subject = question == .logLevel ? "level" : "target"
        guard words.contains("logging"), let place = words.firstIndex(of: Substring(subject)), let last = words.last,
            words.endIndex - place > 2
        else { return nil }
        let value = last.filter { $0 != "'" }
        return value.isEmpty ? nil : value
    }

    /// Of an answer that are looked at.
    private static let mostBytes = 4096
}
