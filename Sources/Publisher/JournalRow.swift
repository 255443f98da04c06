// Stage 2, report -> admission -> journal -> broadcast: between an entry and its row in the table `event`.

import GRDB
import Wire

/// How a journal's entry is spread over the columns row, number, kind, admitted, seen, host, jail, action, address, end, cause, plain,
/// move, line, refusal. Texts are the wire's, so that sqlite3 shows what happened.
enum JournalRow {
    /// The columns that ``entry(_:)`` reads, in its order.
    static let columnNames = "row, number, kind, admitted, seen, host, jail, action, address, end, cause, plain, move, line, refusal"

    private static let admitted = "admitted"
    static let refused = "refused"
    private static let announced = "announced"

    /// Writes the entry's row.
    ///
    /// - Parameter insert: has a parameter for each of ``columnNames``.
    static func write(_ entry: JournalEntry, admitted time: Timestamp, row: Int64, by insert: inout BulkStatement) throws {
        switch entry {
        case .admitted(let event, let isPlain, let isMove, let announced):
            bind(row, entry.number, Self.admitted, time, event.host, event, to: &insert)
            if case .other(let announcement) = announced {
                bind(isPlain, isMove, announcement.line, nil, to: &insert)
            } else {
                bind(isPlain, isMove, nil, nil, to: &insert)
            }
        case .announced(let event):
            bind(row, event.number, Self.announced, time, event.host, event, to: &insert)
            bind(false, false, nil, nil, to: &insert)
        case .refused(let host, let event, let reason):
            bind(row, nil, Self.refused, time, host, event, to: &insert)
            bind(false, false, nil, reason, to: &insert)
        }
        try insert.run()
    }

    /// The columns up to the cause; what is only of an event stays empty without one.
    private static func bind(
        _ row: Int64, _ number: UInt64?, _ kind: String, _ time: Timestamp, _ host: Hostname, _ event: Event?,
        to insert: inout BulkStatement
    ) {
        insert.bind(row)
        insert.bind(number.map(Int64.init))
        insert.bind(kind)
        insert.bind(time.milliseconds)
        insert.bind(event?.seen?.milliseconds)
        insert.bind(host.description)
        guard let event else {
            for _ in 0..<5 { insert.bind(nil as Int64?) }
            return
        }
        insert.bind(event.jail.description)
        insert.bind(event.action.rawValue)
        insert.bind(event.address)
        switch event.end {
        case .unknown: insert.bind(nil as Int64?)
        case .permanent: insert.bind(-1)
        case .at(let time): insert.bind(time.milliseconds)
        }
        insert.bind(event.cause.rawValue)
    }

    private static func bind(_ isPlain: Bool, _ isMove: Bool, _ line: String?, _ refusal: String?, to insert: inout BulkStatement) {
        insert.bind(isPlain ? 1 : 0)
        insert.bind(isMove ? 1 : 0)
        insert.bind(line)
        insert.bind(refusal)
    }

    /// The entry of a row of ``columnNames``; `nil` when it doesn't make sense.
    static func entry(_ row: Row) -> (JournalEntry, admitted: Timestamp)? {
        let admitted = Timestamp(milliseconds: row[3])
        let kind: String = row[2]
        guard let host = Hostname(row[5]) else { return nil }
        if kind == refused { return (.refused(host: host, event: nil, reason: row[14] ?? ""), admitted) }

        let number = (row[1] as Int64?).map { UInt64(clamping: $0) }
        guard let jail = (row[6] as String?).flatMap({ Jail($0) }),
            let action = (row[7] as String?).flatMap(Event.Action.init(rawValue:)),
            let address = (row[8] as String?).flatMap({ Address($0) }),
            let cause = (row[10] as String?).flatMap(Event.Cause.init(rawValue:))
        else { return nil }
        let end: BanEnd =
            switch row[9] as Int64? {
            case nil: .unknown
            case .some(-1): .permanent
            case .some(let time): .at(Timestamp(milliseconds: time))
            }
        let event = Event(
            host: host, jail: jail, action: action, address: address, seen: (row[4] as Int64?).map(Timestamp.init(milliseconds:)),
            admitted: admitted, end: end, cause: cause)

        switch kind {
        case Self.announced:
            guard let number else { return nil }
            var announcement = event
            announcement.number = number
            return (.announced(announcement), admitted)
        case Self.admitted:
            var announced = number.map { JournalEntry.Announced.same(number: $0) } ?? .nothing
            if let line: String = row[13] {
                guard let other = try? Event(line: Array(line.utf8).span) else { return nil }
                announced = .other(other)
            }
            return (.admitted(event, isPlain: row[11] as Int64 == 1, isMove: row[12] as Int64 == 1, announced: announced), admitted)
        default: return nil
        }
    }
}
