// Stage 2, report -> admission -> journal -> broadcast: what a subscriber gets that missed something.

import Wire

/// Answers `SYNC`: with the announcements that are missing, or page by page with all bans.
struct SyncDesk {
    /// A subscriber that lacks more announcements than this, and more than there are bans, is better served with all bans.
    static let mostAnnouncements: UInt64 = 1000

    /// The terms of the journal with their first numbers, the present one last.
    private let terms: [(term: Term, first: UInt64)]

    init(terms: [(term: Term, first: UInt64)]) { self.terms = terms }

    /// - Parameter ledger: with what this turn of the loop decided, which is not on disk yet: the answer goes out only when it is.
    func answer(_ request: SyncRequest, ledger: Ledger, journal: Journal, now: Timestamp) throws(JournalError) -> Message {
        let lastNumber = ledger.committedLastNumber
        let term = terms[terms.count - 1].term
        let isKnown = knows(request, lastNumber: lastNumber)
        if !request.wantsAll, request.after == nil, isKnown, !isFarBehind(request, ledger, lastNumber) {
            let announcements = try journal.announcements(after: request.last)
            // The journal may have let them go: then only all bans help.
            if request.last == lastNumber || announcements.first?.number == request.last + 1 {
                let isLast = (announcements.last?.number ?? request.last) >= lastNumber
                return SyncAnswer(term: term, now: now, .announcements(announcements, isLast: isLast)).message(first: request.last + 1)
            }
        }
        // A snapshot is fuzzy: while page after page is asked for, bans come and go. What was announced behind the number of the first
        // page makes it exact.
        let (lines, next) = ledger.table.snapshot(after: request.after, bytes: Message.sizeLimit)
        return SyncAnswer.page(term: term, now: now, lines: lines, number: lastNumber, next: next, isKnownPlace: isKnown)
    }

    /// Whether the subscriber's place is one of this journal: numbers are compared only within a known term.
    private func knows(_ request: SyncRequest, lastNumber: UInt64) -> Bool {
        guard let place = terms.lastIndex(where: { $0.term == request.term }) else { return false }
        let end = place + 1 < terms.count ? terms[place + 1].first - 1 : lastNumber
        return request.last + 1 >= terms[place].first && request.last <= end
    }

    private func isFarBehind(_ request: SyncRequest, _ ledger: Ledger, _ lastNumber: UInt64) -> Bool {
        lastNumber - request.last > max(SyncDesk.mostAnnouncements, UInt64(ledger.table.bannedCount))
    }
}
