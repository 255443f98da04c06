// Stage 2, report -> admission -> journal -> broadcast: what a start does with the journal before anyone can connect.

import Wire

/// What a start found in the journal and began in it.
struct Resumption {
    let term: Term
    /// All terms with their first numbers, this one last.
    let terms: [(term: Term, first: UInt64)]
    let tables: KeptTables

    /// Takes the journal into the ledger, begins a term, and writes what must be announced because of the time that passed.
    init(_ ledger: inout Ledger, from journal: Journal, now: Timestamp) throws(JournalError) {
        tables = try Resumption.load(journal, into: &ledger)
        term = Term(id: .random(in: .min ... .max))
        try journal.begin(term, first: ledger.firstNumberOfTerm, now: now)
        terms = try journal.terms()
        // Nobody can receive them yet; who connects asks for what it missed.
        try ledger.finishReplay(positions: try journal.positions(), now: now) { (ledger) throws(JournalError) in
            if !ledger.pending.isEmpty { try journal.append(ledger.pending, now: now) }
            _ = ledger.commit()
        }
    }

    /// Takes the tables and the rows behind them into the ledger. It changes nothing in the journal.
    static func load(_ journal: Journal, into ledger: inout Ledger) throws(JournalError) -> KeptTables {
        let (truth, holders, count) = try journal.kept()
        ledger.restore(holders, count: count, lastNumber: truth.lastNumber)
        // The rows that these addresses have in them already.
        var ahead: [Address: Int64] = [:]
        var emptied: [KeptRecord] = []
        try journal.eachKept(holders: holders.count) { kept in
            if kept.record.isEmpty { emptied.append(kept) } else { ledger.restore(kept.record, for: kept.address) }
            if kept.row > truth.row { ahead[kept.address] = kept.row }
        }
        try journal.replay(after: truth.row) { entry, admitted, row in
            let isInTable = entry.address.flatMap { ahead[$0] }.map { row <= $0 } ?? false
            ledger.replay(entry, admitted: admitted, isInTable: isInTable)
        }
        return KeptTables(truth: truth, holders: holders.count, emptied: emptied, now: .now)
    }
}
