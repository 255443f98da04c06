// A model of a fail2ban server as far as a jail's bans go, after the experiments with 1.0.2; and a dialogue that talks to it without
// waiting.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Subscriber

/// What fail2ban does with its clients' commands, restarts included.
struct FakeFail2ban {
    var version = "1.0.2"
    var isUp = true
    var hasJail = true
    var isPermitted = true
    var actions = "nothing"
    /// Addresses that its banip refuses.
    var indigestible: Set<Address> = []
    var banned: Set<Address> { Set(ends.keys) }
    /// How long the jail bans, in seconds; `nil` for ever.
    var limit: Int? = 86_400
    /// When the jail itself lifts each of its bans.
    private var ends: [Address: ContinuousClock.Instant] = [:]
    /// What its database has of the jail.
    private var rows: Set<Address> = []
    /// What another jail bans.
    var elsewhere: Set<Address> = []
    /// The model's clock.
    private(set) var now: ContinuousClock.Instant = SubscriberTests.start
    /// Bans of the database that a start has still to restore, the next one last.
    private(set) var restoring: [Address] = []
    /// Each address that a banip named while it was banned.
    private(set) var bannedTwice: [Address] = []
    private(set) var calls: [ClientCommand] = []

    /// Someone else's ban or unban in the jail.
    mutating func banByHand(_ address: Address) { insert(address) }
    mutating func unbanByHand(_ address: Address) { ends[address] = nil }

    /// Lifts what has reached the jail's limit.
    mutating func moveClock(to instant: ContinuousClock.Instant) {
        now = instant
        ends = ends.filter { $0.value > now }
    }

    /// - Returns: Whether it was not banned.
    @discardableResult
    private mutating func insert(_ address: Address) -> Bool {
        // What is banned already is prolonged, and not written into the database again.
        if ends[address] == nil { rows.insert(address) }
        return ends.updateValue(now + .seconds(limit ?? 1_000_000_000), forKey: address) == nil
    }

    mutating func stop() {
        isUp = false
        restoring = banned.union(restoring).sorted()
        ends = [:]
    }

    /// `kill -9`: the next start knows what the database has, and its jail clears away the rest from the firewall.
    mutating func kill() {
        isUp = false
        restoring = rows.sorted()
        ends = [:]
    }

    mutating func start() { isUp = true }

    /// Restores up to `count` bans; those that are banned already take no time, since nothing is done for them.
    mutating func restore(_ count: Int) {
        guard isUp else { return }
        var rest = count
        while rest > 0, let address = restoring.popLast() {
            // The row of one that was lifted meanwhile is gone; it is restored all the same.
            let hasRow = rows.contains(address)
            if insert(address) { rest -= 1 }
            if !hasRow { rows.remove(address) }
        }
    }

    mutating func answer(_ command: ClientCommand) -> ClientReply {
        calls.append(command)
        guard isPermitted else { return .failure(.permission("Permission denied to socket")) }
        guard isUp else { return .failure(.down) }
        switch command {
        case .version: return ClientVersion(version).map(ClientReply.version) ?? .failure(.unclear(version))
        case .unbanEverywhere(let addresses):
            let others = elsewhere.count
            elsewhere.subtract(addresses)
            return .count(remove(addresses) + others - elsewhere.count)
        case .limit, .list, .status, .actions, .ban, .renew, .unban: break
        }
        guard hasJail else { return .failure(.unknownJail) }
        switch command {
        case .limit: return .limit(limit)
        case .list: return .listed(ends.mapValues { now.duration(to: $0) })
        case .status: return .banned(Array(banned))
        case .actions: return .actions(actions)
        case .ban(let addresses):
            var count = 0
            for address in addresses {
                if indigestible.contains(address) { return .failure(.refused("invalid literal")) }
                if insert(address) { count += 1 } else { bannedTwice.append(address) }
            }
            return .count(count)
        case .renew(let addresses):
            for address in addresses { insert(address) }
            return .count(0)
        case .unban(let addresses): return .count(remove(addresses))
        case .version, .unbanEverywhere: return .count(0)
        }
    }

    private mutating func remove(_ addresses: [Address]) -> Int {
        addresses.reduce(0) { count, address in
            rows.remove(address)
            if ends.removeValue(forKey: address) != nil {
                return count + 1
            }
            // Of a prefix that is not banned itself, all the members.
            let members = address.isSingle ? [] : banned.filter { address.contains($0) }
            for member in members { ends[member] = nil }
            return count + members.count
        }
    }
}

/// A wanted set, a dialogue and a fail2ban, on a clock that moves only when it is told to.
struct Rig {
    var wanted = WantedSet(origin: start)
    var dialogue = ClientDialogue()
    var fail2ban = FakeFail2ban()
    var now = start
    var notices: [ClientDialogue.Notice] = []
    var random = SeededGenerator(seed: 1)
    var callTime: Duration = .milliseconds(6)
    /// Bans that a fail2ban that has just started restores in a second.
    var restoresPerSecond = 1_000_000.0
    private var owedRestores = 0.0

    mutating func announce(_ event: Event) {
        guard case .changed(let change) = wanted.apply(event, publisherNow: publisherStart, now: now, refusal: nobodyRefused) else {
            return
        }
        dialogue.take(change)
    }

    mutating func ban(_ texts: String...) throws { for text in texts { announce(try SubscriberTests.ban(text)) } }
    mutating func unban(_ texts: String...) throws { for text in texts { announce(try SubscriberTests.unban(text)) } }

    /// Tells one command and hands over its answer. - Returns: The command; `nil` when there is nothing to say now.
    @discardableResult
    mutating func tellOne() -> ClientCommand? {
        guard case .tell(let command) = dialogue.next(wanted: wanted, now: now) else { return nil }
        let took = callTime * max(1, command.addresses.count)
        moveClock(to: now + took)
        notices += dialogue.answered(fail2ban.answer(command), took: took, wanted: wanted, now: now, using: &random)
        return command
    }

    /// Tells all that can be told now.
    mutating func tellAll() {
        for _ in 0..<100_000 where tellOne() == nil { return }
        Issue.record("the dialogue does not come to rest")
    }

    /// Lets things come to rest, and forgets what was said.
    mutating func settle() {
        pass(.seconds(60))
        #expect(dialogue.isSettled)
        notices = []
    }

    /// Lets time pass.
    mutating func pass(_ duration: Duration) {
        let end = now + duration
        tellAll()
        while case .wait(let until?) = dialogue.next(wanted: wanted, now: now), until <= end {
            moveClock(to: until)
            tellAll()
        }
        moveClock(to: max(now, end))
    }

    private mutating func moveClock(to instant: ContinuousClock.Instant) {
        owedRestores = fail2ban.isUp ? owedRestores + restoresPerSecond * (now.duration(to: instant) / .seconds(1)) : 0
        fail2ban.restore(Int(owedRestores))
        owedRestores -= owedRestores.rounded(.down)
        now = instant
        fail2ban.moveClock(to: instant)
        for change in wanted.expire(now: now, limit: 100_000) { dialogue.take(change) }
    }
}
