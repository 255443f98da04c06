// Fault test: which fault comes next, by the seed alone.

import TestSupport

/// The sequence of faults of one seed: first each kind once, in a random order, then at random by their weights.
struct FaultPlan: Sendable {
    private let kinds: [FaultKind]
    private let hosts: Int
    private let pauses: ClosedRange<Int>
    private var random: SeededGenerator
    private var deck: [FaultKind]

    /// - Parameters:
    ///   - kinds: those that may happen, at least one.
    ///   - hosts: how many hosts there are; web1 has the publisher.
    ///   - pauses: milliseconds between the beginnings of two faults.
    init(seed: UInt64, kinds: [FaultKind], hosts: Int, pauses: ClosedRange<Int> = 300...1800) {
        self.kinds = kinds
        self.hosts = hosts
        self.pauses = pauses
        random = SeededGenerator(seed: seed)
        deck = kinds.shuffled(using: &random)
    }

    mutating func next() -> Fault {
        let kind = deck.popLast() ?? weighted()
        let host =
            kind.isOfPublisher ? 1 : Int.random(in: (kind.needsDistance ? 2 : 1)...hosts, using: &random)
        return Fault(
            kind: kind, host: host, pause: Int.random(in: pauses, using: &random), length: Int.random(in: kind.lengths, using: &random),
            size: Int.random(in: 0..<1000, using: &random))
    }

    private mutating func weighted() -> FaultKind {
        var number = Int.random(in: 0..<kinds.reduce(0) { $0 + $1.weight }, using: &random)
        for kind in kinds {
            number -= kind.weight
            if number < 0 { return kind }
        }
        return kinds[0]
    }
}
