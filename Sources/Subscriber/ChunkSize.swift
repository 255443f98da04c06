// Stage 3, enforcement: how many addresses go into one call of fail2ban-client.

/// Sizes calls by the time that the ones before took, because fail2ban answers nobody else while it bans.
struct ChunkSize: Sendable, Equatable {
    /// How long a call may hold up fail2ban's socket. 0.3 s, so that `fail2ban-client ping` answers within 0.6 s.
    static let target: Duration = .milliseconds(300)
    /// The most addresses in one call. 50, which with fail2ban's nftables action (6 ms each) take 0.3 s.
    static let most = 50
    /// Before anything was measured: safe with actions of up to 60 ms each.
    static let first = 5

    private(set) var count = ChunkSize.first

    /// Takes the duration of a call of `addresses` addresses. Grows to at most the double a time, shrinks at once.
    mutating func measured(addresses: Int, took: Duration) {
        guard addresses > 0, took > .zero else { return }
        let fitting = Double(addresses) * (ChunkSize.target / took)
        // A call with few addresses says little about one with many: its fixed part weighs more.
        let limit = max(count, addresses * 2)
        count = max(1, min(ChunkSize.most, limit, fitting < 1000 ? Int(fitting) : 1000))
    }
}
