// Short spellings for what the tests of the publisher talk about.

import Daemon
import GRDB
import Testing
import Wire

@testable import Publisher

let start: Int64 = 1_795_212_000_000
let week: Int64 = 7 * 24 * 3600 * 1000

func at(_ seconds: Double) -> Timestamp { Timestamp(milliseconds: start + Int64(seconds * 1000)) }

func address(_ text: String) throws -> Address { try #require(Address(text)) }
func host(_ text: String) throws -> Hostname { try #require(Hostname(text)) }

/// An event as admission gives it: seen at `seen` seconds, ending at `end` seconds.
func ban(_ hostName: String, _ text: String, until end: Double, seen: Double = 0, jail: String = "sshd") throws -> Event {
    Event(
        host: try host(hostName), jail: try #require(Jail(jail)), action: .ban, address: try address(text), seen: at(seen),
        end: .at(at(end)), cause: .detected)
}

func unban(_ hostName: String, _ text: String, seen: Double = 0, jail: String = "sshd") throws -> Event {
    Event(
        host: try host(hostName), jail: try #require(Jail(jail)), action: .unban, address: try address(text), seen: at(seen),
        cause: .lifted)
}

func order(_ action: Event.Action, _ text: String, until end: BanEnd = .unknown, seen: Double = 0) throws -> Event {
    Event(host: try host("admin"), jail: .cluster, action: action, address: try address(text), seen: at(seen), end: end, cause: .operator)
}

/// "Ban 192.0.2.1 3600" for each announcement: action, address, seconds from the start to its end.
func brief(_ announcements: [Event]) -> [String] {
    announcements.map { event in
        let end: String =
            switch event.end {
            case .unknown: "-"
            case .permanent: "*"
            case .at(let time): "\((time.milliseconds - start) / 1000)"
            }
        return "\(event.action.rawValue) \(event.address) \(end) \(event.host)/\(event.jail) \(event.cause.rawValue)"
    }
}

extension Housekeeping {
    /// Does at once what is to be done next when nothing is pending.
    mutating func work(
        _ ledger: inout Ledger, _ journal: Journal, rows: Int, now: Timestamp, clock: ContinuousClock.Instant
    ) throws(JournalError) {
        guard let upkeep = next(&ledger, lastRow: journal.lastRow, came: rows, now: now, clock: clock) else { return }
        try done(JournalWork.upkeep(upkeep).outcome(on: journal).result, clock: clock)
    }
}

extension Journal {
    /// Writes a batch at the start.
    func append(_ batch: Ledger.Batch) throws(JournalError) { try append(batch, now: at(0)) }

    /// SQLite's `synchronous` of its connection: 2 is FULL.
    func synchronousMode() throws -> Int { try database.read { try Int.fetchOne($0, sql: "PRAGMA synchronous") ?? 0 } }

    /// The most pages of 4,096 bytes that the file may have; a write beyond them fails as on a full disk.
    func limitPages(to count: Int) throws {
        try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(count)") }
    }
}
