// The operator's command: why no publisher gives an answer, as far as a connection to each of them shows it.

import Daemon
import Wire
import ZeroMQ

/// Where the publishers should be, and the keys that a conversation with them needs.
struct PublisherSearch {
    /// For all connections together, one after the other. A publisher lets go of a key that it doesn't admit after 5 s.
    static let limit: Duration = .seconds(2)
    /// How often in a row it takes to believe that a server does not have the key. Each takes some milliseconds.
    private static let hangUps = 3

    var context: Context
    var endpoints: [String]
    var keys: ClientKeys
    var configuration: Configuration

    /// Tries to connect to each, and says what came of it.
    ///
    /// - Parameter patience: how long an answer was waited for.
    func error(after patience: Duration) throws -> ServiceError {
        let findings = try endpoints.map { endpoint in
            let reach = try reach(endpoint, as: .dealer, within: PublisherSearch.limit / endpoints.count)
            return finding(endpoint, reach, keys: ("zmqreplyserver", "replybindurl"))
        }
        return ServiceError(
            "no answer from the publisher within \(patience.components.seconds) s: \(findings.map(\.text).joined(separator: "; "))",
            hint: findings.first?.remedy)
    }

    /// Tries to connect to where announcements are broadcast.
    ///
    /// - Returns: what keeps them from coming; `nil` when a publisher lets this host listen.
    func broadcastFinding(at endpoints: [String]) throws -> Finding? {
        var findings: [(text: String, remedy: String)] = []
        for endpoint in endpoints {
            let reach = try reach(endpoint, as: .subscriber, within: PublisherSearch.limit / endpoints.count)
            if reach == .tried(.admitted) { return nil }
            findings.append(finding(endpoint, reach, keys: ("zmqpublisherurl", "broadcasterbindurl")))
        }
        return findings.first.map { first in
            Finding(.problem, "no broadcasts can come: \(findings.map(\.text).joined(separator: "; "))", hint: first.remedy)
        }
    }

    /// How far a connection got.
    private enum Reach: Equatable {
        case tried(ConnectionTrial.Outcome)
        /// It was accepted, and then nothing came.
        case unanswered
        /// It was not even refused.
        case unreachable
    }

    private func reach(_ endpoint: String, as kind: Socket.Kind, within limit: Duration) throws -> Reach {
        var reach = Reach.unreachable
        // A server that has another key hangs up each time; one that is just binding its endpoints anew, or is so busy that its refusal
        // comes late, may do so once.
        for _ in 0..<PublisherSearch.hangUps {
            reach = try tryOnce(endpoint, as: kind, by: ContinuousClock.now + limit)
            guard reach == .tried(.otherServer) else { break }
        }
        return reach
    }

    private func tryOnce(_ endpoint: String, as kind: Socket.Kind, by deadline: ContinuousClock.Instant) throws -> Reach {
        var trial = try ConnectionTrial(of: endpoint, as: kind, keys.choice(keeping: nil), in: context)
        var polled = PollSet()
        while ContinuousClock.now < deadline {
            if let outcome = try trial.outcome() { return .tried(outcome) }
            polled.removeAll()
            trial.add(to: &polled)
            try polled.wait(until: deadline)
        }
        return trial.isConnected ? .unanswered : .unreachable
    }

    /// What that means, and what helps.
    ///
    /// - Parameter keys: of the configuration: where this host connects to, and what that is to name.
    private func finding(_ endpoint: String, _ reach: Reach, keys names: (here: String, there: String)) -> (text: String, remedy: String) {
        switch reach {
        case .tried(.admitted): ("the one at \(endpoint) admits this host, and doesn't answer", "see its log")
        case .tried(.otherServer):
            (
                "what listens at \(endpoint) does not have the key in \(configuration.general.keyDirectory)/publisher.pub",
                "see that this is the publisher's \(names.there), and copy publisher.pub from its host again"
            )
        case .tried(.notListening):
            (
                "nothing listens at \(endpoint)",
                "see that fail2ban-publisher runs there, and that \(names.here) names its \(names.there)"
            )
        case .unanswered:
            (
                "the one at \(endpoint) doesn't let this host in",
                "unless it is overloaded, this host's key is not authorised there: "
                    + authorizeCommand(configuration.general.hostname, keys.choice(keeping: nil).own.publicKey)
            )
        case .unreachable:
            ("\(endpoint) can't be reached", "see that its host is up, and that no firewall in between blocks the port")
        }
    }
}
