// The harness: what is to be reached, as data, and whether a figure does.

import Foundation

/// The budgets of Benchmarks/budgets.json: by figure, the bounds of its parts.
struct Budgets: Sendable {
    /// A bound of one part of a figure; `reason` says where it comes from, or why the short form has another one.
    struct Bound: Codable, Sendable {
        enum Part: String, Codable, Sendable { case value, p99, maximum, ratio }

        let part: Part
        var least: Double?
        var most: Double?

        func admits(_ value: Double) -> Bool { value >= least ?? -.infinity && value <= most ?? .infinity }
    }

    enum Verdict: String, Codable, Sendable {
        case reached
        case missed
        /// No budget speaks of it.
        case noted
    }

    let bounds: [String: [Bound]]

    init(path: String) throws {
        bounds = try JSONDecoder().decode([String: [Bound]].self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }

    func verdict(on figure: Figure) -> (Verdict, text: String) {
        guard let bounds = bounds[figure.name], !bounds.isEmpty else { return (.noted, "") }
        var verdict = Verdict.reached
        var texts: [String] = []
        for bound in bounds {
            guard let value = figure.part(bound.part) else { continue }
            if !bound.admits(value) { verdict = .missed }
            let sign = bound.least != nil ? ">=" : "<="
            texts.append("\(bound.part.rawValue) \(sign) \((bound.least ?? bound.most ?? 0).figures)")
        }
        return (verdict, texts.joined(separator: ", "))
    }
}

extension Figure {
    fileprivate func part(_ part: Budgets.Bound.Part) -> Double? {
        switch part {
        case .value: value
        case .p99: p99
        case .maximum: maximum
        case .ratio: ratio
        }
    }
}
