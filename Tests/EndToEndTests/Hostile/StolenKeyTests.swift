// A host's key in the hands of a thief, in a cluster of real hosts: what the thief can't do, and how all that it did is undone.

import Glibc
import TestSupport
import Testing
import Wire
import ZeroMQ

/// Who has stolen a host's key and connects from an address of its own.
private final class Thief {
    static let address = "192.0.2.66"

    private let name: String
    private let keys: KeyPair
    private let publisher: PublicKey
    private let context: Context
    let requests: Socket
    let broadcasts: Socket

    /// - Precondition: the thread is in the network of a host that has the thief's address.
    init(from host: LabHost) throws {
        func key(_ file: String) -> String { String(host.file("keys/\(file)").prefix { $0 != "\n" }) }
        name = host.name
        keys = try KeyPair(secretKey: try #require(SecretKey(z85: key("host.key"))))
        publisher = try #require(PublicKey(z85: key("publisher.pub")))
        context = try Context()
        requests = try Socket(.dealer, in: context)
        broadcasts = try Socket(.subscriber, in: context)
        try requests.curveClient(own: keys, server: publisher)
        try broadcasts.curveClient(own: keys, server: publisher)
        try broadcasts.subscribe([])
        try requests.connect("tcp://\(Thief.address):0;192.0.2.1:5678")
        try broadcasts.connect("tcp://\(Thief.address):0;192.0.2.1:5680")
    }

    func ask(_ message: Message) throws -> Message {
        _ = try requests.send([[]] + message.frames)
        let answer = try #require(try requests.next(by: .now + .seconds(30)), "no answer").frames
        return try Message(frames: Array(answer.dropFirst()))
    }

    /// Reports events, each as the rest of its line.
    /// - Returns: why each that was refused was, by its place.
    func report(_ events: [String], stream: String) throws -> [Int: String] {
        let body = events.enumerated().map { "\($0 + 1)|\($1)|-|-|-|-|\($1.contains("|Unban|") ? "lifted" : "detected")\n" }.joined()
        let answer = try Acknowledgement(
            ask(Message(.report, ["stream": stream, "now": "\(Timestamp.present)"], body: Array(body.utf8))))
        return answer.refused.reduce(into: [:]) { all, refusal in all[Int(refusal.position ?? 0)] = refusal.reason }
    }

    /// Whether neither an answer nor a broadcast comes any more.
    func isCutOff() throws -> Bool {
        while try requests.receive() != nil {}
        while try broadcasts.receive() != nil {}
        _ = try requests.send([[]] + Message(.query, ["what": "bans"]).frames)
        // Two beats.
        return try broadcasts.next(by: .now + .seconds(2)) == nil && requests.receive() == nil
    }
}

@Suite(.needsLab) struct StolenKeyTests {
    /// Whether the hosts' fail2ban and firewall ban exactly these.
    private func ban(_ hosts: [LabHost], exactly addresses: Set<String>) async throws -> Bool {
        for host in hosts {
            guard try await host.banned() == addresses, try await host.refused() == addresses else { return false }
        }
        return true
    }

