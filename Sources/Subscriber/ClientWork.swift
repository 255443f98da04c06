// Stage 3, enforcement: which addresses fail2ban-client has still to be told about, and in which calls.

import Daemon
import Wire

/// What waits to be told: bans before unbans, in calls of a size that fits, each address once. The wanted set decides at the last moment
/// what is still true of it.
struct ClientWork: Sendable {
    /// A flood of bans lets an unban through after so many calls, 3 s at most by ``ChunkSize/target``.
    static let mostBansInARow = 10
    /// Rejected addresses that are tried again at one time.
    static let mostRetries = 100

    var bans = ChangeQueue()
    var unbans = ChangeQueue()
    /// Unbans that an operator ordered: fail2ban may have banned the address in another jail too.
    var unbansEverywhere = ChangeQueue()
    /// Bans that the jail's limit would end too early.
    var renewals = ChangeQueue()
    /// Addresses that fail2ban did not take. They are tried again now and then, each by itself: ``retryRejected()``.
    var rejected: Set<Address> = []
    /// Calls that fail2ban refused, cut in halves to find the address that it does not take.
    private var suspects: [ClientCommand] = []
    /// Prefixes whose unban was not told, because the jail does not ban them now.
    private var passedOver: [Address] = []
    private var bansInARow = 0
    private var banSize = ChunkSize()
    private var unbanSize = ChunkSize()

    /// Whether nothing waits that should be told before an end. A renewal can wait for the next start: it comes half the limit too early.
    var isEmpty: Bool { bans.isEmpty && unbans.isEmpty && unbansEverywhere.isEmpty && suspects.isEmpty }

    /// Addresses that are still to be told about.
    var count: Int { bans.count + unbans.count + unbansEverywhere.count + suspects.reduce(0) { $0 + $1.addresses.count } }

    /// The next call; `nil` when nothing is left to tell.
    ///
    /// - Parameter present: What the jail bans, as far as is known.
    mutating func next(_ version: ClientVersion, wanted: WantedSet, present: Set<Address>) -> ClientCommand? {
        while let suspect = suspects.popLast() {
            let due = suspect.addresses.filter {
                switch suspect {
                case .ban: isBanDue($0, wanted, present)
                case .renew: wanted.contains($0)
                default: !wanted.contains($0)
                }
            }
            if !due.isEmpty { return suspect.with(due) }
        }
        let unbansWait = !(unbans.isEmpty && unbansEverywhere.isEmpty)
        if !unbansWait || bansInARow < ClientWork.mostBansInARow, let command = nextBans(version, wanted, present) {
            bansInARow = unbansWait ? bansInARow + 1 : 0
            return command
        }
        bansInARow = 0
        return nextUnbansEverywhere(version, wanted) ?? nextUnbans(version, wanted, present) ?? nextBans(version, wanted, present)
            ?? nextRenewals(version, wanted)
    }

    /// The prefixes that ``next(_:wanted:present:)`` passed over since the last time: a restoring fail2ban may still ban them.
    mutating func takePassedOver() -> [Address] {
        defer { passedOver = [] }
        return passedOver
    }

    /// Takes back a call that was not carried out, or not for certain.
    mutating func putBack(_ command: ClientCommand) {
        switch command {
        case .version, .limit, .list, .status, .actions: break
        case .ban(let addresses): for address in addresses { bans.append(address) }
        // The list that follows shows whether it was carried out.
        case .renew: break
        case .unban(let addresses): for address in addresses { unbans.append(address) }
        case .unbanEverywhere(let addresses): for address in addresses { unbansEverywhere.append(address) }
        }
    }

    /// Takes back a call of several addresses that fail2ban refused because of one of them.
    mutating func divide(_ command: ClientCommand) {
        let middle = command.addresses.count / 2
        suspects.append(command.with(Array(command.addresses[middle...])))
        suspects.append(command.with(Array(command.addresses[..<middle])))
    }

    /// Tries rejected addresses again, each in a call of its own, so that they hold up nobody.
    mutating func retryRejected() {
        for address in rejected.prefix(ClientWork.mostRetries) {
            rejected.remove(address)
            suspects.append(.ban([address]))
        }
    }

    /// Takes note of how long a call took.
    mutating func measured(_ command: ClientCommand, took: Duration) {
        if command.unbanned.isEmpty {
            banSize.measured(addresses: command.addresses.count, took: took)
        } else {
            unbanSize.measured(addresses: command.addresses.count, took: took)
        }
    }

    private func isBanDue(_ address: Address, _ wanted: WantedSet, _ present: Set<Address>) -> Bool {
        wanted.contains(address) && !present.contains(address) && !rejected.contains(address)
    }

    private mutating func nextBans(_ version: ClientVersion, _ wanted: WantedSet, _ present: Set<Address>) -> ClientCommand? {
        let size = version.takesSeveral ? banSize.count : 1
        var chunk: [Address] = []
        while chunk.count < size, let address = bans.popFirst() {
            if isBanDue(address, wanted, present) { chunk.append(address) }
        }
        return chunk.isEmpty ? nil : .ban(chunk)
    }

    private mutating func nextRenewals(_ version: ClientVersion, _ wanted: WantedSet) -> ClientCommand? {
        let size = version.takesSeveral ? banSize.count : 1
        var chunk: [Address] = []
        while chunk.count < size, let address = renewals.popFirst() {
            if wanted.contains(address) { chunk.append(address) }
        }
        return chunk.isEmpty ? nil : .renew(chunk)
    }

    private mutating func nextUnbansEverywhere(_ version: ClientVersion, _ wanted: WantedSet) -> ClientCommand? {
        let size = version.takesSeveral ? unbanSize.count : 1
        var chunk: [Address] = []
        while chunk.count < size, let address = unbansEverywhere.popFirst() {
            if !wanted.contains(address) { chunk.append(address) }
        }
        guard !chunk.isEmpty else { return nil }
        return version.unbansEverywhere ? .unbanEverywhere(chunk) : .unban(chunk)
    }

    private mutating func nextUnbans(_ version: ClientVersion, _ wanted: WantedSet, _ present: Set<Address>) -> ClientCommand? {
        let size = version.takesSeveral ? unbanSize.count : 1
        var chunk: [Address] = []
        while chunk.count < size, let address = unbans.popFirst() {
            if wanted.contains(address) { continue }
            if address.isSingle {
                chunk.append(address)
                continue
            }
            // Of a prefix that is not banned itself, fail2ban lifts all the members; so it goes alone, and only if it is there.
            guard present.contains(address) else {
                passedOver.append(address)
                continue
            }
            guard chunk.isEmpty else {
                unbans.append(address)
                break
            }
            return .unban([address])
        }
        return chunk.isEmpty ? nil : .unban(chunk)
    }
}
