// Fault test: what a run did and how fast the cluster was right again, in words.

/// The figures of a run.
struct ChaosReport: Sendable {
    /// One time that the faults rested and all hosts were awaited to agree.
    struct Round: Sendable {
        var faults: [Fault]
        /// Addresses that every host must refuse.
        var banned: Int
        /// Of each host: what it had to ban and to lift when the faults ended, and how long it took.
        var hosts: [HostConvergence]

        var text: String {
            (["\(faults.count) faults, then \(banned) addresses banned everywhere"] + hosts.map(\.text)).joined(separator: "\n    ")
        }
    }

    struct HostConvergence: Sendable {
        var host: Int
        var toBan: Int
        var toLift: Int
        var took: Duration
        var limit: Duration
        /// Whether it was not right in the end.
        var isWrong = false
        /// Addresses that it still refused in doubt, after a restore.
        var inDoubt = 0

        var text: String {
            "web\(host): \(toBan) to ban, \(toLift) to lift, \(isWrong ? "WRONG" : "right") after \(ms(took)) (limit \(ms(limit)))"
                + (inDoubt == 0 ? "" : ", but for \(inDoubt) in doubt since a restore")
        }
    }

    let seed: UInt64
    var faults: [FaultKind: Int] = [:]
    var orders = 0
    var bans = 0
    var lifts = 0
    /// Orders that fail2ban may have had or not when it was killed.
    var doubtful = 0
    /// Bans that fail2ban had not yet written down when it was killed.
    var forgotten = 0
    /// Starts of a daemon that failed because of another fault and were tried again.
    var repeatedStarts = 0
    var rounds: [Round] = []
    /// How long fail2ban itself takes for a ban and for an unban through nftables, on each host while all do it.
    var banTime: Duration = .zero
    var unbanTime: Duration = .zero
    /// What the journal says, in words.
    var journal = ""

    init(seed: UInt64) { self.seed = seed }

    var text: String {
        var lines = ["chaos: seed \(seed)"]
        let kinds = FaultKind.allCases.filter { faults[$0, default: 0] > 0 }
        lines.append(
            "  \(faults.values.reduce(0, +)) faults: " + kinds.map { "\($0.rawValue) \(faults[$0, default: 0])" }.joined(separator: ", "))
        let never = FaultKind.allCases.filter { faults[$0] == nil }
        if !never.isEmpty { lines.append("  none of: " + never.map(\.rawValue).joined(separator: ", ")) }
        lines.append(
            "  \(orders) orders: \(bans) bans, \(lifts) lifts; fail2ban was killed over \(doubtful) and forgot \(forgotten); "
                + "\(repeatedStarts) starts repeated")
        lines.append("  fail2ban's own time through nftables: \(ms(banTime)) a ban, \(ms(unbanTime)) an unban, on all hosts at once")
        for (number, round) in rounds.enumerated() { lines.append("  round \(number + 1): \(round.text)") }
        if !journal.isEmpty { lines.append("  journal: \(journal)") }
        return lines.joined(separator: "\n")
    }
}

private func ms(_ duration: Duration) -> String {
    "\(duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000) ms"
}
