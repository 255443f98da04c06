// Fault test: what is banned and lifted on one host, by the seed alone.

import TestSupport

/// The jails that detect attackers on each host, beside fail2ban's own `sshd`.
enum ChaosJail: String, CaseIterable, Sendable {
    /// Bans that last longer than any run.
    case door, gate
    /// Bans that end during it.
    case brief
    /// Found by fail2ban itself in a log, and banned for longer than any run.
    case sshd

    /// Its ban time in seconds.
    var banTime: Int {
        switch self {
        case .door: 6 * 3600
        case .gate: 12 * 3600
        case .brief: 15
        case .sshd: 6 * 3600
        }
    }

    var isLong: Bool { self != .brief }
}

/// What an admin or an attacker does next.
struct HostOrder: Equatable, Sendable {
    enum Deed: Equatable, Sendable {
        /// `fail2ban-client set JAIL banip`.
        case ban(ChaosJail)
        /// `fail2ban-client set JAIL unbanip`.
        case lift(ChaosJail)
        /// Failed logins in the log that the jail `sshd` reads.
        case attack
    }

    var deed: Deed
    var addresses: [String]
    /// Milliseconds since the order before it.
    var pause: Int
}

/// The sequence of orders on one host.
struct Traffic: Sendable {
    /// About as many bans as one host has at a time.
    private static let mostHeld = 400

    let host: Int
    private let pauses: ClosedRange<Int>
    private var random: SeededGenerator
    private var count = 0
    /// What was banned in a jail that lasts, and not lifted since.
    private var held: [(jail: ChaosJail, address: String)] = []
    private var lifted: [(jail: ChaosJail, address: String)] = []

    init(seed: UInt64, host: Int, pauses: ClosedRange<Int> = 150...900) {
        self.host = host
        self.pauses = pauses
        random = SeededGenerator(seed: seed &+ UInt64(host) &* 0x9e37_79b9)
    }

    mutating func next() -> HostOrder {
        let pause = Int.random(in: pauses, using: &random)
        let jail: ChaosJail = Bool.random(using: &random) ? .door : .gate
        switch Int.random(in: 0..<100, using: &random) {
        case _ where held.count > Traffic.mostHeld: return lift(upTo: 40, pause)
        case 0..<12 where !held.isEmpty: return lift(upTo: 6, pause)
        case 12..<20:
            return HostOrder(deed: .ban(.brief), addresses: fresh(upTo: 4), pause: pause)
        case 20..<26:
            return HostOrder(deed: .attack, addresses: fresh(upTo: 2), pause: pause)
        case 26..<36:
            // Few addresses, which other hosts and jails ban too.
            let shared = (0..<3).map { _ in "198.19.255.\(Int.random(in: 1...60, using: &random))" }
            return ban(Array(Set(shared)).sorted(), jail, pause)
        case 36..<42 where !lifted.isEmpty:
            let again = lifted.remove(at: Int.random(in: lifted.indices, using: &random))
            return ban([again.address], again.jail, pause)
        default:
            return ban(fresh(upTo: 10), jail, pause)
        }
    }

    private mutating func ban(_ addresses: [String], _ jail: ChaosJail, _ pause: Int) -> HostOrder {
        held += addresses.filter { address in !held.contains { $0 == (jail, address) } }.map { (jail, $0) }
        return HostOrder(deed: .ban(jail), addresses: addresses, pause: pause)
    }

    private mutating func lift(upTo limit: Int, _ pause: Int) -> HostOrder {
        let jail = held[Int.random(in: held.indices, using: &random)].jail
        var addresses: [String] = []
        for _ in 0..<Int.random(in: 1...limit, using: &random) {
            let index = Int.random(in: held.indices, using: &random)
            guard held[index].jail == jail else { continue }
            addresses.append(held.remove(at: index).address)
            if held.isEmpty { break }
        }
        if addresses.isEmpty, let index = held.firstIndex(where: { $0.jail == jail }) { addresses = [held.remove(at: index).address] }
        lifted += addresses.map { (jail, $0) }
        if lifted.count > 100 { lifted.removeFirst(lifted.count - 100) }
        return HostOrder(deed: .lift(jail), addresses: addresses, pause: pause)
    }

    private mutating func fresh(upTo limit: Int) -> [String] {
        (0..<Int.random(in: 1...limit, using: &random)).map { _ in
            count += 1
            if Int.random(in: 0..<4, using: &random) == 0 { return "2001:db8:\(host):\(String(count, radix: 16))::1" }
            // 16,384 addresses for each of eight hosts.
            let number = (host - 1) % 8 << 14 | count % (1 << 14)
            return "198.\(18 + number >> 16).\(number >> 8 & 255).\(number & 255)"
        }
    }
}
