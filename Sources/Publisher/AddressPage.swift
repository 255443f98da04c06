// Stage 2, report -> admission -> journal -> broadcast: how one address stands now, for an operator who asks why it is banned or isn't.

import Daemon
import Wire

/// The answer to `QUERY what=address`; docs/wire-protocol.md has its form.
enum AddressPage {
    /// The most holders that are named of one address or prefix.
    static let mostHolders = 100
    /// The most banned addresses that are named of a prefix.
    static let mostInside = 20

    static func json(_ address: Address, term: Term, ledger: Ledger, now: Timestamp) -> JSONText {
        let table = ledger.table
        let around = address.prefixes.reversed()
        let inside = address.isSingle ? [] : table.banned(in: address, limit: mostInside)
        var json = JSONText()
        json.set("address", address.description)
        json.set("now", now.milliseconds)
        json.set("quorum", table.quorum)
        json.set("records", (around + inside).compactMap { record($0, table) })
        json.set("protected", ledger.admission.neverBan.refusal(for: address)?.text)
        json.set("allowed", table.allowedAddresses.refusal(for: address, now: now)?.reason)
        json.set("term", term.description)
        return json
    }

    private static func record(_ address: Address, _ table: BanTable) -> JSONText? {
        guard let known = table.listed(address) else { return nil }
        var json = JSONText()
        json.set("address", address.description)
        json.set("banned", known.end != nil)
        json.set("end", known.end?.milliseconds)
        json.set(
            "holders",
            known.holders.prefix(mostHolders).map { holding in
                var json = JSONText()
                json.set("host", holding.holder.host.description)
                json.set("jail", holding.holder.jail.description)
                json.set("seen", holding.seen.milliseconds)
                json.set("end", holding.end.milliseconds)
                return json
            })
        return json
    }
}

extension BanEnd {
    /// Milliseconds since the epoch; `nil` is permanent or unknown.
    var milliseconds: Int64? { if case .at(let time) = self { time.milliseconds } else { nil } }
}
