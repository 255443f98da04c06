// Stage 2, report -> admission -> journal -> broadcast: what one row of the journal says.

import Wire

/// One thing that happened, as the journal keeps it. Replaying the entries in order gives the state again.
enum JournalEntry: Equatable, Sendable {
    /// A host's event, or an operator's order on one address, with what was announced because of it.
    case admitted(Event, isPlain: Bool, isMove: Bool, announcement: Event?)
    /// A line that was refused: who sent it, the line as far as it could be read, and why.
    case refused(host: Hostname, event: Event?, reason: String)
    /// What the publisher announced by itself: a ban's time came, or the quorum changed.
    case announced(Event)

    /// What was announced, with its number.
    var announcement: Event? {
        switch self {
        case .admitted(_, _, _, let announcement): announcement
        case .announced(let event): event
        case .refused: nil
        }
    }

    /// The address whose record it changes; one entry never changes two.
    var address: Address? {
        switch self {
        case .admitted(let event, _, _, _), .announced(let event): event.address
        case .refused: nil
        }
    }
}
