// Fuzzing: the one frame of a client of fail2ban-zmq-tools, from its bytes to the answer.

import Daemon
import Wire

@testable import Publisher

extension FuzzTarget {
    /// One frame `[token|]host|jail|action|ip`, or several, which is wrong.
    static let plainRequest = FuzzTarget(name: "plain-request", longest: 1024) { input in
        let frames = input.messages[0]
        for (tokens, isOpen) in [([], true), (["JTKVSB%%)wK0E", "second"], false)] as [([String], Bool)] {
            var ledger = Ledger.toFuzz
            let (answer, refusal) = PlainReception(tokens: tokens, unbansCount: true)
                .answer(frames, ledger: &ledger, isAuthorized: { $0.description == "web1" }, now: .whenFuzzing)
            let announced = ledger.pending.entries.compactMap(\.entry.announcement)
            guard refusal == nil else {
                try require(answer == PlainReception.refusal, "refused, and answered \(answer.text)")
                try require(announced.isEmpty, "refused, and announced")
                continue
            }
            try require(frames.count == 1 && frames[0].suffix(answer.count).elementsEqual(answer), "another answer: \(answer.text)")
            try require(
                isOpen ? answer == frames[0] : tokens.contains { (Array($0.utf8) + [UInt8(ascii: "|")] + answer) == frames[0] },
                "a wrong token")
            try require(!answer.starts(with: "web1|".utf8), "in the name of a host with a key")
            for event in announced { try checkAnnouncement(event) }
        }
    }
}

extension Timestamp {
    /// The publisher's clock in all targets: an input must mean the same tomorrow.
    static let whenFuzzing = Timestamp(milliseconds: 1_795_212_000_000)
}

extension Ledger {
    /// An empty one that protects some addresses.
    static var toFuzz: Ledger {
        Ledger(
            admission: Admission(neverBan: .toFuzz, maximumBanTime: longestBan),
            table: BanTable(quorum: 1, maximumBanTime: longestBan), maximumHolds: 1000, maximumRate: 0)
    }

    /// A week, in milliseconds.
    static let longestBan: Int64 = 604_800_000
}

extension NeverBan {
    static let toFuzz = NeverBan(ignoreip: ["198.51.100.0/25", "2001:db8:1::/48"].compactMap { IgnoreRule($0) })
}

/// What is announced travels, ends, and bans nothing that is protected.
func checkAnnouncement(_ event: Event) throws(Finding) {
    try checkLine(of: event)
    try require(event.number != nil, "not numbered: \(event.line)")
    guard event.action == .ban else { return }
    try require(NeverBan.toFuzz.refusal(for: event.address) == nil, "protected: \(event.line)")
    guard event.cause != .operator else { return }
    guard case .at(let end) = event.end else { throw Finding("never ends: \(event.line)") }
    try require(end <= Timestamp.whenFuzzing.advanced(byMilliseconds: Ledger.longestBan), "ends too late: \(event.line)")
}
