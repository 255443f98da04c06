// Stage 2, report -> admission -> journal -> broadcast: how what a turn decided gets to the disk, and what waits for that.

import Daemon
import Logging
import Wire
import ZeroMQ

/// A large batch is written by the journal's thread, while the loop decides the next one on top of it: one is on its way at most. What
/// waits for a batch goes out when it is on disk. When it can't be written, both have not happened.
extension PublisherService {
    /// Answers that go out when all that was decided before them is on disk.
    struct Answers {
        var requests: [Answer] = []
        /// To old clients: whole messages.
        var plain: [[[UInt8]]] = []
    }

    /// A batch on its way to the disk.
    struct Flight {
        /// What waits for it.
        var answers: Answers
        /// What is written to the journal behind it: the tables may have nothing that the rows have not.
        var upkeep: Housekeeping.Upkeep?
        var bill: Turnstile.Bill
    }

    /// Has what was decided since the last batch written, while no batch is on its way. A small one is written at once: to have another
    /// thread do it would take longer.
    ///
    /// - Parameter keepsHouse: whether the tables and the retention are looked after too, when that holds up nobody.
    mutating func depart(keepsHouse: Bool = true) throws(ZeroMQError) {
        let (rows, lastRow) = (ledger.pending.entries.count, journal.lastRow)
        let (answers, bill) = (answers, turnstile.bill)
        self.answers = Answers()
        turnstile.beginTurn(now: .now)
        desk.beginTurn()
        if ledger.pending.isEmpty {
            try send(answers)
        } else {
            flight = Flight(answers: answers, bill: bill)
            let work = JournalWork.rows(ledger.seal(), now: clock.now)
            if rows < TurnLimits.rowsInPlace { try take(work.outcome(on: journal)) } else { try give(work) }
        }
        guard keepsHouse else { return }
        if flight == nil {
            if let upkeep = housekeeping.next(&ledger, lastRow: journal.lastRow, came: rows, now: clock.now, clock: .now) {
                try give(.upkeep(upkeep))
            }
        } else {
            // Nothing was decided since the batch was sealed.
            flight?.upkeep = housekeeping.next(&ledger, lastRow: lastRow, sealed: rows, came: rows, now: clock.now, clock: .now)
        }
    }

    /// Takes what the journal's thread has done.
    mutating func takeWritten() throws(ZeroMQError) {
        for outcome in journalThread.take() { try take(outcome) }
    }

    /// Waits until everything that was decided is on disk, answered, and given to the broadcaster, or has not happened.
    mutating func settle() throws(ZeroMQError) {
        while true {
            if flight == nil { try depart(keepsHouse: false) }
            guard flight != nil || housekeeping.isUnderWay else { return }
            var awaited = PollSet()
            awaited.add(descriptor: journalThread.descriptor)
            try awaited.wait(until: nil)
            try takeWritten()
        }
    }

    private mutating func give(_ work: JournalWork) throws(ZeroMQError) {
        do throws(SystemError) {
            try journalThread.give(work)
        } catch {
            // There is no thread, so it is done here.
            try take(work.outcome(on: journal))
        }
    }

    private mutating func take(_ outcome: JournalOutcome) throws(ZeroMQError) {
        guard outcome.isOfRows else {
            // What fails here hurts nothing that was taken in: it is tried again, and until then a start has more to replay.
            do throws(JournalError) {
                try housekeeping.done(outcome.result, clock: .now)
            } catch {
                if let note = storageTrouble.heldBackNote(at: .now) { logger.error("\(error)\(note)") }
            }
            return
        }
        guard let flight else { return }
        self.flight = nil
        turnstile.countJournal(took: outcome.took, of: flight.bill)
        switch outcome.result {
        case .success: try arrive(flight)
        case .failure(let error): try takeBack(flight, error)
        }
    }

    /// The batch is on disk.
    private mutating func arrive(_ flight: Flight) throws(ZeroMQError) {
        let batch = ledger.commit()
        let announcements = batch.announcements
        desk.note(batch)
        try send(flight.answers)
        if logger.logLevel <= .info { for event in announcements { logger.info("\(event.line)") } }
        broadcaster.add(announcements)
        try sockets.plain.broadcast(announcements, except: batch.movedEnds)
        if let upkeep = flight.upkeep { try give(.upkeep(upkeep)) }
    }

    /// The batch is not on disk, so nothing of it has happened, nor of what was decided on top of it; the error is what to answer.
    private mutating func takeBack(_ flight: Flight, _ error: JournalError) throws(ZeroMQError) {
        ledger.rollBack()
        if flight.upkeep != nil { housekeeping.drop() }
        desk.note(error, now: clock.now)
        // Ends that are due would be tried again at once, and again.
        notBefore = .now + TurnLimits.pauseAfterTrouble
        if let note = storageTrouble.heldBackNote(at: .now) { logger.error("\(error); nothing is acknowledged meanwhile\(note)") }
        let trouble = RequestRefusal(.storage, "the journal can't be written: \(error.reason)")
        try send(flight.answers, unless: trouble)
        try send(answers, unless: trouble)
        answers = Answers()
    }
}
