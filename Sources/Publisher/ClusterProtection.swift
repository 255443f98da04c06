// Stage 2, report -> admission -> journal -> broadcast: what no host can make the cluster ban, kept true while names, hosts and addresses
// change.

import Daemon
import Logging
import Wire
import ZeroMQ

/// The publisher's rules: its ignoreip, its own addresses, those in `authorized_hosts`, and those that the hosts connected from.
final class ClusterProtection {
    /// How often this host's own addresses are looked up again.
    static let interval: Duration = .seconds(60)

    private(set) var rules: NeverBan
    private var peers: PeerAddresses
    /// The addresses that `authorized_hosts` names.
    private var authorised: [Address] = []
    private let file: StateFile
    private let names: NameResolution
    private let log: Logger
    private var nextLook: ContinuousClock.Instant
    private var isNew = true
    private var writeTroubles = RateLimit(interval: .seconds(60))

    /// Looks everything up. Nobody is admitted before the names in `ignoreip` are known, unless they can't be resolved within 5 s.
    ///
    /// - Parameter stateDirectory: where the file `peers` keeps what hosts connected from.
    /// - Throws: when this host's own addresses, or the file, can't be read.
    init(_ settings: PublisherSettings, hosts: AuthorizedHosts, stateDirectory: String, log: Logger) throws {
        file = StateFile(path: stateDirectory + "/peers")
        peers = PeerAddresses(text: try file.read() ?? "")
        rules = NeverBan(ignoreip: settings.ignoreip, minPrefix4: settings.minPrefix4, minPrefix6: settings.minPrefix6)
        names = try NameResolution()
        self.log = log
        nextLook = .now + ClusterProtection.interval
        try names.resolve(rules.names)
        rules.protect(try HostAddresses.own().sorted(), as: .publisher)
        take(hosts)
        if !names.awaitOutcomes(upTo: .seconds(5)) { log.warning("not all names in ignoreip are resolved yet") }
        takeNames()
    }

    func add(to polled: inout PollSet) { polled.add(descriptor: names.descriptor) }

    /// The rules, if they changed since this was last asked, or at first. To be called in every turn of the loop.
    func news(now: ContinuousClock.Instant) -> NeverBan? {
        takeNames()
        if now >= nextLook {
            nextLook = now + ClusterProtection.interval
            do throws(SystemError) {
                var next = rules
                next.protect(try HostAddresses.own().sorted(), as: .publisher)
                replace(next)
            } catch {
                log.error("this host's addresses stay as they were: \(error)")
            }
        }
        defer { isNew = false }
        return isNew ? rules : nil
    }

    /// Takes over a configuration read again.
    func reload(_ settings: PublisherSettings) throws(SystemError) {
        try names.resolve(NeverBan(ignoreip: settings.ignoreip).names)
        var next = rules
        next.reconfigure(ignoreip: settings.ignoreip, minPrefix4: settings.minPrefix4, minPrefix6: settings.minPrefix6)
        replace(next)
    }

    /// Takes over who belongs to the cluster now.
    func take(_ hosts: AuthorizedHosts) {
        authorised = hosts.hosts.flatMap(\.addresses)
        if peers.keep({ hosts.roles(of: $0) != nil }) { write() }
        protectPeers()
    }

    /// Authorised hosts have connected from there.
    func note(_ connected: [(host: Hostname, address: Address)]) {
        var isChange = false
        for (host, address) in connected where peers.note(host, at: address) { isChange = true }
        guard isChange else { return }
        write()
        protectPeers()
    }

    private func protectPeers() {
        var next = rules
        next.protect(Set(authorised + peers.all).sorted(), as: .peer)
        replace(next)
    }

    private func takeNames() {
        var next = rules
        for outcome in names.take() {
            if let failure = outcome.failure {
                log.warning("ignoreip: \(outcome.name) is not resolved: \(failure); its last known addresses stay protected")
            } else {
                next.resolve(outcome.name, to: outcome.addresses)
            }
        }
        replace(next)
    }

    private func replace(_ next: NeverBan) {
        guard next != rules else { return }
        rules = next
        isNew = true
    }

    private func write() {
        do throws(SystemError) {
            try file.replace(peers.text)
        } catch {
            if let note = writeTroubles.heldBackNote(at: .now) { log.error("hosts' addresses are not kept: \(error)\(note)") }
        }
    }
}
