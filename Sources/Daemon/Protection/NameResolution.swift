// What the daemons share: names of ignoreip and of publishers turned into addresses, on a thread of their own, since a name server may
// hang.

import Glibc
public import Wire

/// Resolves names beside a loop: when it is told them, and again at an interval. The loop polls ``descriptor`` and takes what came.
///
/// The thread starts with the first name. It is never waited for: getaddrinfo(3) cannot be interrupted.
public final class NameResolution: Sendable {
    /// What became of one name.
    public struct Outcome: Hashable, Sendable {
        public let name: Hostname
        /// Sorted, each once; empty when it could not be resolved.
        public let addresses: [Address]
        /// Why it could not be resolved: the words of getaddrinfo(3).
        public let failure: String?

        public init(name: Hostname, addresses: [Address], failure: String? = nil) {
            self.name = name
            self.addresses = addresses
            self.failure = failure
        }
    }

    private let worker: Worker

    /// - Parameters:
    ///   - interval: how long an answer is good for; getaddrinfo(3) does not tell what the name server says of that.
    ///   - retry: when to try again after a name could not be resolved.
    public convenience init(interval: Duration = .seconds(300), retry: Duration = .seconds(30)) throws(SystemError) {
        try self.init(interval: interval, retry: retry, resolver: NameResolution.system)
    }

    init(interval: Duration, retry: Duration, resolver: @escaping @Sendable (Hostname) -> Outcome) throws(SystemError) {
        worker = Worker(interval: interval, retry: retry, resolver: resolver, toThread: try WakeUp(), toLoop: try WakeUp())
    }

    deinit { worker.stop() }

    /// Readable when outcomes wait.
    public var descriptor: Int32 { worker.toLoop.descriptor }

    /// Resolves these names, now and at the interval, and no longer those of an earlier call.
    ///
    /// - Throws: when the thread cannot be started.
    public func resolve(_ names: Set<Hostname>) throws(SystemError) { try worker.resolve(names) }

    /// What came since the last call, one outcome a name.
    public func take() -> [Outcome] { worker.take() }

    /// Waits for the first outcomes, so that a daemon starts with its names known: a ban could come first otherwise.
    ///
    /// - Returns: whether all names were looked up within `limit`. Take what came; the others come later.
    public func awaitOutcomes(upTo limit: Duration) -> Bool {
        guard worker.hasNames else { return true }
        var waited = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        return awaitReadable(&waited, until: .now + limit)
    }

    /// Asks the system, which asks /etc/hosts and the name servers.
    private static func system(_ name: Hostname) -> Outcome {
        var hints = addrinfo()
        // One answer per address, and not one per kind of socket.
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name.description, nil, &hints, &first)
        guard code == 0 else { return Outcome(name: name, addresses: [], failure: String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(first) }
        var addresses: Set<Address> = []
        var next = first
        while let entry = next {
            if let raw = entry.pointee.ai_addr, let address = Address(raw) { addresses.insert(address) }
            next = entry.pointee.ai_next
        }
        return Outcome(name: name, addresses: addresses.sorted(), failure: addresses.isEmpty ? "it has no addresses" : nil)
    }
}

/// What the thread and the loop share. It outlives the resolution while a name server hangs.
private final class Worker: Sendable {
    private struct State {
        var names: [Hostname] = []
        /// Tells one set of names from the next.
        var round = 0
        var outcomes: [Hostname: NameResolution.Outcome] = [:]
        var isRunning = false
        var isStopped = false
    }

    let toLoop: WakeUp
    private let toThread: WakeUp
    private let interval: Duration
    private let retry: Duration
    private let resolver: @Sendable (Hostname) -> NameResolution.Outcome
    private let state = Guarded(State())

    init(
        interval: Duration, retry: Duration, resolver: @escaping @Sendable (Hostname) -> NameResolution.Outcome, toThread: WakeUp,
        toLoop: WakeUp
    ) {
        self.interval = interval
        self.retry = retry
        self.resolver = resolver
        self.toThread = toThread
        self.toLoop = toLoop
    }

    func resolve(_ names: Set<Hostname>) throws(SystemError) {
        let mustStart = state.withLock { state in
            state.names = names.sorted()
            state.round += 1
            state.outcomes = state.outcomes.filter { names.contains($0.key) }
            defer { if !names.isEmpty { state.isRunning = true } }
            return !state.isRunning && !names.isEmpty
        }
        toThread.signal()
        if mustStart { try startThread { self.run() } }
    }

    var hasNames: Bool { state.withLock { !$0.names.isEmpty } }

    func take() -> [NameResolution.Outcome] {
        toLoop.clear()
        return state.withLock { state in
            defer { state.outcomes = [:] }
            return state.outcomes.values.sorted { $0.name < $1.name }
        }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        toThread.signal()
    }

    private func run() {
        while true {
            toThread.clear()
            let (names, round, isStopped) = state.withLock { ($0.names, $0.round, $0.isStopped) }
            if isStopped { return }
            let failed = lookUp(names, round)
            // Until new names come, or it is time again. Without names only the first ends it.
            var waited = [pollfd(fd: toThread.descriptor, events: Int16(POLLIN), revents: 0)]
            _ = awaitReadable(&waited, until: .now + (names.isEmpty ? .seconds(1_000_000_000) : failed ? retry : interval))
        }
    }

    /// - Returns: whether a name could not be resolved.
    private func lookUp(_ names: [Hostname], _ round: Int) -> Bool {
        var failed = false
        for name in names {
            let outcome = resolver(name)
            failed = failed || outcome.failure != nil
            let isCurrent = state.withLock { state in
                guard state.round == round, !state.isStopped else { return false }
                state.outcomes[name] = outcome
                return true
            }
            // Other names wait already.
            guard isCurrent else { return false }
        }
        if !names.isEmpty { toLoop.signal() }
        return failed
    }
}
