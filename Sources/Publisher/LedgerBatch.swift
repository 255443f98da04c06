// Stage 2, report -> admission -> journal -> broadcast: what one transaction of the journal holds.

import Wire

extension Ledger {
    /// Names a host's sequence of positions.
    struct Stream: Hashable, Sendable {
        var host: Hostname
        var name: String
    }

    /// What one transaction of the journal holds.
    struct Batch: Equatable, Sendable {
        var entries: [(admitted: Timestamp, entry: JournalEntry)] = []
        var positions: [Stream: UInt64] = [:]
        /// Streams that were not known before.
        var begun: [Stream] = []
        /// Streams whose positions are not kept any longer.
        var forgotten: [Stream] = []
        /// The numbers of announcements that only move an end, which old clients don't hear of.
        var movedEnds: Set<UInt64> = []

        var isEmpty: Bool { entries.isEmpty && positions.isEmpty }

        /// What must be broadcast, in the order of its numbers.
        var announcements: [Event] {
            var announcements: [Event] = []
            announcements.reserveCapacity(entries.count)
            for (_, entry) in entries { if let announcement = entry.announcement { announcements.append(announcement) } }
            return announcements
        }

        static func == (a: Batch, b: Batch) -> Bool {
            a.positions == b.positions && a.entries.elementsEqual(b.entries) { $0.admitted == $1.admitted && $0.entry == $1.entry }
        }
    }
}
