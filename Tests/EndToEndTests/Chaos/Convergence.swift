// Fault test: waits until every host refuses exactly what the oracle says, and measures how long that takes.

import TestSupport
import Testing

/// What a host refuses, as fail2ban says and as its firewall says.
struct Enforced: Sendable {
    /// nil while fail2ban does not answer.
    var fail2ban: Set<String>?
    var firewall: Set<String>

    init(of host: ChaosHost) async throws {
        fail2ban = try await host.banned(in: "fail2ban-cluster")
        firewall = try await host.lab.refused()
    }

    /// Whether all that differs is that it refuses more than it must, and only of `addresses`.
    func hasOnlyTooMuch(of addresses: Set<String>, wanted: (certain: Set<String>, possible: Set<String>)) -> Bool {
        guard let fail2ban else { return false }
        let allowed = wanted.certain.union(wanted.possible).union(addresses)
        return [fail2ban, firewall].allSatisfy { wanted.certain.isSubset(of: $0) && $0.isSubset(of: allowed) }
    }

    /// What differs from the oracle's word; nil when nothing does.
    func difference(from wanted: (certain: Set<String>, possible: Set<String>)) -> String? {
        guard let fail2ban else { return "fail2ban does not answer" }
        let texts = [("fail2ban", fail2ban), ("nft", firewall)].flatMap { source, set in
            [
                Self.text("\(source) lacks", wanted.certain.subtracting(set)),
                Self.text("\(source) has too many", set.subtracting(wanted.certain).subtracting(wanted.possible)),
            ].compactMap(\.self)
        }
        return texts.isEmpty ? nil : texts.joined(separator: "; ")
    }

    private static func text(_ what: String, _ addresses: Set<String>) -> String? {
        addresses.isEmpty ? nil : "\(what) \(addresses.count): " + addresses.sorted().prefix(5).joined(separator: " ")
    }
}

/// A run that is over, since what follows says nothing any more. What is wrong was recorded before.
struct ChaosFailure: Error, CustomStringConvertible {
    var text: String
    var description: String { text }
}

extension ChaosCluster {
    /// Looks at all hosts until each agrees with the oracle, and records an issue for one that doesn't in time.
    ///
    /// After a restore from a backup, a subscriber keeps for ten minutes what the publisher lacks (`WantedSet.doubt`): it can't know
    /// whether that was lifted while the publisher didn't listen, or is what the backup lacks and a monitor will tell again. While that
    /// lasts the subscriber does not remember a place in the publisher's present term, which is how it is told here. Such a host may have
    /// too much when the time is over, of what was banned once; it is counted in the report. It may never lack anything.
    ///
    /// In time is 10 seconds, and what fail2ban itself takes for what it had to ban and to lift. It is
    /// waited longer, to tell whether a host is late or wrong.
    ///
    /// - Throws: ``ChaosFailure`` when a host was wrong until the end.
    func converge(after faults: [Fault], patience: Duration = .seconds(60)) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let times = await (ban: record.report.banTime, unban: record.report.unbanTime)
        let hosts = try await withThrowingTaskGroup(of: ChaosReport.HostConvergence.self) { group in
            for host in self.hosts {
                group.addTask {
                    var first: ChaosReport.HostConvergence?
                    while true {
                        let enforced = try await Enforced(of: host)
                        let wanted = await record.oracle.refused(at: ChaosRecord.now())
                        let took = clock.now - start
                        var result =
                            first
                            ?? {
                                let has = enforced.fail2ban ?? []
                                let toBan = wanted.certain.subtracting(has).count
                                let toLift = has.subtracting(wanted.certain).subtracting(wanted.possible).count
                                let limit = .seconds(10) + times.ban * toBan + times.unban * toLift
                                return .init(host: host.number, toBan: toBan, toLift: toLift, took: .zero, limit: limit)
                            }()
                        first = result
                        result.took = took
                        guard let difference = enforced.difference(from: wanted) else {
                            if took > result.limit {
                                Issue.record("web\(host.number) was right only after \(took), not after \(result.limit)")
                            }
                            return result
                        }
                        if took > result.limit, try await isInDoubt(host),
                            enforced.hasOnlyTooMuch(of: await record.oracle.everBanned, wanted: wanted)
                        {
                            result.inDoubt = enforced.fail2ban?.subtracting(wanted.certain).subtracting(wanted.possible).count ?? 0
                            return result
                        }
                        if took > result.limit + patience {
                            Issue.record("web\(host.number) is wrong after \(took): \(difference)")
                            result.isWrong = true
                            return result
                        }
                        try await Task.sleep(for: .milliseconds(200))
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.host < $1.host }
        }
        let banned = await record.oracle.refused(at: ChaosRecord.now()).certain.count
        await record.note { $0.rounds.append(.init(faults: faults, banned: banned, hosts: hosts)) }
        if hosts.contains(where: \.isWrong) { throw ChaosFailure(text: "not all hosts refuse what they must") }
    }

    /// Whether the journal was restored from a backup, and a host's subscriber keeps what the publisher lacks.
    private func isInDoubt(_ host: ChaosHost) async throws -> Bool {
        guard await record.mayDoubt(host.number) else { return false }
        let term = try await execute(["sqlite3", "-readonly", journal, "SELECT id FROM term ORDER BY rowid DESC LIMIT 1"])
        try #require(term.status == 0, "\(term)")
        return host.followedTerm != term.output.filter(\.isHexDigit)
    }

    /// Compares the journal with logs and orders, until they agree or the time is over.
    func audit(within limit: Duration = .seconds(20)) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            var logs = LogCounts()
            for host in hosts { try await logs.read(host) }
            let journal = try await JournalLine.read(self.journal)
            let audit = await JournalAudit(journal: journal, lost: record.lostRows, logs: logs, oracle: record.oracle)
            if audit.problems.isEmpty || ContinuousClock.now > deadline {
                await record.note { $0.journal = audit.summary }
                for problem in audit.problems.prefix(20) { Issue.record("journal: \(problem)") }
                if audit.problems.count > 20 { Issue.record("journal: \(audit.problems.count - 20) more problems") }
                if !audit.problems.isEmpty { throw ChaosFailure(text: "the journal is not what happened") }
                return
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
