// Stage 2, report -> admission -> journal -> broadcast: what one row of the journal says.

import Wire

/// One thing that happened, as the journal keeps it. Replaying the entries in order gives the state again.
enum JournalEntry: Equatable, Sendable {
    /// A host's event, or an operator's order on one address, with what was announced because of it.
    case admitted(Event, isPlain: Bool, isMove: Bool, announced: Announced = .nothing)
    /// A line that was refused: who sent it, the line as far as it could be read, and why.
    indirect case refused(host: Hostname, event: Event?, reason: String)
    /// What the publisher announced by itself: a ban's time came, or the quorum changed.
    case announced(Event)

    /// What was announced because of an event. Mostly it is the event itself: a batch has thousands of entries, and half of each would say
    /// the same again.
    enum Announced: Equatable, Sendable {
        case nothing
        /// The event itself, under this number.
        case same(number: UInt64)
        /// Another one, with its number.
        indirect case other(Event)
    }

    /// What was announced, with its number.
    var announcement: Event? {
        switch self {
        case .admitted(var event, _, _, .same(let number)):
            event.number = number
            return event
        case .admitted(_, _, _, .other(let event)), .announced(let event): return event
        case .admitted(_, _, _, .nothing), .refused: return nil
        }
    }

    /// The number of what was announced.
    var number: UInt64? {
        switch self {
        case .admitted(_, _, _, .same(let number)): number
        case .admitted(_, _, _, .other(let event)), .announced(let event): event.number
        case .admitted(_, _, _, .nothing), .refused: nil
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
