// Stage 3, enforcement: decides what fail2ban-client is told next, so that fail2ban bans what is wanted, through failures and restarts.

import Daemon
import Wire

/// What is said to one jail of a fail2ban server: one command at a time, bans before unbans, nothing twice.
///
/// It knows what the jail bans from the list that it asks for when it connects and from its own commands since. fail2ban may restart at
/// any time and then restores its bans one by one, those too that were lifted meanwhile; so after each return, and whenever fewer bans were
/// lifted than should have been there, it lists again every 5 s until two lists in a row agree with what is wanted.
///
/// What the jail bans and the cluster doesn't is lifted once the wanted set is complete; until then it is left alone.
///
/// The jail's own limit would end a ban that the cluster still wants. So each list shows what is left of it there, and what is below half
/// of the limit is banned once more; lists come often enough for that.
struct ClientDialogue: Sendable {
    /// Between two lists after fail2ban came back: enough for it to restore some bans, and soon enough to be right within seconds.
    static let listInterval: Duration = .seconds(5)
    /// Lists in a row that must agree with what is wanted.
    static let agreementsNeeded = 2
    /// Lifted addresses to remember while nothing is known about the jail yet. Beyond, they stay banned until the jail's own limit.
    static let mostBlindLifts = 100_000
    /// The pause between tries of a failure that is not just a server that is down: a person must do something first.
    static let slowPause: Duration = .seconds(30)
    /// Failures in a row from which on one is called persistent: 6 s, more than a server takes from its socket to its jails.
    static let persistentFailures = 6

    var work = ClientWork()

    /// What the jail bans, as far as is known; after a failure also what it may have banned.
    var present: Set<Address> = []
    /// What the jail banned before the last failure or surprise and does not list now: a restoring fail2ban may still come to it.
    private var awaited: Set<Address> = []
    /// Addresses lifted in an unsettled time, which a restoring fail2ban may ban again.
    var watched: Set<Address> = []
    /// Operators' unbans in all jails, which a restoring fail2ban may undo where no list of this jail shows it.
    private var orders = OperatorUnbans()

    /// Prefixes that were banned and that an action of this version may not enforce: the jail's actions are still to be looked at.
    private var doubtful: [Address] = []

    /// The server's version; `nil` while there is no connection.
    var version: ClientVersion?
    var underWay: ClientCommand?
    private var isDraining = false
    var restsUntil: ContinuousClock.Instant?
    var listDue: ContinuousClock.Instant?
    var limit = JailLimit()
    /// When rejected addresses are tried again.
    var retryDue: ContinuousClock.Instant?
    /// Whether the jail was ever listed, so that `present` means something.
    private var isInformed = false
    /// Whether the jail bans something that isn't wanted and is left alone until the wanted set is complete, as far as is known.
    private(set) var hasUnexplained = true
    /// Whether the jail was listed since the last failure or surprise.
    var hasListed = false
    var agreements = 0
    var pause = GrowingPause(first: .milliseconds(200), most: .seconds(5))
    var reported: ClientFailure?

    /// How often the jail is listed when all is well, since someone else may change it.
    let reconcile: Duration
    /// The wanted set's ``WantedSet/completeFrom`` for which the jail was listed.
    private var comparedFor: ContinuousClock.Instant?

    init(reconcile: Duration = .seconds(300)) { self.reconcile = reconcile }

    /// Whether the jail's list agreed with what is wanted when it was last looked at.
    var isSettled: Bool { version != nil && agreements >= ClientDialogue.agreementsNeeded }

    // MARK: What comes in

    mutating func take(_ change: WantedSet.Change) {
        let address = change.address
        work.rejected.remove(address)
        guard change.kind == .lifted else {
            orders.forget(address)
            // What was watched for may still be restored.
            if watched.remove(address) != nil { awaited.insert(address) }
            work.bans.append(address)
            return
        }
        let isUnderWay = underWay?.addresses.contains(address) ?? false
        let mayBePresent =
            !isInformed || isUnderWay || present.contains(address) || awaited.contains(address) || watched.contains(address)
        if change.announcement?.cause == .operator, address.isSingle {
            if work.unbansEverywhere.count < ClientDialogue.mostBlindLifts { work.unbansEverywhere.append(address) }
        } else if !mayBePresent, work.bans.contains(address) || version == nil {
            // It was never told, or the server that is away never had it.
            work.bans.remove(address)
        } else if isInformed || work.unbans.count < ClientDialogue.mostBlindLifts {
            work.unbans.append(address)
            if !isSettled { watched.insert(address) }
        }
    }

    mutating func drain() { isDraining = true }

    /// Whether draining is over: everything was told, or fail2ban cannot be told now.
    var isDrained: Bool { isDraining && underWay == nil && (version == nil || restsUntil != nil || work.isEmpty) }

    // MARK: What goes out

    /// What to tell next. After `.tell` the answer, or the failure, must follow before the next call.
    mutating func next(wanted: WantedSet, now: ContinuousClock.Instant) -> Step {
        guard underWay == nil else { return .wait(until: nil) }
        if let restsUntil {
            guard restsUntil <= now else { return .wait(until: restsUntil) }
            self.restsUntil = nil
        }
        guard let version else { return isDraining ? .wait(until: nil) : tell(.version) }
        // Nothing else is begun: a comparison or a renewal would only hold up the end.
        if isDraining, work.isEmpty { return .wait(until: nil) }
        if let complete = wanted.completeFrom, complete <= now, complete != comparedFor {
            comparedFor = complete
            agreements = 0
            listDue = now
        }
        if let listDue, listDue <= now {
            if version.listsBans, !limit.isFresh { return tell(.limit) }
            self.listDue = nil
            limit.outdate()
            return tell(version.listsBans ? .list : .status)
        }
        if !doubtful.isEmpty { return tell(.actions) }
        let command = work.next(version, wanted: wanted, present: present)
        let passedOver = work.takePassedOver()
        if !isSettled { watched.formUnion(passedOver) }
        guard let command else {
            let complete = wanted.completeFrom.flatMap { $0 == comparedFor ? nil : $0 }
            return .wait(until: [listDue, complete].compactMap(\.self).min())
        }
        if !isSettled { watched.formUnion(command.unbanned) }
        return tell(command)
    }

