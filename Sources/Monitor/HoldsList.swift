// Stage 1, event -> report: all that this host holds, from where it was read to the pages that travel.

import Wire

/// One ban of the list. About 80 bytes.
public struct Hold: Hashable, Sendable {
    public var jail: Jail
    public var address: Address
    /// When fail2ban banned.
    public var seen: Timestamp
    public var end: BanEnd

    public init(jail: Jail, address: Address, seen: Timestamp, end: BanEnd) {
        self.jail = jail
        self.address = address
        self.seen = seen
        self.end = end
    }
}

/// A complete list on its way: it is cut into pages as they are sent, each page repeated until it is acknowledged.
public struct HoldsList: Sendable {
    /// The most bans of a list, 8 MB: the publisher's default `maxholds`. Those beyond are left out, and the list then only adds.
    public static let limit = 100_000

    public let id: String
    public let madeAt: Timestamp
    /// The stream's position up to which lines had been read.
    public let position: UInt64
    public let isComplete: Bool
    /// How many bans it has.
    public var count: Int { holds.count }

    private let host: Hostname
    private let stream: String
    private let holds: [Hold]
    private var page: UInt64 = 1
    private var first = 0
    /// Behind the last hold of the page that was made last.
    private var next = 0
    private var isLast = false

    /// - Parameters:
    ///   - id: another one for each list.
    ///   - isComplete: whether what it lacks is not held; see ``Wire/HoldsPage/isComplete``.
    public init(
        id: String, host: Hostname, stream: String, position: UInt64, madeAt: Timestamp, isComplete: Bool, holds: [Hold]
    ) {
        self.id = id
        self.host = host
        self.stream = stream
        self.position = position
        self.madeAt = madeAt
        self.isComplete = isComplete
        self.holds = holds
    }

    /// The page to send; the same one until ``acknowledge()``, but for its time.
    public mutating func current(now: Timestamp) -> HoldsPage {
        var bans: [Event] = []
        var bytes = 0
        var text: [UInt8] = []
        next = first
        while next < holds.count {
            let hold = holds[next]
            let event = Event(
                host: host, jail: hold.jail, action: .ban, address: hold.address, seen: hold.seen, end: hold.end, cause: .held)
            text.removeAll(keepingCapacity: true)
            event.appendLine(to: &text)
            bytes += text.count + 1
            guard bytes <= Message.sizeLimit else { break }
            bans.append(event)
            next += 1
        }
        isLast = next == holds.count
        return HoldsPage(
            stream: stream, position: position, now: now, madeAt: madeAt, id: id, page: page, isLast: isLast, isComplete: isComplete,
            bans: bans)
    }

    /// The publisher has the page.
    /// - Returns: whether it was the last one.
    public mutating func acknowledge() -> Bool {
        first = next
        page += 1
        return isLast
    }
}

/// Gathers the bans of a list that is read piece by piece, at most ``HoldsList/limit``.
struct HoldsGathering {
    private(set) var holds: [Hold] = []
    /// By jail and address: a row that fail2ban wrote anew between two pieces comes twice, and two texts can be one address.
    private var places: [Place: Int] = [:]
    private(set) var leftOut = 0

    private struct Place: Hashable {
        var jail: Jail
        var address: Address
    }

    /// The later of two that are one hold counts.
    mutating func add(_ hold: Hold) {
        let place = Place(jail: hold.jail, address: hold.address)
        if let index = places[place] {
            if holds[index].seen <= hold.seen { holds[index] = hold }
            return
        }
        guard holds.count < HoldsList.limit else {
            leftOut += 1
            return
        }
        places[place] = holds.count
        holds.append(hold)
    }
}
