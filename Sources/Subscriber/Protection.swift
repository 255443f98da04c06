// Stage 3, the wanted set: what this host never bans, kept true while addresses and names change.

import Daemon
import Logging
import Wire
import ZeroMQ

/// This host's own rules: its ignoreip, its addresses and gateways, the publishers' addresses, and those that root is logged in from.
///
/// fail2ban itself does not look at ignoreip when it is told to ban (facts: banip bypasses it), so that this is the last door.
final class Protection {
    /// How often the host's own addresses are looked up again, which takes some 0.1 ms. They change by DHCP and by IPv6's temporary
    /// addresses.
    static let interval: Duration = .seconds(60)
    /// How old the list of root's logins may be when a ban comes: looking them up takes some milliseconds.
    static let loginsAge: Duration = .seconds(1)
    /// How often it is looked whether root is still logged in, while it is.
    static let loginsInterval: Duration = .seconds(10)
    /// How long a start waits for names: a ban could come before the name server's answer.
    static let firstNames: Duration = .seconds(2)

    private(set) var rules: NeverBan
    private let names: NameResolution
    private let log: Logger
    private(set) var deadline: ContinuousClock.Instant
    private var hasNames = false
    /// Whether root's logins are protected, and when they are looked up again.
    private var protectsLogins: Bool
    private var nextLogins: ContinuousClock.Instant
    private var hasNewLogins = false
    private var unresolved: Set<Hostname> = []

    /// Looks everything up. Names that cannot be resolved within two seconds are taken over when they are.
    ///
    /// - Throws: When the host's own addresses cannot be read: a host that may ban itself must not start.
    init(_ settings: SubscriberSettings, now: ContinuousClock.Instant, log: Logger) throws(SystemError) {
        rules = NeverBan(ignoreip: settings.ignoreip, minPrefix4: settings.minPrefix4, minPrefix6: settings.minPrefix6)
        names = try NameResolution()
        self.log = log
        deadline = now + Protection.interval
        protectsLogins = settings.protectLogins
        nextLogins = now
        rules.protect(Protection.hosts(settings), as: .publisher)
        try readHost()
        try names.resolve(rules.names)
        hasNames = !rules.names.isEmpty
        if hasNames, names.awaitOutcomes(upTo: Protection.firstNames) { _ = takeNames() }
    }

    /// The rule that forbids to ban an address, as a sentence.
    func refusal(for address: Address) -> String? {
        let now = ContinuousClock.now
        if protectsLogins, now >= nextLogins {
            readLogins(now)
            // Who logs in at this moment shows at the next look.
            deadline = min(deadline, now + Protection.loginsAge)
        }
        return rules.refusal(for: address)?.text
    }

    func add(to polled: inout PollSet) { polled.add(descriptor: names.descriptor) }

    /// Takes what changed.
    ///
    /// - Returns: Whether another set of addresses is protected now, so that the wanted set must be reviewed.
    func advance(now: ContinuousClock.Instant) -> Bool {
        defer { hasNewLogins = false }
        guard hasNames || now >= deadline else { return hasNewLogins }
        let before = rules
        let hasNews = takeNames()
        guard now >= deadline else { return hasNewLogins || (hasNews && rules != before) }
        deadline = now + Protection.interval
        do throws(SystemError) {
            try readHost()
        } catch {
            log.error("this host's addresses stay as they were: \(error)")
        }
        readLogins(now)
        return hasNewLogins || rules != before
    }

    /// Takes over a configuration read again.
    ///
    /// - Returns: As ``advance(now:)``.
    func reload(_ settings: SubscriberSettings, now: ContinuousClock.Instant) throws(SystemError) -> Bool {
        let before = rules
        var next = rules
        next.reconfigure(ignoreip: settings.ignoreip, minPrefix4: settings.minPrefix4, minPrefix6: settings.minPrefix6)
        try names.resolve(next.names)
        protectsLogins = settings.protectLogins
        if !protectsLogins { next.protect([IgnoreRule](), as: .rootLogin) }
        rules = next
        hasNames = !next.names.isEmpty
        deadline = now
        return rules != before
    }

    private func takeNames() -> Bool {
        let outcomes = names.take()
        for outcome in outcomes {
            rules.resolve(outcome.name, to: outcome.addresses)
            if let failure = outcome.failure {
                // Once when it begins: it is tried every 30 s.
                if unresolved.insert(outcome.name).inserted {
                    log.warning("\(outcome.name) in ignoreip or zmqpublisherurl has no address: \(failure)")
                }
            } else {
                unresolved.remove(outcome.name)
            }
        }
        return !outcomes.isEmpty
    }

    /// Looks up from where root is logged in, if that was not done a moment ago.
    private func readLogins(_ now: ContinuousClock.Instant) {
        guard protectsLogins, now >= nextLogins else { return }
        nextLogins = now + Protection.loginsAge
        guard let logins = try? RootLogins.addresses() else { return }
        let before = rules
        rules.protect(logins.sorted(), as: .rootLogin)
        if rules != before { hasNewLogins = true }
        if !logins.isEmpty { deadline = min(deadline, now + Protection.loginsInterval) }
    }

    private func readHost() throws(SystemError) {
        let own = try HostAddresses.own()
        let gateways = try Gateways.all()
        rules.protect(own.sorted(), as: .ownAddress)
        rules.protect(gateways.sorted(), as: .gateway)
    }

    /// Who sends the broadcasts: a host that bans its publisher cuts itself off.
    private static func hosts(_ settings: SubscriberSettings) -> [IgnoreRule] {
        (settings.publishers + settings.replyServers).compactMap(\.protectedHost)
    }
}
