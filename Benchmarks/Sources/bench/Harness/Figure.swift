// The harness: what a measure found, beside the machine's own limit of the same run.

/// One figure of a measure. Times are in milliseconds.
struct Figure: Codable, Sendable {
    /// The machine's own limit for the same work, in the figure's unit.
    struct Limit: Codable, Sendable {
        let what: String
        let value: Double
    }

    /// The name that budgets know it by.
    let name: String
    let what: String
    let unit: String
    /// The only value, or the median of many.
    let value: Double
    var p99: Double?
    var maximum: Double?
    var limit: Limit?

    /// The figure as a part or a multiple of the limit.
    var ratio: Double? { limit.map { value / $0.value } }

    init(_ name: String, _ what: String, unit: String, _ value: Double, of limit: Limit? = nil) {
        (self.name, self.what, self.unit, self.value, self.limit) = (name, what, unit, value, limit)
    }

    init(_ name: String, _ what: String, milliseconds sample: Sample, of limit: Limit? = nil) {
        self.init(name, what, unit: "ms", sample.median, of: limit)
        (p99, maximum) = (sample.at(0.99), sample.at(1))
    }
}

/// Measured values of one kind.
struct Sample: Sendable {
    private(set) var sorted: [Double]

    init(_ values: [Double]) { sorted = values.sorted() }

    init(_ durations: [Duration]) { self.init(durations.map(\.milliseconds)) }

    var median: Double { at(0.5) }

    /// The value that this share of all does not exceed; 0 when there are none.
    func at(_ share: Double) -> Double {
        sorted.isEmpty ? 0 : sorted[min(Int((Double(sorted.count) * share).rounded(.up)), sorted.count) - (share > 0 ? 1 : 0)]
    }
}

extension Duration {
    var milliseconds: Double { Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15 }
    var seconds: Double { milliseconds / 1000 }
}
