// The parser against its specification, the corpus, and what no corpus line can say.

import Daemon
import TestSupport
import Testing
import Wire

@testable import Monitor

@Suite struct LogLineParserTests {
    static let corpus = #filePath.replacing("LogLineParserTests.swift", with: "Corpus/log-lines.txt")

    @Test func readsEveryLineOfTheCorpusAsItSays() throws {
        let entries = try CorpusEntry.load(LogLineParserTests.corpus)
        #expect(entries.count > 90)
        for entry in entries {
            #expect(result(of: entry.line) == entry.expected, "\(entry.testDescription)")
        }
    }

    @Test func aLineOfAnyLengthIsReadOrPassedOver() {
        let prefix = Array("2026-11-21 03:01:24,947 fail2ban.actions        [13077]: NOTICE  [echo] Ban 192.0.2.60".utf8)
        let long = prefix + [UInt8](repeating: UInt8(ascii: " "), count: 10_000)
        for length in [0, 1, 10, 23, 24, prefix.count, 4096, 4097, 10_000] {
            let expected =
                switch length {
                case prefix.count: "ban echo 192.0.2.60 @ local 2026-11-21 03:01:24.947"
                case ..<prefix.count: "nothing: form"
                case ...4096: "nothing: address"
                default: "nothing: tooLong"
                }
            #expect(result(of: Array(long[..<length])) == expected)
        }
    }

    /// Every prefix of a line, every line with one byte changed: read without a trap, and never as the ban of another address.
    @Test func noDamageToALineMakesAnotherBanOfIt() throws {
        var random = SeededGenerator(seed: 1)
        for entry in try CorpusEntry.load(LogLineParserTests.corpus) {
            for length in 0..<entry.line.count { _ = result(of: Array(entry.line[..<length])) }
            for _ in 0..<200 where !entry.line.isEmpty {
                var line = entry.line
                let place = Int.random(in: 0..<line.count, using: &random)
                // The address itself may become another one.
                guard line[place] < UInt8(ascii: ".") || line[place] > UInt8(ascii: ":"), line[place] != UInt8(ascii: " ") else { continue }
                line[place] = UInt8(ascii: "]")
                if case .success(let read) = parse(line), case .ban(let target) = read.message {
                    #expect(entry.expected.contains(" \(target.address) "), "\(String(decoding: line, as: UTF8.self))")
                }
            }
        }
    }

    @Test func keepsTheIdAsFail2banWroteIt() throws {
        let line = Array("fail2ban.actions [1]: NOTICE [echo] Unban 2001:DB8:0:0::3".utf8)
        let read = try parse(line).get()
        #expect(read.message == .unban(LogLine.Target(address: try #require(Address("2001:db8::3")), id: "2001:DB8:0:0::3")))
    }
}

private func parse(_ line: [UInt8]) -> Result<LogLine, LogLine.Nothing> {
    do throws(LogLine.Nothing) { return .success(try LogLineParser.parse(line.span)) } catch { return .failure(error) }
}

/// What the parser reads, in the words of the corpus.
private func result(of line: [UInt8]) -> String {
    let read: LogLine
    do throws(LogLine.Nothing) { read = try LogLineParser.parse(line.span) } catch {
        return switch ServerLine(line.span) {
        case .stopped(let jail): "stopped \(jail)"
        case .started(let jail): "started \(jail)"
        case .stopping: "stopping"
        case .starting: "starting"
        case nil: "nothing: \(String(describing: error))"
        }
    }
    let jail = read.jail
    let what =
        switch read.message {
        case .ban(let target): "ban \(jail) \(target.address)"
        case .unban(let target): "unban \(jail) \(target.address)"
        case .restore(let target): "restore \(jail) \(target.address)"
        case .repeal(let target): "repeal \(jail) \(target.address)"
        case .reban(let target): "reban \(jail) \(target.address)"
        case .alreadyBanned(let target): "already-banned \(jail) \(target.address)"
        case .expired(let target): "expired \(jail) \(target.address)"
        case .increase(let target, until: .permanent): "increase \(jail) \(target.address) until permanent"
        case .increase(let target, until: .at(let end)): "increase \(jail) \(target.address) until \(end.date) \(end.time)"
        case .flush: "flush \(jail)"
        }
    let stamp =
        switch read.stamp {
        case .none: "none"
        case .exact(let time): "exact \(time.milliseconds)"
        case .local(let local): "local \(local.date) \(local.time).\(padded(local.millisecond, 3))"
        case .yearless(let local): "yearless \(local.date.dropFirst(5)) \(local.time)"
        }
    return "\(what) @ \(stamp)"
}

extension LocalTime {
    fileprivate var date: String { "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))" }
    fileprivate var time: String { "\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2))" }
}

private func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
}
