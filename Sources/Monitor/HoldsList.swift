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

/// What a hold of this host is about.
struct HoldPlace: Hashable, Sendable {
    var jail: Jail
    var address: Address
}

/// A complete list on its way: it is cut into pages as they are sent, each page repeated until it is acknowledged.
public struct HoldsList: Sendable {
    /// The most bans of a list, 8 MB: the publisher's default `maxholds`. Those beyond are left out, and the list then only adds.
    public static let limit = 100_000

    public private(set) var id: String
    public let madeAt: Timestamp
    /// The stream's position up to which lines had been read, or were reported since and taken in.
    public private(set) var position: UInt64
    /// Whether what it lacks is not held.
    public var isComplete: Bool { isWhole && gathering.leftOut == 0 }
    /// How many bans it has.
    public var count: Int { gathering.holds.count }

    private let host: Hostname
    private let stream: String
    /// What `id` begins with, and how often the list changed.
    private let name: String
    private var changes = 0
    private let isWhole: Bool
    private var gathering: HoldsGathering
    private var page: UInt64 = 1
    private var first = 0
    /// Behind the last hold of the page that was made last.
    private var next = 0
    private var isLast = false

    /// - Parameters:
    ///   - id: another one for each list.
    ///   - isWhole: whether all bans were gathered that are held, or left out; see ``Wire/HoldsPage/isComplete``.
    init(
        id: String, host: Hostname, stream: String, position: UInt64, madeAt: Timestamp, isWhole: Bool, gathering: HoldsGathering
    ) {
        (self.id, name) = (id, id)
        self.host = host
        self.stream = stream
        self.position = position
        self.madeAt = madeAt
        self.isWhole = isWhole
        self.gathering = gathering
    }

    /// Takes what the host reports, up to a position. From its first page on the publisher knows itself what is newer than the list, and
    /// before that it doesn't.
    mutating func note(_ events: [Event], upTo position: UInt64?) {
        guard page == 1 else { return }
        let isChanged = events.reduce(false) { gathering.note($1) || $0 }
        let isBehind = position.map { $0 > self.position } ?? false
        guard isChanged || isBehind else { return }
        self.position = max(self.position, position ?? 0)
        // The publisher may have the first page already, as it was: then it must not be gone on from.
        changes += 1
        id = "\(name)-\(changes)"
    }

    /// The page to send; the same one until ``acknowledge()``, but for its time.
    public mutating func current(now: Timestamp) -> HoldsPage {
        var bans: [Event] = []
        var bytes = 0
        var text: [UInt8] = []
        next = first
        let holds = gathering.holds
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
        if page == 1 { gathering.forgetPlaces() }
        first = next
        page += 1
        return isLast
    }
}

/// Gathers the bans of a list that is read piece by piece, at most ``HoldsList/limit``.
struct HoldsGathering {
    private(set) var holds: [Hold] = []
    /// By jail and address: a row that fail2ban wrote anew between two pieces comes twice, and two texts can be one address.
    private var places: [HoldPlace: Int] = [:]
    private(set) var leftOut = 0

    subscript(jail: Jail, address: Address) -> Hold? { places[HoldPlace(jail: jail, address: address)].map { holds[$0] } }

    init(_ holds: [Hold] = []) { for hold in holds { add(hold) } }

    /// The later of two that are one hold counts.
    mutating func add(_ hold: Hold) {
        let place = HoldPlace(jail: hold.jail, address: hold.address)
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

    /// What the host reports while the list is made is newer than what was read.
    ///
    /// - Returns: whether it changed anything.
    mutating func note(_ event: Event) -> Bool {
        switch event.action {
        case .ban:
            guard let seen = event.seen else { return false }
            add(Hold(jail: event.jail, address: event.address, seen: seen, end: event.end))
        case .unban:
            guard let index = places.removeValue(forKey: HoldPlace(jail: event.jail, address: event.address)) else { return false }
            holds.swapAt(index, holds.count - 1)
            holds.removeLast()
            if index < holds.count { places[HoldPlace(jail: holds[index].jail, address: holds[index].address)] = index }
        }
        return true
    }

    /// Nothing is added or noted any more.
    mutating func forgetPlaces() { places = [:] }
}
