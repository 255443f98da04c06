// Stage 3, enforcement: what the dialogue with the kernel's nftables does next, and what of it the operator may want to know.

import Daemon
import Wire

extension NftablesDialogue {
    enum Step: Hashable, Sendable {
        case write(NftablesWrite)
        case read(NftablesReader.Request)
        /// Nothing to do until then, or until something arrives when it is `nil`.
        case wait(until: ContinuousClock.Instant?)
    }

    /// What a comparison found.
    struct Outcome: Hashable, Sendable {
        /// Single addresses in the kernel's sets.
        var found = 0
        /// Those that were wanted and missing, those with another end, and those that weren't wanted.
        var lacking = 0
        var misdated = 0
        var surplus = 0
        /// Ranges that had to go or come.
        var ranges = 0

        var isEmpty: Bool { lacking == 0 && misdated == 0 && surplus == 0 && ranges == 0 }
    }

    enum Notice: Equatable, Sendable {
        /// The table is there, and was compared for the first time.
        case connected(Outcome, took: Duration)
        case wrote(NftablesWrite, took: Duration)
        /// Someone else changed the table, and it is as it was.
        case repaired(Outcome)
        /// The kernel had something else than it was told, without anyone being heard to change it.
        case corrected(Outcome)
        /// Once when a failure begins, and once more, as `persistent`, when it lasts.
        case failing(SystemError, persistent: Bool)
        /// The kernel does not take this address; it is tried again later, and when it is announced again.
        case rejected(Address, SystemError)
    }
}

extension NftablesDialogue.Outcome: CustomStringConvertible {
    /// `3 bans lacked, 1 had another end, 2 were too many, 4 ranges differed`.
    var description: String {
        let parts = [
            (lacking, "lacked"), (misdated, "had another end"), (surplus, "were too many"), (ranges, "ranges differed"),
        ].filter { $0.0 != 0 }.map { "\($0.0) \($0.1)" }
        return parts.isEmpty ? "nothing lacked" : parts.joined(separator: ", ")
    }
}

extension NftablesWrite {
    /// For the log: `banned 192.0.2.1`, or `banned 4000, moved 2, lifted 17 addresses`.
    var summary: String {
        switch self {
        case .table: return "wrote the table"
        case .allRanges(let family, let ranges): return "wrote all \(ranges.count) ranges of \(family == .ipv4 ? "IPv4" : "IPv6")"
        case .ranges(let family, let changes):
            let (removed, added) = (changes.reduce(0) { $0 + $1.removed.count }, changes.reduce(0) { $0 + $1.added.count })
            return "\(added) ranges of \(family == .ipv4 ? "IPv4" : "IPv6") came, \(removed) went"
        case .addresses(let changes):
            let isShort = changes.count <= 5
            let parts = [
                ("banned", changes.bans.map(\.address)), ("moved the end of", changes.moved.map(\.address)), ("lifted", changes.lifted),
            ].filter { !$0.1.isEmpty }
                .map { verb, list in isShort ? "\(verb) \(list.map(\.description).joined(separator: " "))" : "\(verb) \(list.count)" }
            return parts.joined(separator: ", ") + (isShort ? "" : " addresses")
        }
    }
}
