// Hostile peers: a host with an authorised key that sends random and mutated requests, each of which must be answered.

import TestSupport
import Testing
import Wire
import ZeroMQ

/// One connection with one key. It has one request under way, so that the publisher looks at each.
final class Mole {
    let name: Hostname
    private let socket: Socket
    private var isWaiting = false
    /// What it sent lately, to be sent again.
    private var recent: [[[UInt8]]] = []
    /// How often each verb came as an answer, and each code of a refusal.
    private(set) var answers: [String: Int] = [:]
    /// How often a refusal said that a line named another host.
    private(set) var forgeriesRefused = 0

    init(_ name: Hostname, _ keys: KeyPair, in cluster: LoopbackCluster, _ context: Context) throws {
        self.name = name
        socket = try cluster.dealer(keys, in: context)
    }

    /// One request: mostly nonsense; sometimes one that it or somebody else sent before, or a good one in another host's name.
    func next(_ number: Int, _ nonsense: inout Nonsense, term: Term, victim: Event) -> [[UInt8]] {
        switch nonsense.number(0...19) {
        case 0, 1:
            if let former = recent.randomElement(using: &nonsense) { return former }
            return nonsense.request(from: name, number, term: term)
        case 2:
            let entries = (1...nonsense.number(1...5)).map { Report.Entry(position: UInt64(number * 10 + $0), victim) }
            return Report(stream: "nonsense", now: .present, entries: entries).message.frames
        case 3, 4, 5: return nonsense.goodRequest(from: name, number, term).frames
        default:
            let frames = nonsense.request(from: name, number, term: term)
            if recent.count < 200 { recent.append(frames) } else { recent[number % 200] = frames }
            return frames
        }
    }

    /// Sends a request when the one before is answered.
    ///
    /// - Parameter hasEnvelope: whether the empty frame of a REQ socket comes first; without it nobody can be answered.
    func send(_ frames: [[UInt8]], hasEnvelope: Bool) throws {
        try readAnswer()
        _ = try socket.send(hasEnvelope ? [[]] + frames : frames)
        isWaiting = hasEnvelope ? (1...6).contains(frames.count) : frames.first == [] && (2...7).contains(frames.count)
    }

    /// Waits for the answer, if there is one to come.
    func readAnswer() throws {
        guard isWaiting else { return }
        isWaiting = false
        let answer = try #require(try socket.next(by: .now + .seconds(60)), "no answer").frames
        #expect(answer.first == [])
        let message = try Message(frames: Array(answer.dropFirst()))
        let code = RequestRefusal(message).map { " \($0.code)" } ?? ""
        answers["\(message.verb.rawValue)\(code)", default: 0] += 1
        if message.verb == .acknowledged, String(decoding: message.body, as: UTF8.self).contains("names another host") {
            forgeriesRefused += 1
        }
    }
}
