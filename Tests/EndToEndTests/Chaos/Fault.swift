// Fault test: what can go wrong in a cluster, or be done to it, and for how long.

/// A kind of fault. The name is the one of `CHAOS_FAULTS`.
enum FaultKind: String, CaseIterable, Sendable {
    /// SIGKILL, and a start after the fault's time.
    case killMonitor, killPublisher, killSubscriber, killFail2ban
    /// The daemon's own `restart`.
    case restartMonitor, restartPublisher, restartSubscriber
    /// `fail2ban-client restart` and `reload`.
    case restartFail2ban, reloadFail2ban
    /// `fail2ban-client stop JAIL`, of a detecting jail and of the cluster's, and back by `reload`.
    case stopJail, stopClusterJail
    /// `fail2ban-client unban --all` on one host.
    case unbanAll
    /// The host's cable is out.
    case cutLink
    /// A part of the packets that arrive at a host is dropped.
    case loss
    /// What a host and the publisher send one another is held back.
    case delay
    /// fail2ban.log is renamed, and fail2ban told so; renamed and compressed at once; copied and truncated.
    case rotateByRename, rotateCompressed, rotateByCopy
    /// No byte is left where the publisher's journal is.
    case fullDisk
    /// The journal is what a backup of some time ago has.
    case restoreBackup
    /// The wall clock of one process is wrong for a while. Its monotonic clock is not.
    case stepMonitorClock, stepPublisherClock, stepSubscriberClock

    /// How often it is chosen, beside the others.
    var weight: Int {
        switch self {
        case .killMonitor, .killPublisher, .killSubscriber, .killFail2ban: 4
        case .cutLink, .loss, .delay: 3
        case .unbanAll, .restoreBackup: 1
        default: 2
        }
    }

    /// How long it lasts, in milliseconds. What is done at once has no time.
    var lengths: ClosedRange<Int> {
        switch self {
        case .killMonitor, .killPublisher, .killSubscriber: 0...3000
        case .killFail2ban: 0...2000
        case .stopJail, .stopClusterJail: 500...2500
        case .cutLink: 1000...8000
        case .loss, .delay: 2000...8000
        case .fullDisk: 1000...5000
        case .restoreBackup: 2000...6000
        case .stepMonitorClock, .stepPublisherClock, .stepSubscriberClock: 2000...6000
        default: 0...0
        }
    }

    /// Whether it is the publisher that it happens to, and not one of the hosts.
    var isOfPublisher: Bool {
        switch self {
        case .killPublisher, .restartPublisher, .fullDisk, .restoreBackup, .stepPublisherClock: true
        default: false
        }
    }

    /// Whether only a host that isn't the publisher's can have it.
    var needsDistance: Bool {
        switch self {
        case .delay: true
        default: false
        }
    }
}

/// One fault of a run. All of it follows from the seed.
struct Fault: Equatable, Sendable, CustomStringConvertible {
    var kind: FaultKind
    /// The host it happens to; 1 is the publisher's.
    var host: Int
    /// Milliseconds since the fault before it.
    var pause: Int
    /// Milliseconds from its beginning to its end.
    var length: Int
    /// 0 to 999: how bad it is.
    var size: Int

    var description: String { "\(kind.rawValue) web\(host) \(length) ms, size \(size)" }
}

extension Fault {
    /// The parts of the cluster that nothing else may change meanwhile.
    var parts: Set<Part> {
        switch kind {
        case .killMonitor, .restartMonitor, .stepMonitorClock: [.monitor(host)]
        case .killPublisher, .restartPublisher, .stepPublisherClock: [.publisher]
        case .restoreBackup: [.publisher, .disk]
        case .killSubscriber, .restartSubscriber, .stepSubscriberClock: [.subscriber(host)]
        // Orders go on while fail2ban is killed.
        case .killFail2ban: [.fail2ban(host)]
        case .restartFail2ban, .reloadFail2ban, .stopJail, .stopClusterJail, .unbanAll: [.fail2ban(host), .orders(host)]
        // What fail2ban writes between the copy and the truncation is lost for everyone.
        case .rotateByCopy: [.fail2ban(host), .orders(host)]
        case .rotateByRename, .rotateCompressed: [.fail2ban(host)]
        case .cutLink, .loss: [.link(host)]
        case .delay: [.relay(host)]
        case .fullDisk: [.disk]
        }
    }

    /// Seconds by which a clock is wrong: 5 to 24, ahead or behind.
    var clockStep: Int { (5 + size / 50) * (size.isMultiple(of: 2) ? 1 : -1) }
    /// Per cent of the packets that are lost: 5 to 34.
    var lossPercentage: Int { 5 + size % 30 }
    /// Milliseconds for which bytes are held back: 50 to 1,048.
    var delay: Int { 50 + size }
}
