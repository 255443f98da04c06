// Stage 2, report -> admission -> journal -> broadcast: the answers to requests that change nothing in the ledger: SYNC, STATE and QUERY.

import Daemon
import Wire

/// Answers who missed something, who tells how it is doing, and who asks how all is doing.
struct AnswerDesk {
    private let syncDesk: SyncDesk
    private let facts: PublisherFacts
    private(set) var states = HostStates()
    /// Why the journal could not be written when that was last tried.
    private var journalTrouble: StatusPage.JournalTrouble?
    /// Rows of the journal that may still be searched in this turn.
    private var historyRows: Int64 = 0
    /// Questions that may still be answered in this turn.
    private var questions = TurnLimits.questions

    init(terms: [(term: Term, first: UInt64)], facts: PublisherFacts) {
        syncDesk = SyncDesk(terms: terms)
        self.facts = facts
    }

    /// A new turn of the loop has its own share of work.
    mutating func beginTurn() {
        historyRows = TurnLimits.historyRows
        questions = TurnLimits.questions
    }

    /// Takes over who belongs to the cluster now.
    mutating func take(_ hosts: AuthorizedHosts) { states.keep { hosts.roles(of: $0) != nil } }

    /// What was written to the journal.
    mutating func note(_ batch: Ledger.Batch) {
        journalTrouble = nil
        states.note(batch)
    }

    /// The journal could not be written.
    mutating func note(_ error: JournalError, now: Timestamp) {
        journalTrouble = StatusPage.JournalTrouble(at: now, text: error.reason, remedy: error.hint)
    }

    /// - Parameter ledger: with what this turn of the loop decided, which is not on disk yet: the answer goes out only when it is.
    mutating func answer(
        _ outcome: Reception.Outcome, ledger: Ledger, journal: Journal, hosts: AuthorizedHosts, now: Timestamp
    ) throws(JournalError) -> Message {
        do {
            switch outcome {
            case .answer(let message): return message
            case .sync(let request): return try syncDesk.answer(request, ledger: ledger, journal: journal, now: now)
            case .state(let state, let host):
                try states.take(state, from: host, term: facts.term, lastNumber: ledger.committedLastNumber, now: now)
                return DaemonState.answer(term: facts.term)
            case .question(let request):
                let body = try body(for: request.header, ledger: ledger, journal: journal, hosts: hosts, now: now)
                return Message(.json, ["term": facts.term.description], body: body)
            }
        } catch let error as JournalError {
            throw error
        } catch let refusal as RequestRefusal {
            return refusal.message(term: facts.term)
        } catch {
            return RequestRefusal(.malformed, "\(error)").message(term: facts.term)
        }
    }

    private mutating func body(
        for question: Header, ledger: Ledger, journal: Journal, hosts: AuthorizedHosts, now: Timestamp
    ) throws -> [UInt8] {
        switch question["what"] {
        case "bans":
            let filter = try BanFilter(question)
            if filter != BanFilter() { try countQuestion() }
            return try BanList.bans(filter, after: try question.askedAddress("after"), table: ledger.table, term: facts.term, now: now)
        case "allowed":
            return try BanList.allowed(after: try question.askedAddress("after"), table: ledger.table, term: facts.term, now: now)
        case "status":
            try countQuestion()
            let page = StatusPage(facts: facts, states: states, hosts: hosts, journalTrouble: journalTrouble)
            return page.json(after: try question.askedHost("after"), ledger: ledger, lastRow: journal.lastRow, now: now).bytes
        case "address":
            try countQuestion()
            guard let address = try question.askedAddress("address") else { throw RequestRefusal(.malformed, "address is missing") }
            return AddressPage.json(address, term: facts.term, ledger: ledger, now: now).bytes
        case "history":
            try countQuestion()
            return try history(question, journal, now).bytes
        default: throw RequestRefusal(.malformed, "what: this publisher knows bans, allowed, status, address and history")
        }
    }

    private mutating func history(_ question: Header, _ journal: Journal, _ now: Timestamp) throws -> JSONText {
        let filter = try HistoryFilter(question)
        let before = try question.askedNumber("before").map { Int64(clamping: $0) }
        let limit = try question.askedNumber("limit").map { Int(clamping: $0) } ?? HistoryPage.most
        var page = HistoryPage()
        if historyRows > 0 {
            page = try journal.history(filter, before: before, limit: limit)
            historyRows -= page.searched
        } else {
            // The turn has had its share: the same question again, in the next one.
            page.next = before ?? journal.lastRow + 1
        }
        var json = JSONText()
        json.set("events", page.events)
        json.set("next", page.next)
        json.set("now", now.milliseconds)
        json.set("row", journal.lastRow)
        json.set("term", facts.term.description)
        return json
    }

    private mutating func countQuestion() throws(RequestRefusal) {
        guard questions > 0 else { throw RequestRefusal(.busy, "more questions at once than \(TurnLimits.questions)") }
        questions -= 1
    }
}
