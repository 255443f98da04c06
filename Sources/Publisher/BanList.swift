// Stage 2, report -> admission -> journal -> broadcast: what is banned or allowed as an operator's program asks for it, page by page.

import Foundation
import Wire

/// The answer to `QUERY what=bans`; docs/wire-protocol.md has its form.
struct BanList: Encodable {
    struct Ban: Encodable {
        struct Holder: Encodable {
            var host: String
            var jail: String
            /// When its log told of it, in milliseconds since the epoch.
            var seen: Int64
            /// Milliseconds since the epoch; `null` is permanent.
            var end: Int64?
        }

        var address: String
        var end: Int64?
        var holders: [Holder]
    }

    var term: String
    var now: Int64
    var bans: [Ban] = []
    /// The address to ask for the next page with (`after`); `null` on the last page.
    var next: String?

    /// The most addresses on one page.
    static let pageSize = 200
    /// The most holders named of one address.
    static let mostHolders = 8

    /// The page behind an address.
    static func bans(
        _ filter: BanFilter, after: Address?, table: BanTable, term: Term, now: Timestamp
    ) throws(RequestRefusal) -> [UInt8] {
        var (page, next) = filter.page(of: table, after: after, limit: pageSize)
        while true {
            let list = BanList(term: term.description, now: now.milliseconds, bans: page.map(Ban.init), next: next?.description)
            let body = try json(list)
            if body.count <= Message.sizeLimit { return body }
            // Long names of hosts: half of it, and the rest on the next page. One address with its holders always fits.
            page.removeLast(page.count / 2)
            next = page.last?.address
        }
    }

    /// The page of what is allowed behind an address.
    static func allowed(after: Address?, table: BanTable, term: Term, now: Timestamp) throws(RequestRefusal) -> [UInt8] {
        try json(AllowedList(after: after, table: table, term: term, now: now))
    }

    private static func json(_ list: some Encodable) throws(RequestRefusal) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(list))
        } catch {
            throw RequestRefusal(.toolarge, "the page can't be written as JSON: \(error)")
        }
    }
}

/// The answer to `QUERY what=allowed`: a page of it always fits a body.
private struct AllowedList: Encodable {
    struct Allowed: Encodable {
        var address: String
        /// Milliseconds since the epoch; `null` is permanent.
        var end: Int64?
    }

    var term: String
    var now: Int64
    var allowed: [Allowed]
    var next: String?

    init(after: Address?, table: BanTable, term: Term, now: Timestamp) {
        let page = table.allowedAddresses.page(after: after, limit: BanList.pageSize)
        self.term = term.description
        self.now = now.milliseconds
        allowed = page.map { Allowed(address: $0.address.description, end: $0.end.milliseconds) }
        next = page.count < BanList.pageSize ? nil : page.last?.address.description
    }
}

extension BanList.Ban {
    fileprivate init(_ listed: BanTable.Listed) {
        address = listed.address.description
        end = listed.end?.milliseconds
        holders = listed.holders.prefix(BanList.mostHolders).map { holding in
            Holder(
                host: holding.holder.host.description, jail: holding.holder.jail.description, seen: holding.seen.milliseconds,
                end: holding.end.milliseconds)
        }
    }
}
