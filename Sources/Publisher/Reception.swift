// Stage 2, report -> admission -> journal -> broadcast: who may ask what, and the answer to each request.

import Daemon
import Wire

/// Takes the requests of the cluster's hosts into the ledger and says what to answer once it is on disk. A value without socket or clock.
struct Reception {
    /// The keys that may connect, and what each may do.
    var hosts: AuthorizedHosts

    /// What becomes of a request.
    enum Outcome {
        /// The answer, once what the request changed is on disk.
        case answer(Message)
        /// A subscriber that missed something, whom the journal can tell.
        case sync(SyncRequest)
        /// How a host's daemon is doing.
        case state(DaemonState, from: Hostname)
        /// A `QUERY`, which anybody may ask.
        case question(Message)
    }

    /// Takes a request.
    ///
    /// - Parameters:
    ///   - frames: the request without its envelope.
    ///   - sender: the host that the connection's key belongs to; `nil` when it belongs to none, which only a key that was removed
    ///     from `authorized_hosts` after it connected can show.
    func take(_ frames: [[UInt8]], from sender: Hostname?, ledger: inout Ledger, term: Term, now: Timestamp) -> Outcome {
        do throws(RequestRefusal) {
            let request = try parse { () throws(MessageError) in try Message(frames: frames) }
            guard let sender, let roles = hosts.roles(of: sender) else {
                throw RequestRefusal(.host, "this key is not in authorized_hosts any more")
            }
            switch request.verb {
            case .report:
                try require(.monitor, of: roles, sender: sender)
                let report = try parse { () throws(MessageError) in try Report(request) }
                try ledger.checkLoad(report, from: sender, now: now)
                return .answer(ledger.take(report, from: sender, term: term, now: now).message)
            case .order:
                try require(.operator, of: roles, sender: sender)
                let order = try parse { () throws(MessageError) in try Order(request) }
                if let refusal = ledger.take(order, from: sender, now: now) { throw RequestRefusal(.malformed, refusal.reason) }
                return .answer(Message(.acknowledged, ["term": term.description, "number": String(ledger.nextNumber - 1)]))
            case .sync:
                guard !roles.isDisjoint(with: [.subscriber, .operator]) else {
                    throw RequestRefusal(.role, "\(sender) has neither the role subscriber nor operator")
                }
                return .sync(try parse { () throws(MessageError) in try SyncRequest(request) })
            case .holds:
                try require(.monitor, of: roles, sender: sender)
                let page = try parse { () throws(MessageError) in try HoldsPage(request) }
                return .answer(try ledger.take(page, from: sender, term: term, now: now).message)
            case .state:
                let state = try parse { () throws(MessageError) in try DaemonState(request) }
                try require(state.component.role, of: roles, sender: sender)
                return .state(state, from: sender)
            case .query: return .question(request)
            default:
                throw RequestRefusal(.verb, "\(request.verb.rawValue) is not a request that this publisher knows")
            }
        } catch {
            return .answer(error.message(term: term))
        }
    }

    private func require(_ role: AuthorizedHosts.Role, of roles: Set<AuthorizedHosts.Role>, sender: Hostname) throws(RequestRefusal) {
        guard roles.contains(role) else { throw RequestRefusal(.role, "\(sender) has not the role \(role.rawValue)") }
    }

    private func parse<T>(_ work: () throws(MessageError) -> T) throws(RequestRefusal) -> T {
        do {
            return try work()
        } catch {
            throw RequestRefusal(error.code, "\(error)")
        }
    }
}

extension DaemonState.Component {
    /// What a host's key must be allowed to, so that it may speak for the daemon.
    fileprivate var role: AuthorizedHosts.Role {
        switch self {
        case .monitor: .monitor
        case .subscriber: .subscriber
        }
    }
}
