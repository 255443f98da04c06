// Fuzzing: requests, from their frames through admission to the answers.

import Daemon
import Foundation
import Wire
import ZeroMQ

@testable import Publisher

extension FuzzTarget {
    /// Several requests of one host that may do everything.
    static let request = FuzzTarget(name: "request", longest: 4096) { input in
        let sender = try Hostname.whenFuzzing
        guard let key = PublicKey(z85: String(repeating: "0", count: 40)) else { throw Finding("no key to send with") }
        var hosts = AuthorizedHosts()
        try hosts.authorize(AuthorizedHosts.Host(name: sender, roles: Set(AuthorizedHosts.Role.allCases), key: key))
        let reception = Reception(hosts: hosts)
        let term = Term(id: 7)
        var ledger = Ledger.toFuzz
        // SQLite's name for a database without a file. Most inputs ask nothing of it.
        let path = ":memory:"
        var journal: Journal?
        var desk = AnswerDesk(terms: [(term, 1)], facts: PublisherFacts(of: sender, term, at: [], journal: path, now: .whenFuzzing))
        for frames in input.messages {
            if let request = try? Message(frames: frames) { try checkRequest(request) }
            let before = ledger.pending.entries.count
            let outcome = reception.take(frames, from: sender, ledger: &ledger, term: term, now: .whenFuzzing)
            if case .sync(let request) = outcome {
                try require((try? SyncRequest(request.message)) == request, "SYNC means something else")
            }
            let answer: Message
            if case .answer(let given) = outcome {
                answer = given
            } else {
                let opened = try journal ?? Journal(path: path)
                journal = opened
                desk.beginTurn()
                answer = try desk.answer(outcome, ledger: ledger, journal: opened, hosts: hosts, now: .whenFuzzing)
            }
            try checkAnswer(answer, term: term)
            // Of a refused order it is recorded that it was refused.
            let isDone = ledger.pending.entries[before...].contains { if case .refused = $0.entry { false } else { true } }
            if answer.verb == .refused { try require(!isDone, "refused, and done") }
            ledger.compareLists(now: .whenFuzzing, limit: 100)
        }
        for (_, entry) in ledger.pending.entries {
            switch entry {
            case .refused(let host, let event, _):
                try require(host == sender, "refused as \(host)")
                if let event { try checkLine(of: event) }
            case .admitted(let event, let isPlain, _, _):
                try checkLine(of: event)
                try require(event.host == sender && !isPlain, "admitted: \(event.line)")
                if let announcement = entry.announcement { try checkAnnouncement(announcement) }
            case .announced(let event): try checkAnnouncement(event)
            }
        }
        // All or nothing: what is not on disk has not happened.
        ledger.rollBack()
        try require(ledger.pending.isEmpty && ledger.table.holdCount(of: sender) == 0, "taken back, and still there")
    }
}

/// A request that was understood is printed as one that says the same.
private func checkRequest(_ request: Message) throws(Finding) {
    try require((try? Message(frames: request.frames)) == request, "the frames mean something else: \(request.frames)")
    if let report = try? Report(request) {
        // A line that is no event is left out.
        let kept = Report(stream: report.stream, now: report.now, entries: report.entries.filter { (try? $0.content.get()) != nil })
        try require((try? Report(kept.message)) == kept, "REPORT means something else")
    }
    if let page = try? HoldsPage(request) { try require((try? HoldsPage(page.message)) == page, "HOLDS means something else") }
    if let order = try? Order(request) {
        try require((try? Order(order.message)) == order, "ORDER means something else")
        try require(order.addresses.count <= Order.addressLimit, "\(order.addresses.count) addresses")
    }
    if let state = try? DaemonState(request) { try require((try? DaemonState(state.message)) == state, "STATE means something else") }
}

/// Every answer fits, says the publisher's term, and is understood by who asked.
private func checkAnswer(_ answer: Message, term: Term) throws(Finding) {
    let frames = answer.frames
    try require(frames.allSatisfy { $0.count <= Message.sizeLimit }, "\(frames.map(\.count)) bytes")
    guard let read = try? Message(frames: frames) else { throw Finding("nobody understands \(answer.verb.rawValue)") }
    try require(read == answer, "\(answer.verb.rawValue) means something else")
    try require(read.header.term == term, "\(answer.verb.rawValue) without its term")
    switch read.verb {
    case .refused: try require(RequestRefusal(read) != nil, "nobody understands the NAK")
    // That of an order has a number in place of a position.
    case .acknowledged where read.header["number"] == nil: try require((try? Acknowledgement(read)) != nil, "nobody understands the ACK")
    case .events, .snapshot: try require((try? SyncAnswer(read)) != nil, "nobody understands the answer to SYNC")
    case .json: try require((try? JSONSerialization.jsonObject(with: Data(read.body))) is [String: Any], "the answer is no JSON object")
    case .acknowledged, .ok: break
    default: throw Finding("\(read.verb.rawValue) answers a request")
    }
}
