// What the daemons share: a failure of fail2ban-client as a sentence for the operator, with its remedy.

public import Wire

extension ClientFailure {
    /// What happened, and what to do about it; the remedy is `nil` where waiting is all.
    public func explanation(jail: Jail, program: String) -> (what: String, remedy: String?) {
        switch self {
        case .down: ("fail2ban is not running", "start it: systemctl start fail2ban")
        case .lost: ("fail2ban went away during a command", nil)
        case .permission(let words):
            ("fail2ban's socket may not be used: \(words)", "run fail2ban-subscriber as root, or name a command that may in fail2banclient")
        case .unknownJail:
            (
                "fail2ban has no jail '\(jail)'",
                jail == .cluster
                    ? "copy conf/fail2ban (jail.d, filter.d, action.d) to /etc/fail2ban, "
                        + "and run: fail2ban-client reload"
                    : "name one that it has as jail in [subscriber]; fail2ban-client status lists them"
            )
        case .refused(let words): ("fail2ban refused: \(words)", nil)
        case .ended(let words):
            ("'\(program) -i' does not work: \(words)", "run it by hand; fail2banclient in [general] is its command, with its arguments")
        case .silent: ("fail2ban gives no answer", "see whether it is stuck: fail2ban-client ping 5")
        case .unclear(let words): ("'\(program)' printed what is not understood: \(words)", nil)
        }
    }

    /// Whether it needs a person from its first time on.
    public var needsPerson: Bool { if case .permission = self { true } else { false } }

    /// Whether it is about fail2ban itself, whatever was asked.
    public var isOfTheServer: Bool {
        switch self {
        case .down, .lost, .permission, .ended, .silent: true
        case .unknownJail, .refused, .unclear: false
        }
    }

    /// Whether what was asked for may have been done all the same, now or later.
    public var mayBeDone: Bool {
        switch self {
        case .down, .permission, .unknownJail: false
        case .lost, .refused, .ended, .silent, .unclear: true
        }
    }

    /// Whether it is the same failure, whatever words came with it.
    public func isAlike(_ other: ClientFailure) -> Bool {
        switch (self, other) {
        case (.down, .down), (.lost, .lost), (.permission, .permission), (.unknownJail, .unknownJail), (.refused, .refused),
            (.ended, .ended),
            (.silent, .silent), (.unclear, .unclear):
            true
        default: false
        }
    }
}
