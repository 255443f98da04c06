// Stage 3, enforcement: what the dialogue with fail2ban does next, and what of it the operator may want to know.

import Daemon
import Wire

extension ClientDialogue {
    enum Step: Hashable, Sendable {
        case tell(ClientCommand)
        /// Nothing to say until then, or until a change arrives when it is `nil`.
        case wait(until: ContinuousClock.Instant?)
    }

    enum Notice: Hashable, Sendable {
        /// The jail was listed for the first time after a start or a failure.
        case connected(ClientVersion, banned: Int)
        case told(ClientCommand, count: Int, took: Duration)
        /// Once when a failure begins, and once more, as `persistent`, when it lasts.
        case failing(ClientFailure, persistent: Bool)
        /// The jail bans these prefixes, but the sets of its nftables actions cannot hold them.
        case unenforced([Address], actions: String, ClientVersion)
        /// fail2ban does not take this address; it is tried again with a later comparison, and when it is announced again.
        case rejected(Address, reason: String)
    }
}
