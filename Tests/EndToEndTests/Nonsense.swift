// What hostile or broken peers may send: random and mutated bytes from a seed, so that a failed run can be repeated.

import Glibc
import TestSupport
import Wire

/// A source of nonsense. It prints its seed; `ROBUSTNESS_SEED=… scripts/test RobustnessTests` gives the same nonsense again.
struct Nonsense: RandomNumberGenerator {
    private var generator: SeededGenerator

    init(_ name: String = #function) {
        let seed = getenv("ROBUSTNESS_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: .min ... .max)
        print("\(name): ROBUSTNESS_SEED=\(seed)")
        generator = SeededGenerator(seed: seed)
    }

    mutating func next() -> UInt64 { generator.next() }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: next()) { bytes.append(contentsOf: $0) } }
        return Array(bytes.prefix(count))
    }

    /// `bytes` with a few faults: a byte lost, doubled, replaced, two exchanged, a part repeated, or the rest cut off.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<number(1...3) {
            guard !bytes.isEmpty else { return self.bytes(number(0...3)) }
            let at = number(0...(bytes.count - 1))
            switch number(0...6) {
            case 0: bytes.remove(at: at)
            case 1: bytes.insert(bytes[at], at: at)
            case 2: bytes[at] = UInt8.random(in: .min ... .max, using: &self)
            case 3: bytes.swapAt(at, number(0...(bytes.count - 1)))
            case 4: bytes.insert(contentsOf: bytes[at...].prefix(200), at: at)
            case 5: bytes[at] = [0, 0x0a, 0x7c, 0x3d, 0x2d, 0x2a, 0x39].randomElement(using: &self) ?? 0
            default: bytes.removeSubrange(at...)
            }
        }
        return bytes
    }

    /// The frames of a request, good, faulty or no request at all. No frame is so large that the publisher disconnects.
    ///
    /// - Parameter term: the publisher's, which makes some questions ones that it takes seriously.
    mutating func request(from host: Hostname, _ number: Int, term: Term) -> [[UInt8]] {
        var frames = goodRequest(from: host, number, term).frames
        let at = self.number(0...(frames.count - 1))
        switch self.number(0...9) {
        case 0: return (0..<self.number(1...12)).map { _ in bytes(self.number(0...300)) }
        case 1: frames.remove(at: at)
        case 2: frames.insert(bytes(self.number(0...20)), at: at)
        case 3: frames.swapAt(at, self.number(0...(frames.count - 1)))
        case 4: frames[at] = bytes(self.number(0...2000))
        case 5: frames[at] = []
        case 6: frames[3] = bytes(self.number(0...9) == 0 ? Message.sizeLimit : 2000)
        case 7: frames[2] = Array(repeating: frames[2], count: 40).joined(separator: [0x0a]).map { $0 }
        default: frames[at] = mutated(frames[at])
        }
        return frames
    }

    /// A request as a host makes it.
    mutating func goodRequest(from host: Hostname, _ number: Int, _ term: Term) -> Message {
        let now = Timestamp(milliseconds: Int64(time(nil)) * 1000)
        let addresses = (0..<self.number(1...5)).compactMap { _ in
            Address(ipv4: 0xc612_0000 | UInt32(self.number(0...0xffff)), prefixLength: 32)
        }
        switch self.number(0...6) {
        case 6:
            let bans = addresses.compactMap { address in
                Jail("sshd").map { Event(host: host, jail: $0, action: .ban, address: address, seen: now, cause: .held) }
            }
            return HoldsPage(
                stream: "nonsense", position: UInt64(self.number(0...number * 10)), now: now, madeAt: now, id: "list-\(number / 5)",
                page: UInt64(self.number(1...3)), isLast: self.number(0...2) == 0, isComplete: self.number(0...1) == 0, bans: bans
            ).message
        case 5: return DaemonState(.subscriber, now: now, json: Array(#"{"lag":\#(self.number(0...9))}"#.utf8)).message
        case 4:
            let numbers = [0, 1, UInt64(self.number(0...5000)), UInt64(Int64.max)]
            return SyncRequest(
                term: [term, Term(id: next()), nil].randomElement(using: &self) ?? nil, last: numbers.randomElement(using: &self) ?? 0,
                wantsAll: self.number(0...1) == 0, after: addresses.randomElement(using: &self)
            ).message
        case 0: return Message(.query, ["what": "bans"])
        case 1: return Order(.unban, now: now, addresses: addresses).message
        case 2: return Message(.state, ["component": "monitor"], body: bytes(50))
        default:
            let entries = addresses.enumerated().map { index, address in
                let jail = Jail("sshd") ?? .cluster
                return Report.Entry(
                    position: UInt64(number * 10 + index + 1),
                    Event(host: host, jail: jail, action: .ban, address: address, seen: now, cause: .detected))
            }
            return Report(stream: "nonsense", now: now, entries: entries).message
        }
    }

    /// A frame of an old client, good or faulty.
    mutating func plainFrame() -> [UInt8] {
        let good = Array(
            "token|old\(number(1...9))|sshd|\(number(0...1) == 0 ? "Ban" : "Unban")|198.19.\(number(0...255)).\(number(0...255))".utf8)
        switch number(0...4) {
        case 0: return bytes(number(0...2000))
        case 1: return good
        case 2: return Array(good.dropFirst(6))
        default: return mutated(good)
        }
    }

    /// A broadcast's frame, good or faulty, of any term and with any numbers.
    mutating func broadcast() -> [UInt8] {
        let first = number(0...9) == 0 ? UInt64(Int64.max) - UInt64(number(0...9)) : UInt64(number(1...50))
        let events = (0..<UInt64(number(0...8))).filter { first + $0 <= UInt64(Int64.max) }.compactMap { index -> Event? in
            guard let host = Hostname("web\(number(1...9))"), let jail = Jail("sshd"),
                let address = Address(ipv4: 0xc612_0000 | UInt32(number(0...0xffff)), prefixLength: number(8...32))
            else { return nil }
            let ends: [BanEnd] = [
                .unknown, .permanent, .at(Timestamp(milliseconds: 0)), .at(.latest), .at(Timestamp(milliseconds: Int64(next() >> 20))),
            ]
            return Event(
                host: host, jail: jail, action: number(0...1) == 0 ? .ban : .unban, address: address, number: first + index,
                end: ends.randomElement(using: &self) ?? .unknown, cause: .detected)
        }
        let now = number(0...1) == 0 ? Timestamp(milliseconds: Int64(next() >> 15)) : Timestamp(milliseconds: 0)
        let good = Broadcast(term: Term(id: UInt64(number(0...3))), first: first, now: now, events: events).frame
        switch number(0...5) {
        case 0: return bytes(number(0...500))
        case 1: return Array(Broadcast.prefix.utf8) + bytes(number(0...Broadcast.sizeLimit - 10))
        case 2, 3: return mutated(good)
        default: return good
        }
    }

    /// A piece of a log that is none: binary, with zeros, newlines and parts of good lines in it.
    mutating func logBytes(_ count: Int) -> [UInt8] {
        var text: [UInt8] = []
        while text.count < count {
            switch number(0...5) {
            case 0: text += [UInt8](repeating: 0, count: number(1...200))
            case 1: text += Array("2026-11-21 03:00:00,000 fail2ban.actions        [4711]: NOTICE  [ss".utf8)
            case 2: text += [0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0x0a]
            case 3: text += mutated(Array("\(LoopbackCluster.banLine("198.18.1.1", jail: "sshd"))\n".utf8))
            default: text += bytes(number(1...500))
            }
        }
        return text
    }
}
