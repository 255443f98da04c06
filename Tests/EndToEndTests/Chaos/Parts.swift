// Fault test: what of the cluster is being changed, so that no two faults do opposite things to one part.

/// A part of the cluster that one fault at a time may change.
enum Part: Hashable, Sendable {
    case publisher, disk
    case monitor(Int), subscriber(Int), link(Int), relay(Int)
    /// A host's fail2ban, as a process.
    case fail2ban(Int)
    /// What is banned and lifted at a host's fail2ban.
    case orders(Int)
}

/// Gives parts to those who ask, all that one asks for at a time, in the order in which they asked.
actor Parts {
    private var taken: Set<Part> = []
    private var waiting: [(parts: Set<Part>, resume: CheckedContinuation<Void, Never>)] = []

    /// Has the parts for itself while `body` runs.
    nonisolated func with<Result: Sendable>(_ parts: Set<Part>, _ body: () async throws -> Result) async rethrows -> Result {
        await take(parts)
        do {
            let result = try await body()
            await give(parts)
            return result
        } catch {
            await give(parts)
            throw error
        }
    }

    private func take(_ parts: Set<Part>) async {
        if isFree(parts, behind: waiting[...]) {
            taken.formUnion(parts)
        } else {
            await withCheckedContinuation { waiting.append((parts, $0)) }
        }
    }

    private func give(_ parts: Set<Part>) {
        taken.subtract(parts)
        var index = 0
        while index < waiting.count {
            if isFree(waiting[index].parts, behind: waiting[..<index]) {
                let next = waiting.remove(at: index)
                taken.formUnion(next.parts)
                next.resume.resume()
            } else {
                index += 1
            }
        }
    }

    /// Whether nobody has one of them, and nobody who came before waits for one.
    private func isFree(_ parts: Set<Part>, behind others: ArraySlice<(parts: Set<Part>, resume: CheckedContinuation<Void, Never>)>) -> Bool
    {
        taken.isDisjoint(with: parts) && others.allSatisfy { $0.parts.isDisjoint(with: parts) }
    }
}
