// The operator's command: why no publisher gives an answer, as far as a connection to each of them shows it.

import Daemon
import Wire
import ZeroMQ

/// Where the publishers should be, and the keys that a conversation with them needs.
struct PublisherSearch {
    /// For all connections together, one after the other. A publisher lets go of a key that it doesn't admit after 5 s.
    static let limit: Duration = .seconds(2)

    var context: Context
    var endpoints: [String]
    var keys: ClientKeys
    var configuration: Configuration

    /// Tries to connect to each, and says what came of it.
    ///
    /// - Parameter patience: how long an answer was waited for.
    func error(after patience: Duration) throws -> ServiceError {
        let findings = try endpoints.map { try look(at: $0, within: PublisherSearch.limit / endpoints.count) }
        return ServiceError(
            "no answer from the publisher within \(patience.components.seconds) s: \(findings.map(\.text).joined(separator: "; "))",
            hint: findings.first?.remedy)
    }

    private func look(at endpoint: String, within limit: Duration) throws -> (text: String, remedy: String) {
        let deadline = ContinuousClock.now + limit
        var trial = try ConnectionTrial(of: endpoint, keys.choice(keeping: nil), in: context)
        var polled = PollSet()
        while ContinuousClock.now < deadline {
            if let outcome = try trial.outcome() { return finding(endpoint, outcome) }
            polled.removeAll()
            trial.add(to: &polled)
            try polled.wait(until: deadline)
        }
        guard trial.isConnected else {
            return ("\(endpoint) can't be reached", "see that its host is up, and that no firewall in between blocks the port")
        }
        return (
            "the one at \(endpoint) doesn't let this host in",
            "unless it is overloaded, this host's key is not authorised there: "
                + authorizeCommand(configuration.general.hostname, keys.choice(keeping: nil).own.publicKey)
        )
    }

    /// What an outcome means, and what helps.
    private func finding(_ endpoint: String, _ outcome: ConnectionTrial.Outcome) -> (text: String, remedy: String) {
        switch outcome {
        case .admitted: ("the one at \(endpoint) admits this host, and doesn't answer", "see its log")
        case .otherServer:
            (
                "what listens at \(endpoint) does not have the key in \(configuration.general.keyDirectory)/publisher.pub",
                "see that this is the publisher's replybindurl, and copy publisher.pub from its host again"
            )
        case .notListening:
            (
                "nothing listens at \(endpoint)",
                "see that fail2ban-publisher runs there, and that zmqreplyserver names its replybindurl"
            )
        }
    }
}
