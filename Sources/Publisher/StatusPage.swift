// Stage 2, report -> admission -> journal -> broadcast: how the publisher and the hosts are doing, as an operator's program asks for it.

import Daemon
import Glibc
import Wire

/// What of the publisher does not change while it runs.
struct PublisherFacts: Sendable {
    var host: Hostname
    var term: Term
    /// When this start began.
    var started: Timestamp
    /// Where old clients are served without encryption, as it was bound.
    var plainEndpoints: [String]
    /// Where the journal is.
    var journalPath: String

    /// - Parameter endpoints: all that were bound, those for old clients behind the two others.
    init(of host: Hostname, _ term: Term, at endpoints: [String], journal: String, now: Timestamp) {
        self.host = host
        self.term = term
        started = now
        plainEndpoints = Array(endpoints.dropFirst(2))
        journalPath = journal
    }

    /// Bytes that the journal has on disk, with its write-ahead log.
    var journalBytes: Int64 {
        [journalPath, journalPath + "-wal"].reduce(0) { sum, path in
            var status = stat()
            return stat(path, &status) == 0 ? sum + Int64(status.st_size) : sum
        }
    }
}

/// The answer to `QUERY what=status`, page by page in the order of the hosts' names; docs/wire-protocol.md has its form.
struct StatusPage {
    /// Why the journal could not be written, when that was tried, and what helps.
    struct JournalTrouble {
        var at: Timestamp
        var text: String
        var remedy: String
    }

    var facts: PublisherFacts
    var states: HostStates
    var hosts: AuthorizedHosts
    var journalTrouble: JournalTrouble?

    /// - Parameters:
    ///   - after: the last host of the page before.
    ///   - lastRow: of the journal.
    func json(after: Hostname?, ledger: Ledger, lastRow: Int64, now: Timestamp) -> JSONText {
        var page = JSONText()
        page.set("now", now.milliseconds)
        page.set("publisher", publisher(ledger, lastRow: lastRow))
        page.set("term", facts.term.description)
        // Room for the members that stand around the hosts.
        var size = page.text.utf8.count + 512
        var list: [JSONText] = []
        var next: String?
        let names = Set(hosts.hosts.map(\.name)).filter { name in after.map { name.description > $0.description } ?? true }
        for name in names.sorted(by: { $0.description < $1.description }) {
            let host = host(name, ledger)
            size += host.text.utf8.count + 1
            // One host always fits: two states of a quarter each.
            if size > Message.sizeLimit, !list.isEmpty { break }
            list.append(host)
            next = name.description
        }
        page.set("hosts", list)
        page.set("next", list.count < names.count ? next : nil)
        return page
    }

    private func publisher(_ ledger: Ledger, lastRow: Int64) -> JSONText {
        var journal = JSONText()
        journal.set("bytes", facts.journalBytes)
        journal.set("row", lastRow)
        journal.set(
            "trouble",
            journalTrouble.map { trouble in
                var json = JSONText()
                json.set("at", trouble.at.milliseconds)
                json.set("text", trouble.text)
                json.set("remedy", trouble.remedy)
                return json
            })
        var json = JSONText()
        json.set("role", "active")
        json.set("host", facts.host.description)
        json.set("version", packageVersion)
        json.set("started", facts.started.milliseconds)
        json.set("number", ledger.committedLastNumber)
        json.set("bans", ledger.table.bannedCount)
        json.set("allowed", ledger.table.allowedAddresses.count)
        json.set("quorum", ledger.table.quorum)
        json.set("plain", facts.plainEndpoints)
        json.set("journal", journal)
        return json
    }

    private func host(_ name: Hostname, _ ledger: Ledger) -> JSONText {
        var json = JSONText()
        json.set("host", name.description)
        json.set("roles", (hosts.roles(of: name) ?? []).map(\.rawValue).sorted())
        json.set("holds", ledger.table.holdCount(of: name))
        json.set(
            "lastBan",
            states.lastBans[name].map { ban in
                var json = JSONText()
                json.set("address", ban.address.description)
                json.set("jail", ban.jail.description)
                json.set("at", (ban.seen ?? ban.admitted)?.milliseconds)
                return json
            })
        for component in DaemonState.Component.allCases {
            json.set(component.rawValue, states.told(by: component, of: name)?.jsonText)
        }
        return json
    }
}

extension HostStates.Told {
    fileprivate var jsonText: JSONText {
        var text = JSONText()
        text.set("at", at.milliseconds)
        text.set("clock", clock)
        text.set(
            "lag",
            lag.map { lag in
                var json = JSONText()
                json.set("events", lag.events)
                json.set("milliseconds", lag.milliseconds)
                return json
            })
        text.set("state", verbatim: json)
        return text
    }
}