    @Test func aStolenKeyBansNothingThatIsProtectedLiftsNothingAndLeavesNothingBehind() async throws {
        try await Lab.with(hosts: 3) { lab in
            let (web1, web2, web3) = (lab.host(1), lab.host(2), lab.host(3))
            for host in lab.hosts {
                let routed = try await host.execute("ip", "route", "add", "default", "via", "192.0.2.254")
                try #require(routed.isSuccess, "\(routed.text)")
            }
            _ = try await web3.execute("ip", "address", "add", "\(Thief.address)/24", "dev", "eth0")
            try web1.overlayConfiguration("[publisher]\nignoreip = 203.0.113.200\n")
            try await lab.startDaemons()
            try await web2.loginFailure(from: "203.0.113.50")
            try await web1.loginFailure(from: "203.0.113.51")
            let honest: Set = ["203.0.113.50", "203.0.113.51"]
            try await eventually("what honest hosts ban") { try await ban(lab.hosts, exactly: honest) }

            let isRevoked = Finished()
            let hasTried = Finished()
            async let isCutOff = onThread(in: web3.networkNamespace) { () throws -> Bool in
                let thief = try Thief(from: web3)
                try #require(thief.broadcasts.next(by: .now + .seconds(30)) != nil)
                try Self.tryEverything(thief)
                hasTried.set()
                let deadline = ContinuousClock.now + .seconds(120)
                while !isRevoked.isTrue, ContinuousClock.now < deadline { _ = try thief.broadcasts.next(by: .now + .milliseconds(100)) }
                let again = try Thief(from: web3)
                return try thief.isCutOff() && again.isCutOff()
            }
            try await eventually("the thief has tried everything") { hasTried.isTrue }
            // What it can: ban strangers, as its host may.
            let all = honest.union(["203.0.113.61", "203.0.113.62"])
            try await eventually("what a host may ban, and nothing else") { try await ban(lab.hosts, exactly: all) }
            // The gateway is only known to those who have it.
            for host in lab.hosts { #expect(host.file("fail2ban-cluster.log").contains("192.0.2.254 is a gateway of this host")) }

            let revoked = try await web1.execute("fail2ban-cluster", "revoke", "web3", "--withdraw", "-c", web1.configuration)
            #expect(revoked.isSuccess, "\(revoked.text)")
            try await eventually("all that it did is undone") { try await ban([web1, web2], exactly: honest) }
            isRevoked.set()
            #expect(try await isCutOff)

            try await web2.loginFailure(from: "203.0.113.52")
            try await eventually("the others go on") { try await ban([web1, web2], exactly: honest.union(["203.0.113.52"])) }
        }
    }

    /// Does what the key's roles, monitor and subscriber, let it ask for.
    private static func tryEverything(_ thief: Thief) throws {
        let forbidden = [
            // The other hosts, the publisher, what the operator ignores, and prefixes that are wide or have one of these in them.
            ("192.0.2.1", "is an address of"), ("192.0.2.2", "is an address of an authorised host"), ("203.0.113.200", "ignoreip has"),
            ("10.0.0.0/8", "the prefix is wider"), ("0.0.0.0/0", "the prefix is wider"), ("::/0", "the prefix is wider"),
            ("192.0.2.0/24", "is an address of"), ("203.0.113.0/24", "ignoreip has"), ("127.0.0.1", "is loopback"),
        ]
        let refused = try thief.report(forbidden.map { "web3|sshd|Ban|\($0.0)" }, stream: "forbidden")
        for (index, (address, reason)) in forbidden.enumerated() {
            try #require(refused[index + 1]?.contains(reason) == true, "\(address): \(refused[index + 1] ?? "admitted")")
        }
        let foreign = ["web2|sshd|Unban|203.0.113.50", "web1|sshd|Unban|203.0.113.51", "web2|sshd|Ban|203.0.113.60"]
        let asOthers = try thief.report(foreign, stream: "foreign")
        try #require(asOthers.count == 3 && asOthers.values.allSatisfy { $0.hasPrefix("names another host") }, "\(asOthers)")
        // In its own name it lifts what it doesn't hold, and its list says that it holds nothing.
        try #require(thief.report(["web3|sshd|Unban|203.0.113.50", "web3|sshd|Unban|203.0.113.51"], stream: "lifts").isEmpty)
        let empty = HoldsPage(
            stream: "lifts", position: 2, now: .present, madeAt: .present, id: "list", page: 1, isLast: true, isComplete: true, bans: [])
        try #require(thief.ask(empty.message).verb == .acknowledged)
        let addresses = try ["203.0.113.50", "203.0.113.51"].map { try #require(Address($0)) }
        let host = try #require(Hostname("web2"))
        for order in [
            Order(.unban, now: .present, addresses: addresses), Order(.ban, now: .present, addresses: addresses),
            Order(withdrawing: host, now: .present),
        ] {
            try #require(RequestRefusal(try thief.ask(order.message))?.code == .role)
        }
        // What is left to it. Each host protects its own gateway.
        let possible = ["203.0.113.61", "203.0.113.62", "203.0.113.50", "192.0.2.254"].map { "web3|sshd|Ban|\($0)" }
        try #require(thief.report(possible, stream: "possible").isEmpty)
    }
}
