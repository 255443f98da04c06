// The harness: what a measure is, and the list of all.

/// One question and how it is answered. A further one is a file in Measures/ and its name in ``all``.
struct Measure: Sendable {
    let name: String
    /// What is measured, in words for who runs it.
    let question: String
    /// Whether it only runs when it is named.
    var isOnRequest = false
    let run: @Sendable (Bench) throws -> [Figure]

    static let all: [Measure] = [
        .latency, .backlog, .publish, .plain, .snapshot, .crowd, .fanout, .memory, .idle, .fail2ban, .nftables, .growth,
    ]
}

/// What every measure is given.
struct Bench: Sendable {
    enum Form: String, Codable, Sendable {
        /// Under two minutes in all.
        case short
        /// The numbers that the budgets speak of.
        case long
    }

    let form: Form
    /// The folder of the programs that are measured.
    let programs: String
    /// Where tables for plots go.
    let plots: String?

    func pick<T>(short: T, long: T) -> T { form == .short ? short : long }
}

/// Why a measure could not be taken.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
