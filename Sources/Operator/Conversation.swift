// The operator's command: one request after the other to the publisher, with this host's key.

import Daemon
import Wire
import ZeroMQ

/// Asks the publisher and waits for its answer, for a program that does nothing else meanwhile.
struct Conversation: ~Copyable {
    /// How long the publisher may take in all, retries included.
    static let patience: Duration = .seconds(10)

    private var client: RequestClient
    let search: PublisherSearch

    /// Prepares a connection to the endpoints that the configuration names; nothing is sent yet.
    ///
    /// - Parameter keys: others than this host has.
    init(_ configuration: Configuration, keys: ClientKeys? = nil) throws {
        let endpoints = Conversation.endpoints(of: configuration)
        guard !endpoints.isEmpty else {
            throw ServiceError(
                "\(configuration.path) does not say where the publisher is", hint: "set zmqreplyserver in [monitor] or [subscriber]",
                exitStatus: .configuration)
        }
        let keys = try keys ?? KeyDirectory(configuration.general.keyDirectory).clientKeys()
        let context = try Context()
        client = RequestClient(in: context, endpoints: endpoints) { keys }
        search = PublisherSearch(context: context, endpoints: endpoints, keys: keys, configuration: configuration)
    }

    /// Where this host's daemons send requests; on the publisher's own host its endpoint on loopback will do.
    private static func endpoints(of configuration: Configuration) -> [String] {
        let servers = configuration.monitor?.replyServers ?? configuration.subscriber?.replyServers ?? []
        if servers.isEmpty, let bind = configuration.publisher?.replyBind, let endpoint = bind.reachable { return [endpoint.description] }
        return servers.map(\.description)
    }

    /// Sends a request and returns the answer.
    ///
    /// - Throws: ``Daemon/ServiceError`` when no answer comes in time, or a NAK comes.
    mutating func ask(_ request: @escaping () -> Message) throws -> Message {
        let deadline = ContinuousClock.now + Conversation.patience
        try client.send(now: .now) { request().frames }
        var last: RequestRefusal?
        while let answer = try nextAnswer(by: deadline) {
            guard let refusal = RequestRefusal(answer) else { return answer }
            last = refusal
            guard refusal.code == .busy || refusal.code == .storage || refusal.code == .standby else {
                throw ServiceError("the publisher refused: \(refusal.reason)", hint: Conversation.hint(for: refusal.code))
            }
            client.retryLater(now: .now, onNextEndpoint: refusal.code == .standby)
        }
        client.cancel()
        throw try last.map(Conversation.error) ?? search.error(after: Conversation.patience)
    }

    /// Whether the publisher, or one that stands by, admits these keys and proves to have its own: nobody else gets any answer.
    mutating func isAdmitted() throws -> Bool {
        let deadline = ContinuousClock.now + Conversation.patience
        try client.send(now: .now) { Message(.query, ["what": "bans"]).frames }
        return try nextAnswer(by: deadline) != nil
    }

    /// - Returns: `nil` when none has come by the deadline.
    private mutating func nextAnswer(by deadline: ContinuousClock.Instant) throws -> Message? {
        var polled = PollSet()
        var progress = Progress()
        defer { progress.end() }
        while ContinuousClock.now < deadline {
            if let delivery = try client.advance(now: .now) { return try Message(frames: delivery.frames) }
            progress.tell("waiting for the publisher at \(search.endpoints.joined(separator: ", "))")
            polled.removeAll()
            client.add(to: &polled)
            let next = min(client.deadline ?? deadline, deadline)
            try polled.wait(until: progress.due.map { min($0, next) } ?? next)
        }
        return nil
    }

    /// Of a publisher that asked to wait until there was no time left.
    private static func error(_ refusal: RequestRefusal) -> ServiceError {
        switch refusal.code {
        case .standby: ServiceError("no publisher is active: \(refusal.reason)", hint: "on one that stands by: fail2ban-publisher promote")
        case .storage: ServiceError("the publisher can't work: \(refusal.reason)", hint: "see its disk and its log")
        default: ServiceError("the publisher is busy: \(refusal.reason)", hint: "try again")
        }
    }

    private static func hint(for code: RefusalCode) -> String? {
        switch code {
        case .role: "on the publisher: fail2ban-cluster authorize HOST KEY --roles monitor,subscriber,operator"
        case .host: "on the publisher: fail2ban-cluster authorize, with what fail2ban-cluster keygen prints here"
        case .version, .verb: "the publisher has another version than this program"
        default: nil
        }
    }
}

extension Endpoint {
    /// Where a client on the same host reaches what is bound here; `nil` when the system chose the port.
    var reachable: Endpoint? {
        guard let host else { return self }
        guard let port else { return nil }
        return host == "*" ? Endpoint(connect: "tcp://127.0.0.1:\(port)") : self
    }
}
