// The command of the benchmarks: which measures run, in which form, and where their figures go. Run by scripts/bench.

import ArgumentParser
import Foundation

@main
struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract:
            "Measures the release build's programs on loopback, encrypted and with a journal on disk, beside the machine's own limits.")

    @Flag(help: "The full form: a million bans, a thousand subscribers. About 15 minutes.") var long = false
    @Flag(help: "Name the measures and end.") var list = false
    @Option(help: "Only this measure; may be repeated.") var only: [String] = []
    @Option(help: "The folder of the release build's programs.") var programs: String
    @Option(help: "The budgets.") var budgets: String
    @Option(help: "Also writes the figures there, as JSON.") var json: String?
    @Option(help: "Where the measure `growth` writes its tables for the plots.") var plots: String?

    func validate() throws {
        for name in only where !Measure.all.contains(where: { $0.name == name }) {
            throw ValidationError("no measure is named \(name); see --list")
        }
    }

    func run() throws {
        if list {
            for measure in Measure.all { print("\(measure.name.padded(to: 12)) \(measure.question)") }
            return
        }
        let budgets = try Budgets(path: budgets)
        let bench = Bench(form: long ? .long : .short, programs: programs, plots: plots)
        let chosen = Measure.all.filter { only.isEmpty ? !$0.isOnRequest : only.contains($0.name) }
        var lines: [Report.Line] = []
        for measure in chosen {
            say("\(measure.name): \(measure.question)")
            for figure in try measure.run(bench) { lines.append(Report.Line(figure, budgets)) }
        }
        let report = Report(form: bench.form, machine: .this, lines: lines)
        // What is only drawn has no figures.
        if !lines.isEmpty { print(report.table) }
        if let json { try report.json.write(to: URL(fileURLWithPath: json)) }
        if lines.contains(where: { $0.verdict == .missed }) { throw ExitCode.failure }
    }
}

/// Says on standard error what goes on.
func say(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
