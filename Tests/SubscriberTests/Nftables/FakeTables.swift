// A kernel's table as a value, for the dialogue's tests: it carries out transactions as nf_tables does, and refuses what that refuses.

import Daemon
import Glibc
import TestSupport
import Testing
import Wire

@testable import Subscriber

/// What the dialogue meets: sets with ends, transactions that are carried out as a whole, others who change it.
struct FakeTables {
    private(set) var isThere = false
    var addresses: [Address: ContinuousClock.Instant?] = [:]
    var ranges: [Address.Family: [TimedRange]] = [:]
    /// Every transaction, refused ones too.
    private(set) var writes: [NftablesWrite] = []
    /// What the next transactions are refused with.
    var refusals: [Int32] = []
    /// Addresses that it does not take.
    var poison: Set<Address> = []
    /// It takes no timeouts of 2^64 ns and more.
    private static func isTooLate(_ end: ContinuousClock.Instant?) -> Bool {
        end.map { $0 >= start + .milliseconds(18_446_744_073_709) } ?? false
    }

    /// Whether adding an element again moves its end: newer kernels.
    var movesEnds = false
    /// Whether the table is there in a form that can't be changed.
    var isOdd = false

    /// As `nft delete table`.
    mutating func remove() {
        isThere = false
        addresses = [:]
        ranges = [:]
    }

    mutating func perform(_ write: NftablesWrite, now: ContinuousClock.Instant) -> Result<Void, SystemError> {
        writes.append(write)
        expire(now)
        if !refusals.isEmpty { return .failure(SystemError("change nftables", code: refusals.removeFirst())) }
        guard isThere || write.isTable else { return .failure(SystemError("change nftables", code: ENOENT)) }
        switch write {
        case .table(let anew):
            if isOdd, !anew { return .failure(SystemError("change nftables", code: EEXIST)) }
            if anew { remove() }
            (isThere, isOdd) = (true, false)
        case .addresses(let changes):
            let all = changes.bans.map(\.address) + changes.moved.map(\.address) + changes.lifted
            let ends = (changes.bans + changes.moved).map(\.end)
            if !poison.isDisjoint(with: all) || ends.contains(where: FakeTables.isTooLate) {
                return .failure(SystemError("change nftables", code: ERANGE))
            }
            for address in changes.lifted { addresses[address] = nil }
            for moved in changes.moved { addresses[moved.address] = .some(moved.end) }
            for ban in changes.bans where movesEnds || addresses[ban.address] == nil { addresses[ban.address] = .some(ban.end) }
        case .ranges(let family, let changes):
            var some = ranges[family] ?? []
            let removed = Set(changes.flatMap(\.removed).map { [$0.first, $0.last] })
            some.removeAll { removed.contains([$0.first, $0.last]) }
            some += changes.flatMap(\.added)
            return replace(family, some)
        case .allRanges(let family, let ranges): return replace(family, ranges)
        }
        return .success(())
    }

    private mutating func replace(_ family: Address.Family, _ some: [TimedRange]) -> Result<Void, SystemError> {
        let sorted = some.sorted { $0.first < $1.first }
        if sorted.map(\.end).contains(where: FakeTables.isTooLate) { return .failure(SystemError("change nftables", code: ERANGE)) }
        guard zip(sorted, sorted.dropFirst()).allSatisfy({ $0.last < $1.first }) else {
            return .failure(SystemError("change nftables", code: EEXIST))
        }
        ranges[family] = sorted
        return .success(())
    }

    mutating func expire(_ now: ContinuousClock.Instant) {
        addresses = addresses.filter { $0.value.map { $0 > now } ?? true }
        for family in ranges.keys { ranges[family]?.removeAll { $0.end.map { $0 <= now } ?? false } }
    }

    mutating func read(_ request: NftablesReader.Request, now: ContinuousClock.Instant) -> Result<NftablesReader.Page, SystemError> {
        expire(now)
        guard isThere else { return .failure(SystemError("read", code: ENOENT)) }
        let set = request.set
        let elements: [NftablesElement] =
            if set.hasIntervals {
                (ranges[set.family] ?? []).flatMap { range in
                    [NftablesElement(number: range.first, end: range.end), NftablesElement(number: range.last + 1, isBehindRange: true)]
                }
            } else {
                addresses.filter { $0.key.family == set.family }.map { NftablesElement(number: $0.key.number, end: $0.value) }
            }
        return .success(NftablesReader.Page(set: set, elements: elements, isLast: true))
    }
}

extension NftablesWrite {
    var isTable: Bool { if case .table = self { true } else { false } }
}

/// The dialogue, a fake kernel and the wanted set, with a time that the test moves.
struct TablesRig {
    var kernel = FakeTables()
    var dialogue = NftablesDialogue(reconcile: .seconds(300), now: start)
    var wanted = WantedSet(origin: start)
    var now = start
    private(set) var notices: [NftablesDialogue.Notice] = []
    private var random = SeededGenerator(seed: 11)

    mutating func apply(_ event: Event) {
        let publisherNow = publisherStart.advanced(byMilliseconds: start.duration(to: now).milliseconds)
        if case .changed(let change) = wanted.apply(event, publisherNow: publisherNow, now: now, refusal: nobodyRefused) {
            dialogue.take(change)
        }
    }

    mutating func ban(_ texts: String..., for duration: Duration? = .seconds(600)) throws {
        for text in texts {
            var event = try SubscriberTests.ban(text)
            let elapsed = start.duration(to: now).milliseconds
            event.end = duration.map { .at(publisherStart.advanced(byMilliseconds: elapsed + $0.milliseconds)) } ?? .permanent
            apply(event)
        }
    }

    mutating func lift(_ texts: String...) throws { for text in texts { apply(try unban(text)) } }

    mutating func complete() {
        for change in wanted.withdrawAll(except: Set(wanted.addresses), isCertain: true, now: now) { dialogue.take(change) }
    }

    /// Carries out what the dialogue says until it waits.
    ///
    /// - Returns: until when.
    @discardableResult
    mutating func turn() -> ContinuousClock.Instant? {
        for change in wanted.expire(now: now, limit: 1000) { dialogue.take(change) }
        for _ in 0..<10_000 {
            let step = next()
            if case .wait(let until) = step { return until }
            carryOut(step)
        }
        Issue.record("it never waits: \(kernel.writes.suffix(3))")
        return nil
    }

    /// What the dialogue wants next. Until ``carryOut(_:)``, it is under way.
    mutating func next() -> NftablesDialogue.Step { dialogue.next(wanted: wanted, now: now) }

    mutating func carryOut(_ step: NftablesDialogue.Step) {
        switch step {
        case .write(let write):
            let result = kernel.perform(write, now: now)
            notices += dialogue.wrote(result, took: .milliseconds(1), wanted: wanted, now: now, using: &random)
        case .read(let request):
            let result = kernel.read(request, now: now)
            notices += dialogue.read(result, wanted: wanted, now: now, using: &random)
        case .wait: break
        }
    }

    /// Lets time pass, from deadline to deadline.
    mutating func pass(_ duration: Duration) {
        let end = now + duration
        while let next = [turn(), wanted.nextExpiry].compactMap(\.self).min(), next <= end {
            // A deadline that has passed would never end.
            now = max(next, now + .milliseconds(1))
        }
        now = end
        turn()
    }

    /// What the kernel refuses, as texts.
    var refused: Set<String> { Set(kernel.addresses.keys.map(\.description)) }
}
