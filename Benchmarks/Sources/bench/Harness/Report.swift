// The harness: the figures of one run as a table and as JSON.

import Foundation

struct Report: Codable, Sendable {
    struct Line: Codable, Sendable {
        let figure: Figure
        let ratio: Double?
        let budget: String
        let verdict: Budgets.Verdict

        init(_ figure: Figure, _ budgets: Budgets) {
            self.figure = figure
            ratio = figure.ratio
            (verdict, budget) = budgets.verdict(on: figure)
        }
    }

    /// What the figures are of.
    struct Machine: Codable, Sendable {
        let cores: Int
        let kernel: String
        /// The load average of a minute: a figure of a busy machine says less.
        let load: Double

        static var this: Machine {
            var load = 0.0
            getloadavg(&load, 1)
            var system = utsname()
            uname(&system)
            let kernel = withUnsafeBytes(of: &system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return Machine(cores: ProcessInfo.processInfo.activeProcessorCount, kernel: kernel, load: load)
        }
    }

    let form: Bench.Form
    let machine: Machine
    let lines: [Line]

    var json: Data {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            return try encoder.encode(self)
        }
    }

    var table: String {
        var rows = [["measure", "", "median", "p99", "maximum", "unit", "machine's limit", "ratio", "budget", ""]]
        for line in lines {
            let figure = line.figure
            rows.append([
                figure.name, figure.what, figure.value.figures, figure.p99?.figures ?? "", figure.maximum?.figures ?? "", figure.unit,
                figure.limit.map { "\($0.value.figures) \($0.what)" } ?? "", line.ratio?.figures ?? "", line.budget,
                line.verdict == .noted ? "" : line.verdict.rawValue,
            ])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let head = "\(form.rawValue) form, \(machine.cores) cores, Linux \(machine.kernel), load \(machine.load.figures)"
        var texts = rows.map { row in "| " + zip(row, widths).map { $0.padded(to: $1) }.joined(separator: " | ") + " |" }
        texts.insert("|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|", at: 1)
        return ([head, ""] + texts).joined(separator: "\n")
    }
}

extension Double {
    /// Three figures that count; large numbers in full, with their thousands apart.
    var figures: String {
        if self >= 1000 {
            let digits = String(Int(rounded()))
            return digits.enumerated().map { (digits.count - $0) % 3 == 0 && $0 > 0 ? ",\($1)" : "\($1)" }.joined()
        }
        let text = String(format: self >= 100 ? "%.0f" : self >= 10 ? "%.1f" : self >= 1 ? "%.2f" : "%.3f", self)
        return text
    }
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(width - count, 0)) }
}
