// Fuzzing: the JSON that an operator's program gets from a publisher, and shows on a terminal.

import Wire

@testable import Operator

extension FuzzTarget {
    /// The body of an answer to `QUERY what=bans` or `what=allowed`.
    static let banList = FuzzTarget(name: "ban-list", longest: Message.sizeLimit) { input in
        guard let page = try? BanPage(json: input) else { return }
        if !page.bans.isEmpty { try requireRows(page.bans.count, of: BansOutput(page, status()).table(width: nil)) }
        if !page.allowed.isEmpty { try requireRows(page.allowed.count, of: page.allowedTable(width: nil)) }
        if let next = page.next {
            try require((try? BanPage(json: input, after: next)) == nil, "a list without an end")
        }
    }
}

/// What is asked for with the bans, of a cluster without hosts.
private func status() -> ClusterStatus {
    let publisher = ClusterStatus.Publisher(
        role: "active", host: "web1", version: "", started: 0, number: 0, bans: 0, allowed: 0, quorum: 1, plain: [],
        journal: ClusterStatus.Publisher.Journal(bytes: 0, row: 0))
    return ClusterStatus(now: 0, term: "", publisher: publisher, hosts: [])
}

/// Below its head a table has so many rows, each of which begins with an address and drives no terminal.
private func requireRows(_ count: Int, of table: String) throws(Finding) {
    let rows = table.split(separator: "\n").dropFirst()
    try require(rows.count == count, "\(rows.count) rows")
    for row in rows {
        let isPrintable = row.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) }
        try require(isPrintable, "not printable: \(row.debugDescription)")
        try require(Address(row.prefix { $0 != " " }) != nil, String(row))
    }
}
