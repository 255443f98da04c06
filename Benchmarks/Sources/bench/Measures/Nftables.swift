// Measure: how long a ban takes into another host's nftables, how many go in at once, and one more beside very many.

import Foundation
import ZeroMQ

extension Measure {
    static let nftables = Measure(name: "nftables", question: "bans into nftables by the subscriber, in a network namespace") { bench in
        guard getuid() == 0 else {
            say("  not measured: only root makes network namespaces")
            return []
        }
        // From threads that are in the namespace, so that what they start is there too, and on its loopback.
        func inside(_ work: @escaping @Sendable (NetworkNamespace) throws -> [Figure]) throws -> [Figure] {
            try Worker {
                let network = try NetworkNamespace()
                try network.enter()
                return try work(network)
            }.result()
        }
        return try inside { _ in try way(bench) } + inside { try bulk(bench, $0) }
    }

    private static func way(_ bench: Bench) throws -> [Figure] {
        let cluster = try Cluster(bench)
        let publisher = try cluster.publisher()
        let monitor = try cluster.monitor(of: publisher)
        defer { monitor.stop() }
        let subscriber = try cluster.subscriber(of: publisher, enforcing: .nftables)
        defer { subscriber.stop() }
        let elements = try ElementListener()
        let lines = try LineTimes(bench.pick(short: 30, long: 200), in: cluster) { try elements.wait(within: .seconds(10)) }
        return [Figure("nftables.way", "log line -> element in another host's set", milliseconds: lines.ways, of: lines.limit)]
    }

    private static func bulk(_ bench: Bench, _ network: NetworkNamespace) throws -> [Figure] {
        let count = bench.pick(short: 100_000, long: 1_000_000)
        let scene = try Reporting(bench, monitors: 8)
        try scene.report(count)
        let subscriber = try scene.cluster.subscriber(of: scene.publisher, enforcing: .nftables, ready: "enforcing by")
        defer { subscriber.stop() }
        var (written, took) = (0, Duration.zero)
        while written < count {
            let write = try subscriber.nextWrite()
            written += write.bans
            took += write.took
        }

        let intervals = 100_000
        try network.nft(
            "table inet foreign { set addresses { type ipv4_addr; flags timeout; }; set ranges { type ipv4_addr; flags interval; }; }")
        let tool = try network.nft(element("addresses", (0..<count).map { "\(Workload.text($0)) timeout 1h" }))
        try network.nft(element("ranges", (0..<intervals).map { "10.\($0 >> 14).\($0 >> 6 & 255).\($0 << 2 & 255)/31" }))

        var requester = try Requester(scene.cluster.hosts[0], of: scene.cluster, to: scene.publisher.requests, in: try Context())
        var times: [Duration] = []
        for number in count..<count + 200 {
            try requester.report(Workload.report(number..<number + 1, of: scene.cluster.hosts[0].name, stream: "one"))
            times.append(try subscriber.nextWrite().took)
        }
        let tools = try (count..<count + 3).map { try network.nft(element("addresses", ["\(Workload.text($0)) timeout 1h"])) }
        return [
            Figure(
                "nftables.bulk", "\(Double(count).figures) bans into the set, as the subscriber writes them", unit: "s", took.seconds,
                of: Figure.Limit(what: "s, the same by nft -f", value: tool.seconds)),
            Figure(
                "nftables.one", "one more, beside \(Double(intervals).figures) intervals of someone else", milliseconds: Sample(times),
                of: Figure.Limit(what: "ms, nft add element", value: Sample(tools).median)),
        ]
    }

    private static func element(_ set: String, _ elements: [String]) -> String {
        "add element inet foreign \(set) { \(elements.joined(separator: ", ")) }"
    }
}

extension Daemon {
    /// The next transaction of bans that the subscriber says it has written, and how long the kernel took for it.
    fileprivate func nextWrite() throws -> (bans: Int, took: Duration) {
        // `banned 4000 addresses in 5120 µs`, or `banned 192.0.2.1 in 35 µs`.
        let words = try wait(for: " banned ").split(whereSeparator: \.isWhitespace)
        guard let verb = words.firstIndex(of: "banned"), let unit = words.lastIndex(of: "µs"), let took = Int64(words[unit - 1]) else {
            throw BenchError("not understood: \(words.joined(separator: " "))")
        }
        let named = words[(verb + 1)..<(unit - 2)]
        return (Int(words[verb + 1]) ?? named.count { $0.contains(".") }, .microseconds(took))
    }
}

extension NetworkNamespace {
    /// Has the nft tool read this. - Returns: how long that took.
    @discardableResult
    fileprivate func nft(_ text: String) throws -> Duration {
        let start = ContinuousClock.now
        try run(["nft", "-f", "-"], input: text + "\n")
        return .now - start
    }
}

extension Workload {
    fileprivate static func text(_ number: Int) -> String {
        var text: [UInt8] = []
        append(number, to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
