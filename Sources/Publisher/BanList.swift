// Stage 2, report -> admission -> journal -> broadcast: the banned addresses as an operator's program asks for them, page by page.

import Foundation
import Wire

/// The answer to `QUERY what=bans`; docs/wire-protocol.md has its form.
struct BanList: Encodable {
    struct Ban: Encodable {
        struct Holder: Encodable {
            var host: String
            var jail: String
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

    static func answer(to request: Message, table: BanTable, term: Term, now: Timestamp) throws(RequestRefusal) -> Message {
        guard request.header["what"] == "bans" else { throw RequestRefusal(.malformed, "what: this publisher knows bans") }
        var after: Address?
        if let text = request.header["after"] {
            guard let address = Address(text) else { throw RequestRefusal(.malformed, "after: not an address") }
            after = address
        }
        var page = table.banned(after: after, limit: pageSize)
        var isLast = page.count < pageSize
        while true {
            let list = BanList(
                term: term.description, now: now.milliseconds, bans: page.map(Ban.init), next: isLast ? nil : page.last?.address.description
            )
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let body: Data
            do { body = try encoder.encode(list) } catch { throw RequestRefusal(.toolarge, "the page can't be written as JSON: \(error)") }
            if body.count <= Message.sizeLimit { return Message(.json, ["term": term.description], body: Array(body)) }
            // Long names of hosts: half of it, and the rest on the next page. One address with its holders always fits.
            page.removeLast(page.count / 2)
            isLast = false
        }
    }
}

extension BanList.Ban {
    fileprivate init(_ listed: BanTable.Listed) {
        address = listed.address.description
        end = listed.end.milliseconds
        holders = listed.holders.prefix(BanList.mostHolders).map { holder, end in
            Holder(host: holder.host.description, jail: holder.jail.description, end: end.milliseconds)
        }
    }
}

extension BanEnd {
    fileprivate var milliseconds: Int64? { if case .at(let time) = self { time.milliseconds } else { nil } }
}
