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

    static func arguments(of entry: JournalEntry, admitted time: Timestamp, row: Int64) -> StatementArguments {
        switch entry {
        case .admitted(let event, let isPlain, let isMove, let announcement):
            var line: String?
            if var same = announcement {
                same.number = event.number
                if same != event { line = announcement?.line }
            }
            return columns(row, event, Self.admitted, time, number: announcement?.number, isPlain: isPlain, isMove: isMove, line: line)
        case .announced(let event):
            return columns(row, event, Self.announced, time, number: event.number)
        case .refused(let host, let event, let reason):
            guard let event else {
                return [row, nil, refused, time.milliseconds, nil, host.description, nil, nil, nil, nil, nil, 0, 0, nil, reason]
            }
            return columns(row, event, Self.refused, time, host: host, refusal: reason)
        }
    }

    private static func columns(
        _ row: Int64, _ event: Event, _ kind: String, _ time: Timestamp, number: UInt64? = nil, host: Hostname? = nil,
        isPlain: Bool = false,
        isMove: Bool = false, line: String? = nil, refusal: String? = nil
    ) -> StatementArguments {
        let end: Int64? =
            switch event.end {
            case .unknown: nil
            case .permanent: -1
            case .at(let time): time.milliseconds
            }
        return [
            row, number.map(Int64.init), kind, time.milliseconds, event.seen?.milliseconds, (host ?? event.host).description,
            event.jail.description, event.action.rawValue, event.address.description, end, event.cause.rawValue, isPlain ? 1 : 0,
            isMove ? 1 : 0, line, refusal,
        ]
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

        var announcement = number.map { number in
            var announcement = event
            announcement.number = number
            return announcement
        }
        if let line: String = row[13] {
            guard let other = try? Event(line: Array(line.utf8).span) else { return nil }
            announcement = other
        }
        switch kind {
        case Self.announced: return announcement.map { (.announced($0), admitted) }
        case Self.admitted:
            return (.admitted(event, isPlain: row[11] as Int64 == 1, isMove: row[12] as Int64 == 1, announcement: announcement), admitted)
        default: return nil
        }
    }
}
