// Fuzzing: the JSON that an operator's program gets from a publisher, and shows on a terminal.

import Wire

@testable import Operator

extension FuzzTarget {
    /// The body of an answer to `QUERY what=bans` or `what=allowed`.
    static let banList = FuzzTarget(name: "ban-list", longest: Message.sizeLimit) { input in
        guard let page = try? BanPage(json: input) else { return }
        let rows = page.rows
        try require(rows.count == page.bans.count + page.allowed.count, "\(rows.count) rows")
        for row in rows {
            let isPrintable = row.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) }
            try require(isPrintable, "not printable: \(row.debugDescription)")
            try require(Address(row.prefix { $0 != " " }) != nil, row)
        }
        if let next = page.next {
            try require((try? BanPage(json: input, after: next)) == nil, "a list without an end")
        }
    }
}
