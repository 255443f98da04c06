// Stage 1, event -> report: a failure of fail2ban-client as part of a sentence for the operator.

import Daemon

extension ClientFailure {
    /// In words for the operator.
    var words: String {
        switch self {
        case .down: "fail2ban is not running"
        case .lost: "fail2ban went away"
        case .permission(let words): "\(words): run fail2ban-monitor as root"
        case .unknownJail: "no such jail"
        case .refused(let words): "fail2ban refused: \(words)"
        case .ended(let words): "fail2banclient does not work: \(words)"
        case .silent: "fail2ban gives no answer"
        case .unclear(let words): "fail2ban-client printed what is not understood: \(words)"
        }
    }
}
