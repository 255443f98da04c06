// Hostile peers: what may be in the publisher's journal, kept while it is sent, and compared with what SQLite says in the end.

import GRDB
import TestSupport
import Testing
import Wire

/// What each host sent under its own key, read again by the grammar alone. Anything else in the journal is a break-in.
struct JournalKeeper {
    /// A row of the table `event`.
    private struct Entry {
        var kind: String
        var host: String
        var jail: String
        var action: String
        var address: String
        var isPlain: Bool
    }

    /// Hashes of host, jail, action and address, since there may be millions.
    private var sent: Set<Int> = []
    private(set) var problems: [String] = []
    private(set) var rows = 0
    private(set) var admitted = 0

    private static func key(_ host: String, _ jail: String, _ action: String, _ address: String) -> Int {
        var hasher = Hasher()
        for text in [host, jail, action, address] { hasher.combine(text) }
        return hasher.finalize()
    }

    private mutating func note(_ event: Event) {
        sent.insert(Self.key("\(event.host)", "\(event.jail)", event.action.rawValue, "\(event.address)"))
        // Its end is announced, and so may be what a later list lacks.
        sent.insert(Self.key("\(event.host)", "\(event.jail)", Event.Action.unban.rawValue, "\(event.address)"))
    }

    /// A host sends a request, whatever it is. Only events in its own name may be journalled.
    mutating func note(_ frames: [[UInt8]], from host: Hostname) {
        guard let message = try? Message(frames: frames) else { return }
        switch message.verb {
        case .report:
            for entry in (try? Report(message))?.entries ?? [] {
                if let event = try? entry.content.get(), event.host == host { note(event) }
            }
        case .holds:
            for event in (try? HoldsPage(message))?.bans ?? [] where event.host == host { note(event) }
        case .order:
            guard let order = try? Order(message) else { return }
            for address in order.addresses {
                note(Event(host: host, jail: .cluster, action: order.command == .ban ? .ban : .unban, address: address, cause: .operator))
            }
        default: break
        }
    }

    /// An old client sends a frame.
    mutating func note(plain frame: [UInt8]) {
        if let event = (try? PlainRequest(frame: frame.span))?.event { note(event) }
    }

    /// Reads the whole journal.
    ///
    /// - Parameters:
    ///   - keyed: the hosts that have a key with the role monitor or operator.
    ///   - honest: what must be there, once each.
    mutating func audit(_ path: String, keyed: Set<String>, honest: [Event]) throws {
        var configuration = Configuration()
        configuration.readonly = true
        let database = try DatabaseQueue(path: path, configuration: configuration)
        for event in honest { note(event) }
        var missing = Dictionary(honest.map { ("\($0.host) \($0.address)", 1) }, uniquingKeysWith: +)
        var lastNumber: Int64 = 0
        try database.read { db in
            let cursor = try Row.fetchCursor(
                db, sql: "SELECT kind, host, jail, action, address, plain, number FROM event ORDER BY row")
            while let row = try cursor.next() {
                let entry = Entry(
                    kind: row[0], host: row[1], jail: row[2] ?? "", action: row[3] ?? "", address: row[4] ?? "", isPlain: row[5] as Int == 1
                )
                check(entry, keyed)
                if let number = row[6] as Int64? {
                    if number != lastNumber + 1 { problem("announcement \(number) follows \(lastNumber)") }
                    lastNumber = number
                }
                if entry.kind == "admitted", entry.action == "Ban" { missing["\(entry.host) \(entry.address)"]? -= 1 }
            }
        }
        let wrong = missing.filter { $0.value != 0 }
        if let first = wrong.first { problem("\(wrong.count) honest bans are not there once, such as \(first.key)") }
    }

    private mutating func check(_ entry: Entry, _ keyed: Set<String>) {
        rows += 1
        // What the publisher announces by itself, such as the end of a ban, names who held it.
        if entry.kind != "announced", entry.isPlain == keyed.contains(entry.host) { problem("in whose name? \(entry)") }
        // What was refused is there too, under the name of who sent it.
        guard entry.kind != "refused" else { return }
        admitted += 1
        if !sent.contains(Self.key(entry.host, entry.jail, entry.action, entry.address)) { problem("nobody may have sent \(entry)") }
        guard entry.action == "Ban" else { return }
        guard let address = Address(entry.address), address.prefixLength >= (address.family == .ipv4 ? 24 : 56) else {
            return problem("too wide: \(entry)")
        }
        for text in ["127.0.0.0/8", "0.0.0.0/8", "224.0.0.0/4", "169.254.0.0/16", "::1", "fe80::/10", "ff00::/8"] {
            if Address(text)?.overlaps(address) == true { problem("never to be banned: \(entry)") }
        }
    }

    private mutating func problem(_ text: String) {
        if problems.count < 10 { problems.append(text) }
    }
}