    private mutating func tell(_ command: ClientCommand) -> Step {
        underWay = command
        return .tell(command)
    }

    // MARK: What comes back

    /// Takes the answer to the command that was told last.
    ///
    /// - Parameter took: From the command to the end of its answer.
    mutating func answered(
        _ reply: ClientReply, took: Duration, wanted: WantedSet, now: ContinuousClock.Instant,
        using random: inout some RandomNumberGenerator
    ) -> [Notice] {
        guard let command = underWay else { return [] }
        switch (command, reply) {
        case (.actions, .actions(let actions)):
            underWay = nil
            defer { doubtful = [] }
            guard let version, actions.contains("nftables") else { return [] }
            return [.unenforced(doubtful, actions: actions, version)]
        case (.actions, .failure(.refused)):
            underWay = nil
            doubtful = []
            return []
        case (_, .failure(let failure)):
            return failed(failure, now: now, using: &random)
        case (.version, .version(let version)):
            underWay = nil
            self.version = version
            listDue = now
            return []
        case (.limit, .limit(let seconds)):
            underWay = nil
            limit.take(seconds: seconds)
            return []
        case (.list, .listed(let rests)):
            underWay = nil
            for address in limit.due(rests, wanted: wanted, now: now) { work.renewals.append(address) }
            return listed(Set(rests.keys), wanted: wanted, now: now)
        case (.status, .banned(let list)):
            underWay = nil
            return listed(Set(list), wanted: wanted, now: now)
        case (.renew, .count(let count)):
            underWay = nil
            work.measured(command, took: took)
            return [.told(command, count: count, took: took)]
        case (.ban(let addresses), .count(let count)):
            underWay = nil
            work.measured(command, took: took)
            present.formUnion(addresses)
            if version?.enforcesPrefixes == false { doubtful += addresses.filter { !$0.isSingle } }
            return [.told(command, count: count, took: took)]
        case (.unban(let addresses), .count(let count)), (.unbanEverywhere(let addresses), .count(let count)):
            underWay = nil
            work.measured(command, took: took)
            unbanned(addresses, command, count: count, now: now)
            return [.told(command, count: count, took: took)]
        default:
            return failed(.unclear("answer to another command"), now: now, using: &random)
        }
    }

    mutating func unbanned(_ addresses: [Address], _ command: ClientCommand, count: Int, now: ContinuousClock.Instant) {
        let expected = addresses.count { present.contains($0) }
        // What is ordered for the first time may be undone in any jail; repeated, it was if it lifts what this jail does not ban.
        let isUnsettling = if case .unbanEverywhere = command { orders.note(addresses, now: now) || count > expected } else { false }
        present.subtract(addresses)
        if addresses.contains(where: { !$0.isSingle }) {
            // Should the prefix have ended before, its members were lifted in its place.
            watched.formUnion(addresses)
            agreements = 0
            listDue = now
        } else if count < expected || isUnsettling {
            // A fail2ban that has just restarted may restore the ban in a moment. The count of all jails cannot show it.
            watched.formUnion(addresses)
            agreements = 0
            hasListed = false
            listDue = now + ClientDialogue.listInterval
        }
    }

    private mutating func listed(_ actual: Set<Address>, wanted: WantedSet, now: ContinuousClock.Instant) -> [Notice] {
        var notices: [Notice] = []
        if pause.failures > 0 || !isInformed, let version { notices.append(.connected(version, banned: actual.count)) }
        // While fail2ban restores its bans, what lacks is on its way: banning it too would only slow that down. The first list after a
        // return shows no growth yet.
        let hasGrown = hasListed && actual.count > present.count
        let isRestoring = !hasListed || hasGrown
        awaited = awaited.union(present).subtracting(actual)
        present = actual
        isInformed = true
        hasListed = true
        pause.reset()
        reported = nil

        var agrees = !hasGrown
        for address in wanted.addresses where !actual.contains(address) && !work.bans.contains(address) && !work.rejected.contains(address)
        {
            agrees = false
            if !isRestoring { work.bans.append(address) }
        }
        for address in watched where actual.contains(address) && !wanted.contains(address) {
            agrees = false
            work.unbans.append(address)
        }
        let isUnexplained = actual.contains { !wanted.contains($0) && !watched.contains($0) && !work.unbans.contains($0) }
        if let complete = wanted.completeFrom, complete <= now {
            for address in actual where !wanted.contains(address) && !watched.contains(address) && !work.unbans.contains(address) {
                agrees = false
                work.unbans.append(address)
            }
        }
        agreements = agrees ? agreements + 1 : 0
        // A fail2ban that restores its bans has few at first: what was there before may come back, also before this start.
        hasUnexplained = isUnexplained || (hasUnexplained && !isSettled)
        if isSettled {
            awaited = []
            watched = []
        } else if version?.unbansEverywhere == true {
            for address in orders.recent(now: now) where !wanted.contains(address) { work.unbansEverywhere.append(address) }
        }
        listDue = now + limit.interval(isSettled ? reconcile : ClientDialogue.listInterval)
        if let retryDue, retryDue <= now {
            self.retryDue = nil
            work.retryRejected()
        }
        return notices
    }
}
