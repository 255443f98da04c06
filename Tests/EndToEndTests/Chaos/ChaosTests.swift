// Fault test: faults on real processes while bans and unbans arrive; in the end every host refuses exactly what it must.

import Glibc
import TestSupport
import Testing

/// What the environment asks for; scripts/chaos sets it.
private struct ChaosSettings {
    /// The same seed gives the same faults and orders. The short form has always the same.
    let seed: UInt64 = environment("CHAOS_SEED").flatMap { UInt64($0) } ?? 3
    /// nil: the short form, in which each kind of fault happens at least once.
    let minutes: Double? = environment("CHAOS_MINUTES").flatMap { Double($0) }
    let hosts: Int = environment("CHAOS_HOSTS").flatMap { Int($0) } ?? 3
    /// Those that may happen.
    let kinds: [FaultKind] = {
        let possible = FaultKind.allCases.filter { FakeTime.preload != nil || !$0.rawValue.hasPrefix("step") }
        guard let names = environment("CHAOS_FAULTS") else { return possible }
        return names.split(separator: ",").compactMap { FaultKind(rawValue: String($0)) }
    }()
    /// One fault a round, each kind in its turn: how long the cluster takes to be right after each.
    let oneByOne = environment("CHAOS_ONE_BY_ONE") == "1"

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

@Suite(.needsLab, .serialized) struct ChaosTests {
    @Test func afterAnyFaultsEveryHostRefusesWhatItMustAndNothingIsLostOrDoubled() async throws {
        let settings = ChaosSettings()
        say("chaos: seed \(settings.seed); again: scripts/chaos --seed \(settings.seed) --minutes \(settings.minutes ?? 0)")
        try await ChaosCluster.with(hosts: settings.hosts, seed: settings.seed) { cluster in
            do {
                try await cluster.run(settings)
            } catch {
                try? await cluster.audit(within: .zero)
                say(await cluster.record.report.text)
                throw error
            }
            say(await cluster.record.report.text)
        }
    }
}

extension ChaosCluster {
    fileprivate func run(_ settings: ChaosSettings) async throws {
        var plan = FaultPlan(seed: settings.seed, kinds: settings.kinds, hosts: hosts.count)
        var traffic = hosts.map { Traffic(seed: settings.seed, host: $0.number) }
        let start = ContinuousClock.now
        let count = settings.oneByOne ? 1 : settings.minutes == nil ? settings.kinds.count : 40
        var rounds = 0
        repeat {
            let faults = (0..<count).map { _ in plan.next() }
            traffic = try await round(of: faults, traffic, isTold: settings.minutes != nil)
            rounds += 1
            try await converge(after: faults)
            if settings.minutes != nil, let round = await record.report.rounds.last { say("chaos: round \(rounds): \(round.text)") }
        } while settings.oneByOne ? rounds < settings.kinds.count : ContinuousClock.now - start < .seconds((settings.minutes ?? 0) * 60)

        // The bans that end by themselves.
        let rest = await record.oracle.lastEnd - ChaosRecord.now()
        if rest > 0 { try await Task.sleep(for: .milliseconds(rest)) }
        try await converge(after: [])
        try await audit()
    }

    /// Lets faults happen while each host's orders arrive; when it returns, all faults are over.
    ///
    /// - Parameter isTold: whether each fault is printed when it begins and when it is over.
    private func round(of faults: [Fault], _ traffic: [Traffic], isTold: Bool) async throws -> [Traffic] {
        let rest = Rest()
        return try await withThrowingTaskGroup(of: Traffic?.self) { group in
            for (host, traffic) in zip(hosts, traffic) {
                group.addTask {
                    var traffic = traffic
                    while await !rest.hasBegun {
                        let order = traffic.next()
                        try await Task.sleep(for: .milliseconds(order.pause))
                        try await parts.with([.orders(host.number)]) { try await host.carryOut(order) }
                    }
                    if await host.doubt.isThere { try await host.recover() }
                    return traffic
                }
            }
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for fault in faults {
                        try await Task.sleep(for: .milliseconds(fault.pause))
                        group.addTask {
                            if isTold { say("chaos: \(fault)") }
                            try await carryOut(fault)
                            if isTold { say("chaos: over: \(fault)") }
                        }
                    }
                    try await group.waitForAll()
                }
                await rest.begin()
                return nil
            }
            let done = try await group.reduce(into: [Traffic]()) { all, traffic in if let traffic { all.append(traffic) } }
            // In the order of the hosts.
            return done.sorted { $0.host < $1.host }
        }
    }
}

/// Whether orders and faults rest.
private actor Rest {
    private(set) var hasBegun = false
    func begin() { hasBegun = true }
}

/// A line for who watches a long run; what `print` writes comes late where the output is no terminal.
private func say(_ text: String) {
    let line = Array("\(text)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
}
