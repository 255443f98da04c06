// Measure: how the figures grow with the number of subscribers, bans and monitors; drawn by scripts/bench into docs/plots.

import Foundation

extension Measure {
    static let growth = Measure(name: "growth", question: "how delays, memory and throughput grow", isOnRequest: true) { bench in
        guard let folder = bench.plots else { throw BenchError("growth needs --plots FOLDER") }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try subscribers(bench).write(to: folder)
        try bans(bench).write(to: folder)
        try monitors(bench).write(to: folder)
        return []
    }

    private static func subscribers(_ bench: Bench) throws -> Table {
        var table = Table("subscribers", ["subscribers", "median ms", "p99 ms", "% of a core"])
        for count in bench.pick(short: [10, 30, 100], long: [10, 30, 100, 300, 1000]) {
            let outcome = try Fanout(bench, subscribers: count).run(rate: 1000, seconds: bench.pick(short: 3, long: 10))
            guard outcome.lost == 0 else { throw BenchError("\(outcome.lost) events lost with \(count) subscribers") }
            table.add(Double(count), outcome.delays.median, outcome.delays.at(0.99), outcome.processorShare * 100)
        }
        return table
    }

    private static func bans(_ bench: Bench) throws -> Table {
        var table = Table("bans", ["bans", "publisher MB", "snapshot s", "start s"])
        for count in bench.pick(short: [1000, 10_000, 100_000], long: [1000, 10_000, 100_000, 1_000_000]) {
            let scene = try Reporting(bench, monitors: 8)
            try scene.report(count)
            let memory = try scene.publisher.daemon.memory
            var start = ContinuousClock.now
            let subscriber = try scene.cluster.subscriber(of: scene.publisher, ready: "the publisher has ")
            let snapshot = ContinuousClock.now - start
            subscriber.stop()
            scene.publisher.daemon.stop()
            start = .now
            let again = try scene.cluster.publisher()
            table.add(Double(count), memory / 1e6, snapshot.seconds, (ContinuousClock.now - start).seconds)
            again.daemon.stop()
        }
        return table
    }

    private static func monitors(_ bench: Bench) throws -> Table {
        var table = Table("monitors", ["monitors", "events/s", "SQLite alone, rows/s"])
        for count in bench.pick(short: [1, 8, 64], long: [1, 2, 4, 8, 16, 32, 64]) {
            let rate = try Reporting(bench, monitors: count).rate(bench.pick(short: 192_000, long: 960_000))
            table.add(Double(count), rate.events, rate.raw.rate)
        }
        return table
    }
}

/// A table of numbers as gnuplot reads it: a comment with what the columns are, then a line for each row.
private struct Table {
    let name: String
    private var lines: [String]

    init(_ name: String, _ columns: [String]) {
        self.name = name
        lines = ["# " + columns.joined(separator: "\t")]
    }

    mutating func add(_ values: Double...) {
        lines.append(values.map { String(format: "%.4g", $0) }.joined(separator: "\t"))
        say("  \(name): \(lines[lines.count - 1])")
    }

    func write(to folder: String) throws {
        try (lines.joined(separator: "\n") + "\n").write(toFile: "\(folder)/\(name).tsv", atomically: true, encoding: .utf8)
    }
}
