// Stage 2, report -> admission -> journal -> broadcast: which records are written to the journal's tables, and when.

import Wire

/// Writes what changed in memory to the tables, in passes of bounded portions. A value without clock or I/O.
///
/// A pass begins with the addresses that changed since the pass before, and with the journal's last row. It writes each of them as it is
/// when its portion comes, with the row up to which that is true, so a record may be ahead of others. With its last portion the tables as
/// a whole are true up to the row at which it began: what changed up to there has been written since, and what was not written has not
/// changed. So a start puts every record back and adds the rows behind the tables' row, but to a record that is ahead only those behind
/// its own. Nothing depends on whether a row may be added twice.
///
/// A record of which nothing is left is written too, as an empty one, and removed when the tables are true up to its row.
struct KeptTables {
    /// A pass begins when so many rows came since the last one, and nothing else is to be done.
    static let idleRows: Int64 = 50_000
    /// A pass begins when so many rows came since the last one, or so many addresses changed, whatever else is to be done. A start
    /// replays twice that at most, in a second.
    static let mostRows: Int64 = 200_000
    /// A pass begins after this time if anything changed.
    static let interval: Duration = .seconds(300)
    /// Addresses in a portion, if the turn of the loop did not write more rows than that: some 10 ms of work.
    static let portion = 2000

    /// How far the tables on disk are true.
    private(set) var truth: KeptTruth
    /// What they are true up to when the pass under way ends; `nil` between passes.
    private var passTruth: KeptTruth?
    private var waiting: [Address] = []
    private var place = 0
    private var beganAt: KeptTruth
    private var beganTime: ContinuousClock.Instant
    private var writtenHolders: Int
    /// Empty records on disk: those that this pass and the last one wrote, and those written before, which are needed no more.
    private var emptied: [KeptRecord] = []
    private var needless: [KeptRecord] = []

    /// - Parameters:
    ///   - truth: how far the tables are true.
    ///   - holders: how many are on disk.
    ///   - emptied: the empty records that are in them.
    init(truth: KeptTruth = KeptTruth(), holders: Int = 0, emptied: [KeptRecord] = [], now: ContinuousClock.Instant) {
        self.truth = truth
        beganAt = truth
        beganTime = now
        writtenHolders = holders
        self.emptied = emptied
    }

    /// Whether a pass is under way.
    var isWriting: Bool { passTruth != nil }

    /// When a pass must be looked after though nothing comes in.
    func deadline(changed: Int) -> ContinuousClock.Instant? { changed == 0 ? nil : beganTime + KeptTables.interval }

    /// Whether a pass should begin.
    ///
    /// - Parameter isIdle: whether nothing else is to be done.
    func isDue(lastRow: Int64, changed: Int, isIdle: Bool, now: ContinuousClock.Instant) -> Bool {
        guard !isWriting, changed > 0 else { return false }
        let most = max(lastRow - beganAt.row, Int64(changed))
        return most >= KeptTables.mostRows || most >= KeptTables.idleRows && isIdle || now >= beganTime + KeptTables.interval
    }

    /// Begins a pass over what changed up to the last row that is on disk.
    mutating func begin(_ ledger: inout Ledger, lastRow: Int64, now: ContinuousClock.Instant) {
        beganAt = KeptTruth(row: lastRow, lastNumber: ledger.committedLastNumber)
        beganTime = now
        passTruth = beganAt
        // In key order neighbours in the table come together.
        waiting = ledger.takeChanged()
        place = 0
        // Those that the tables have overtaken; the others wait for the end of this pass.
        needless += emptied.filter { $0.row <= truth.row }
        emptied.removeAll { $0.row <= truth.row }
    }

    /// The next portion of the pass under way. It is the same again until ``written(_:)``, but for what changed meanwhile.
    ///
    /// - Parameters:
    ///   - lastRow: the row of the last change that is in the table. Only what is on disk may be written, so the portion must come behind
    ///     it.
    ///   - limit: addresses in it, at least 1.
    func nextPortion(of table: BanTable, lastRow: Int64, limit: Int) -> KeptPortion {
        guard let passTruth else { return KeptPortion() }
        var portion = KeptPortion(firstHolder: writtenHolders)
        portion.holders = Array(table.holders.list[writtenHolders...])
        portion.records.reserveCapacity(min(limit, waiting.count - place))
        for address in waiting[place...].prefix(limit) {
            portion.records.append(KeptRecord(address: address, record: table.records[address] ?? BanRecord(), row: lastRow))
        }
        portion.needless = Array(needless.prefix(limit - portion.records.count))
        let isLast = place + portion.records.count == waiting.count && portion.needless.count == needless.count
        if isLast { portion.truth = passTruth }
        return portion
    }

    /// The portion is on disk.
    mutating func written(_ portion: KeptPortion) {
        writtenHolders += portion.holders.count
        place += portion.records.count
        emptied += portion.records.filter { $0.record.isEmpty }
        needless.removeFirst(portion.needless.count)
        guard let truth = portion.truth else { return }
        self.truth = truth
        passTruth = nil
        waiting = []
    }
}
