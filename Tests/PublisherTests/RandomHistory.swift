// A publisher's life as the tests of its journal need it: reports, orders, ends and failed writes, as a seed has it.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Publisher

/// What happens to a ledger whose transactions a journal takes.
struct RandomHistory {
    var random: SeededGenerator
    /// Seconds since the start of all tests' time.
    var now = 0.0
    private var position: UInt64 = 0

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    static func ledger(quorum: Int = 1) -> Ledger {
        Ledger(
            admission: Admission(neverBan: NeverBan(), maximumBanTime: 100_000), table: BanTable(quorum: quorum, maximumBanTime: 100_000))
    }

    /// One turn of the loop without its journal: something may be pending then.
    mutating func turn(_ ledger: inout Ledger) throws {
        try takeRequests(&ledger)
        try decideWhatIsDue(&ledger)
    }

    /// What hosts, old clients and operators send.
    mutating func takeRequests(_ ledger: inout Ledger) throws {
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            now += Double(Int.random(in: 0...2, using: &random))
            let text = "192.0.2.\(Int.random(in: 1...12, using: &random))"
            if Int.random(in: 0...14, using: &random) == 0 {
                let command: Order.Command = [.ban, .unban, .allow][Int.random(in: 0...2, using: &random)]
                // What is allowed for ever would leave little to happen.
                let end: BanEnd = command == .ban && Bool.random(using: &random) ? .permanent : .at(at(now + 20))
                // Now and then a prefix: of other addresses, too.
                let prefix = Int.random(in: 0...3, using: &random) == 0 ? "/30" : ""
                let order = Order(command, now: at(now), end: end, addresses: [try address(text + prefix)])
                _ = ledger.take(order, from: try host("admin"), now: at(now))
                continue
            }
            let name = "web\(Int.random(in: 1...4, using: &random))"
            switch Int.random(in: 0...24, using: &random) {
            case 0: _ = ledger.take(Order(withdrawing: try host(name), now: at(now)), from: try host("admin"), now: at(now))
            case 1: try list(name, &ledger)
            case 2: ledger.beginReview()
            default: break
            }
            let seen = now - Double(Int.random(in: 0...8, using: &random))
            let jail = "jail\(Int.random(in: 1...2, using: &random))"
            let event =
                Int.random(in: 0...2, using: &random) > 0
                ? try ban(name, text, until: now + Double(Int.random(in: -5...40, using: &random)), seen: seen, jail: jail)
                : try unban(name, text, seen: seen, jail: jail)
            position += 1
            if Int.random(in: 0...5, using: &random) == 0 {
                _ = ledger.take(plain: event, counts: true, now: at(now))
            } else {
                let isMove = Int.random(in: 0...3, using: &random) == 0
                let entry = Report.Entry(position: isMove ? nil : position, event)
                let report = Report(stream: "s", now: at(now), entries: [entry])
                _ = ledger.take(report, from: try host(name), term: Term(id: 1), now: at(now))
            }
        }
    }

    /// What nobody asked for.
    mutating func decideWhatIsDue(_ ledger: inout Ledger) throws {
        ledger.expire(now: at(now), limit: 3)
        ledger.compareLists(now: at(now), limit: 3)
        // Now and then an address is protected.
        let rule = Bool.random(using: &random) ? IgnoreRule("192.0.2.\(Int.random(in: 1...12, using: &random))") : nil
        ledger.admission.neverBan.reconfigure(ignoreip: [rule].compactMap(\.self), minPrefix4: 24, minPrefix6: 56)
        ledger.review(as: try host("hub"), now: at(now), limit: 3)
        ledger.admission.neverBan.reconfigure(ignoreip: [], minPrefix4: 24, minPrefix6: 56)
    }

    /// A host tells all that it holds.
    private mutating func list(_ name: String, _ ledger: inout Ledger) throws {
        var bans: [Event] = []
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let text = "192.0.2.\(Int.random(in: 1...12, using: &random))"
            let end = now + Double(Int.random(in: -5...40, using: &random))
            var event = try ban(name, text, until: end, seen: now - 3, jail: "jail\(Int.random(in: 1...2, using: &random))")
            event.cause = .held
            bans.append(event)
        }
        let page = HoldsPage(
            stream: "s", position: position, now: at(now), madeAt: at(now - 1), id: String(random.next(), radix: 16), page: 1, isLast: true,
            isComplete: Bool.random(using: &random), bans: bans)
        _ = try ledger.take(page, from: try host(name), term: Term(id: 1), now: at(now))
    }
}

extension BanTable {
    /// What is known of each address, by names instead of numbers, so that two tables can be compared.
    var named: [Address: [String]] {
        Dictionary(uniqueKeysWithValues: records.map { ($0, names(in: $1)) })
    }

    private func names(in record: BanRecord) -> [String] {
        func name(_ hold: Hold) -> String { "\(holders[hold.holder]) until \(hold.end), seen \(hold.seen)" }
        let order = record.order.map { "ordered: \(name($0))" } ?? "no order"
        let times = ["announced \(record.announced ?? 0)", "lifted \(record.liftedAt)", "allowed \(record.allowedUntil)"]
        return record.holds.map(name) + [order] + times
    }
}

extension Ledger {
    /// Looks at all ends up to `now`, so that ends that nobody had to hear of are no difference.
    mutating func settle(now: Timestamp) {
        while let due = nextDue, due <= now { expire(now: now, limit: 100) }
    }
}
